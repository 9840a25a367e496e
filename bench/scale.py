"""Owns the arithmetic of docs/scale.md: money, time and room for 1, 10 and 100 million requests, and what limits them first.

    python -m bench.scale [--write]      # print the tables, or write them into docs/scale.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

from common import catalog
from common.catalog.prices import pricing
from common.nouns import Usage
from common.runs.queue import WAVE

PAGE = Path(__file__).resolve().parents[1] / "docs/scale.md"
MILLION, DAY = 1_000_000, 86_400
SIZES = (1 * MILLION, 10 * MILLION, 100 * MILLION)

# One request: as the included literary study has them at gpt-4.1 (prompt exact, answer as rehearsed), and as docs/performance.md measured
# lines of the bench: 4,191 MB for 1,000,000 requests, 90 MB for 50,000 answers, 2,300 bytes a row of the table.
IN, OUT = 1_100, 175  # tokens
SENT, CAME, ROW = 4_200, 1_800, 2_300  # bytes
# CPU seconds for 1,000,000 requests, docs/performance.md: planned; submitted, collected and put into a table.
PLAN, COLLECT = 5.66, 41.04
SHARDS_MEASURED = 10_000  # of the journal there
LOOKUP = 32  # bytes of memory an answered request, while a new run looks for what was asked before (docs/rules.md)

TURN = 1 / 24  # days that a batch takes: 90 % of OpenRouter's 230,000 batches of two weeks came within an hour, half within 7 minutes
LINE = 100e6 / 8  # bytes a second of the connection, assumed

# What a tier may spend in a month, USD. OpenAI: pages of July 2026; Anthropic: platform.claude.com rate limits, mid-2026.
MONTHLY = {
    ("openai", "1"): 100, ("openai", "3"): 1_000, ("openai", "4"): 5_000, ("openai", "5"): 200_000,
    ("anthropic", "start"): 500, ("anthropic", "build"): 1_000, ("anthropic", "scale"): 200_000,
}  # fmt: skip
CREATIONS = {"openai": 2_000 * 24}  # batches a day


class Lane(NamedTuple):
    """A model at a host in a usage tier."""

    host: str
    tier: str
    model: str


LANES = (
    Lane("openai", "1", "gpt-4.1"), Lane("openai", "1", "gpt-5.6-luna"), Lane("openai", "3", "gpt-5.6-luna"),
    Lane("openai", "4", "gpt-5.6-luna"), Lane("openai", "5", "gpt-5.6-luna"),
    Lane("anthropic", "start", "claude-haiku-4-5"), Lane("anthropic", "build", "claude-haiku-4-5"),
    Lane("anthropic", "scale", "claude-haiku-4-5"), Lane("deepinfra", "", "deepseekv3-0324"), Lane("nebius", "", "deepseekv3-0324"),
)  # fmt: skip


class Need(NamedTuple):
    """What a lane needs for so many requests; None is unknown."""

    usd: float | None
    batches: int
    turns: float | None  # how often the queue is filled
    days: dict[str, float]  # by what limits


def need(lane: Lane, requests: int) -> Need:
    """The arithmetic: everything at once, nothing refused, nothing sent again."""
    host, (model, _) = catalog.hosts()[lane.host], catalog.resolve(lane.model, lane.host)
    usd = pricing(model)(Usage(input=IN, output=OUT))
    tokens, queued = host.queue_tokens.get(lane.tier, {}).get(model.id), host.queue_requests.get(lane.tier)
    queue = tokens // IN if tokens else queued  # in requests
    whole = [host.limits.requests, host.limits.bytes and host.limits.bytes // SENT, queue and queue // WAVE]
    batches = ceil(requests / min(size for size in whole if size))
    turns = requests / queue if queue else None
    days = {"upload": requests * SENT / LINE / DAY, "processor": requests / MILLION * (PLAN + COLLECT) / DAY, "one batch": TURN}
    if turns:
        days["queue"] = turns * TURN
    if usd and (cap := MONTHLY.get((lane.host, lane.tier))):
        days["money"] = max(0.0, requests * usd / cap - 1) * 30  # what is left after the first month's cap
    if lane.host in CREATIONS:
        days["rate"] = batches / CREATIONS[lane.host]
    return Need(usd and requests * usd, batches, turns, days)


# ---- the tables


def lanes() -> str:
    """By host, tier and model."""
    head = ("host, tier", "model", "requests", "USD", "batches", "queue filled", "days", "first limit", "the next")
    return _table(head, (_lane(lane, requests) for lane in LANES for requests in SIZES))


def _lane(lane: Lane, requests: int) -> Sequence[str]:
    found = need(lane, requests)
    (first, days), (second, other) = sorted(found.days.items(), key=lambda item: -item[1])[:2]
    title = catalog.hosts()[lane.host].title + (f", {lane.tier}" if lane.tier else "")
    usd = "unknown" if found.usd is None else f"{found.usd:,.0f}"
    turns, least = ("unknown", "≥ ") if found.turns is None else (f"{found.turns:,.1f} ×", "")
    limits = _days(days, least), first, f"{second} ({_days(other)})"
    return title, lane.model, _millions(requests), usd, f"{found.batches:,}", turns, *limits


def machine() -> str:
    """What this side needs, at hosts whose batches hold 200 MB."""
    head = ("requests", "sent", "received", "on disk, with one table", "upload at 100 Mbit/s", "processor", "memory to look answers up")
    return _table(head, map(_machine, SIZES))


def _machine(requests: int) -> Sequence[str]:
    sent, came, disk, memory = (requests * size / 1e9 for size in (SENT, CAME, SENT + CAME + ROW, LOOKUP))
    return (_millions(requests), f"{sent:,.1f} GB", f"{came:,.1f} GB", f"{disk:,.1f} GB", f"{requests * SENT / LINE / 3600:.1f} h",
            f"{requests / MILLION * (PLAN + COLLECT) / 3600:.2f} h", f"{memory:.2f} GB")  # fmt: skip


def own() -> str:
    """Days that own models take, by the tokens that they write in a second, all together."""
    head = ("tokens written a second", *(f"{_millions(requests)} requests" for requests in SIZES))
    rates = ((76, "76 (SmolLM2-135M on 2 cores, measured)"), *((rate, f"{rate:,}") for rate in (1_000, 10_000, 100_000)))
    return _table(head, ((said, *(_days(requests * OUT / rate / DAY) for requests in SIZES)) for rate, said in rates))


def _millions(requests: int) -> str:
    return f"{requests // MILLION} M"


def _days(days: float, least: str = "") -> str:
    if least:
        return f"{least}{days:,.2f}" if days < 0.1 else f"{least}{days:,.1f}"
    return f"{days:,.0f}" if days >= 10 else f"{days:.1f}" if days >= 0.1 else "under 0.1"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


TABLES = {"lanes": lanes, "machine": machine, "own": own}


def with_tables(text: str) -> str:
    """The page with its tables as they are computed now. Raises ValueError where it lacks the place of one."""
    for name, make in TABLES.items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"docs/scale.md: no place for the table {name}")
        text = f"{before}<!-- {name} -->\n{make()}\n{end}{after}"
    return text


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(*(make() for make in TABLES.values()), sep="\n\n")

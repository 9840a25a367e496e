"""What of a run a person may want to hear of without looking: facts read from the journal, each under a key that names it once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from common.nouns import FINAL, IN_FLIGHT, OUT, TO_SUBMIT, Host, Run, Shard, State
from common.runs.journal import Journal
from common.runs.overview import unclean

DAY = 86_400.0
RECENT = 3 * DAY  # a run that ended before then is no news
WARNED = 5 * DAY  # so long before results vanish
CAP_SHARE = 0.8


class News(StrEnum):
    """The kinds of news."""

    DONE = "done"  # every row has a clean answer
    FAILED = "failed"  # ended, and rows failed for good
    REFUSED = "refused"  # a batch was refused for good; the others go on
    PAUSED = "paused"
    STOPPED = "stopped"  # a command ended with an error
    OWED = "owed"
    STALLED = "stalled"
    EXPIRING = "expiring"
    CAP = "cap"


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news; as long as it is the same, its key is. `run`: whose journal notes that it was told."""

    kind: News
    run: str
    key: str
    facts: Mapping[str, object] = field(default_factory=dict)


def due(journal: Journal, run: Run, shards: Iterable[Shard], host: Host, now: float, summary: dict | None = None) -> Iterator[Notice]:
    """All that is so now, told or not. `now`: unix seconds. Without a `summary` nothing is said of its end."""
    shards = [*shards]
    if _is_over(run, shards):
        yield from _ended(journal, run, shards, now, summary)
        return
    if refused := sum(shard.state is State.REFUSED for shard in shards):
        yield Notice(News.REFUSED, run.key, "refused", {"batches": refused})
    if run.paused_by:
        yield Notice(News.PAUSED, run.key, f"paused/{journal.last_event(run, 'paused')}", {"by": str(run.paused_by)})
    yield from _flying(journal, run, shards, host, now)
    yield from _cap(journal, run)


def stopped(journal: Journal, run: Run, error: Exception) -> Notice:
    """A command has ended with an error: news once, until a batch of the run comes or goes."""
    why = type(error).__name__
    return Notice(News.STOPPED, run.key, f"stopped/{why}/{_moved(journal, run)}", {"why": why})


def owed(shards: Iterable[Shard], run: Run) -> Iterator[Notice]:
    """Answers that were accepted and could not be had by a command that has ended."""
    if batches := [shard for shard in shards if shard.state is State.OWED]:
        yield Notice(News.OWED, run.key, f"owed/{len(batches)}", {"batches": len(batches), "requests": sum(s.count for s in batches)})


def _is_over(run: Run, shards: list[Shard]) -> bool:
    return bool(shards) and all(shard.state in FINAL or (run.stopped and shard.state in TO_SUBMIT) for shard in shards)


def _ended(journal: Journal, run: Run, shards: list[Shard], now: float, summary: dict | None) -> Iterator[Notice]:
    newest = max(journal.last_event(run, kind) for kind in ("collected", "refused", "given_up", "taken over"))
    if not summary or newest < now - RECENT:
        return
    facts = {"unclean": (bad := unclean(summary)), "outcomes": summary["outcomes"], "cost_usd": summary.get("cost_usd")}
    yield Notice(News.FAILED if bad else News.DONE, run.key, f"ended/{len(shards)}", facts)


def _moved(journal: Journal, run: Run) -> float:
    """When a batch of a run last came, ended or was collected, unix seconds."""
    return max(journal.last_event(run, kind) for kind in ("submitted", "adopted", "ended", "collected"))


def _flying(journal: Journal, run: Run, shards: list[Shard], host: Host, now: float) -> Iterator[Notice]:
    flying = [shard for shard in shards if shard.state in OUT]
    moved = _moved(journal, run)
    still = now - moved
    if any(shard.state in IN_FLIGHT for shard in flying) and moved and still > _patience(host):
        yield Notice(News.STALLED, run.key, f"stalled/{moved}", {"hours": round(still / 3600), "batches": len(flying)})
    if host.keeps_days:
        ends = [shard.intent_at + host.keeps_days * DAY for shard in flying if shard.intent_at]
        if soon := [end for end in ends if end - now < WARNED]:
            first = min(soon)
            yield Notice(News.EXPIRING, run.key, f"expiring/{first:.0f}", {"batches": len(soon), "at": first})


def _patience(host: Host) -> float:
    """Seconds without any movement that are too long: half of the time in which the host means to answer a batch."""
    hours = host.window.removesuffix("h")
    return (float(hours) if hours.isdigit() else 24.0) * 1800


def _cap(journal: Journal, run: Run) -> Iterator[Notice]:
    """That most of the cap with which a person has sent the run is spent or reserved; of a study's runs, once for all of them."""
    cap = journal.told(run).get("max_cost")
    if cap and (committed := journal.committed(run.key)) >= CAP_SHARE * cap:
        owner = next((other.key for other in journal.runs() if run.study and other.study == run.study), run.key)
        yield Notice(News.CAP, owner, f"cap/{cap:g}", {"committed": committed, "cap": cap})

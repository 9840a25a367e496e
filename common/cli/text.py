"""Words and figures for people: tables of plain text, the sum of a run, and where a command speaks with --json."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from common.outcomes import PENDING, SUCCEEDED
from common.runs.journal import Journal
from common.runs.overview import summary_of
from common.text import duration, one_line, usd, without_controls

SIMULATED = "SIMULATED: rehearsal answers of the local batch service, not data"
PROBLEMS = 3  # kinds of them that are told
HEADER = ("provider", "run", "model", "requests", "succeeded", "failed", "pending", "cost", "time")


@dataclass
class Voice:
    """How a command speaks: lines for people, or with --json one object on stdout and the lines beside it."""

    as_json: bool

    def say(self, *lines: str) -> None:
        """Lines for people; they make way for the one object of --json."""
        for line in lines:
            line = without_controls(line.encode("utf-8", "replace")).decode()  # a host's words among ours: no escapes
            print(line, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def warn(self, text: str) -> None:
        """A warning, which goes beside what the command is for."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def json(self, found: dict) -> None:
        """The one object of --json."""
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())

    def print_table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table on stdout."""
        print(table(header, rows))


def failures(outcomes: dict[str, int]) -> str:
    """All that has come and is no success, by class: `expired 3, quota 1`; "0" if nothing."""
    return ", ".join(f"{name} {n}" for name, n in sorted(outcomes.items()) if name not in (SUCCEEDED, PENDING) and n) or "0"


def answers_checked(summary: dict) -> list[str]:
    """What the check of the answers said, and why answers are not clean: the most frequent problems."""
    if not (checked := summary["answers_checked"]):
        return []
    lines = ["answers checked: " + ", ".join(f"{name} {n:,}" for name, n in checked.items())]
    problems = [*summary.get("answer_problems", {}).items()]
    lines += [f"not clean: {kind} ({n:,})" for kind, n in problems[:PROBLEMS]]
    lines += [f"… and {len(problems) - PROBLEMS} more kinds of problem, in summary.json"] * (len(problems) > PROBLEMS)
    return lines + as_in_gold(summary)


def as_in_gold(summary: dict) -> list[str]:
    """How many answers of each model are as in the gold column, a line for each question and model."""
    return [_as_in_gold(found) for found in summary.get("gold", ())]


def _as_in_gold(found: dict) -> str:
    right, compared = found["as_in_gold"], found["compared"]
    line = f"{found['question']} {found['name']}, {found['model']}: "
    most = 100 if right == compared else 99.9  # 100 % means all of them
    share = f" ({min(round(100 * right / compared, 1), most):g} %)" if compared else ""
    line += f"{right:,} of {compared:,} as in gold{share}"
    if found["confused"]:
        first = found["confused"][0]
        line += f"; most confused: {first['answer'] or 'no value'} for {first['gold']} {first['rows']:,}"
    why = {"gold_empty": "without a gold value", "gold_unclear": "whose gold value is no answer to the question"}
    without = [f"{found[key]:,} {words}" for key, words in why.items() if found[key]]
    return line + (f"; not compared: {', '.join(without)}" if without else "")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under a header, aligned by what a terminal shows (a Japanese character is two wide)."""
    lines = [[one_line(cell, 200) if cell != "" else "" for cell in row] for row in (header, *rows)]
    widths = [max(_width(line[n]) for line in lines) for n in range(len(header))]
    lines.insert(1, ["─" * width for width in widths])
    return "\n".join("  ".join(c + " " * (w - _width(c)) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def runs_table(summaries: Iterable[dict]) -> str:
    """Runs as a table, a line per model; that requests are pending has a column only while some are."""
    rows = [row for summary in summaries for row in _run_rows(summary)]
    column = HEADER.index("pending")
    if any(row[column] for row in rows):
        return table(HEADER, rows)
    header, *rows = ((*row[:column], *row[column + 1 :]) for row in (HEADER, *rows))
    return table(header, rows)


def _run_rows(summary: dict) -> Iterator[tuple]:
    costs = summary.get("cost_by_model", {})
    for model, outcomes in summary["by_model"].items():
        yield (
            summary["provider"], summary["run"], model, sum(outcomes.values()), outcomes.get(SUCCEEDED, 0), failures(outcomes),
            outcomes.get(PENDING, 0), usd(costs.get(model), summary["simulated"]), duration(summary["seconds"]),
        )  # fmt: skip


def the_sum(summary: dict) -> str:
    """The accounting of a run in one line: planned = succeeded + failed by class."""
    outcomes, taken = dict(summary["outcomes"]), summary.get("taken_over", 0)
    if taken:
        outcomes = {"taken over": taken, **outcomes, SUCCEEDED: outcomes[SUCCEEDED] - taken}
        outcomes = {name: n for name, n in outcomes.items() if n}
    order = {"taken over": 0, SUCCEEDED: 1}
    parts = sorted(outcomes.items(), key=lambda item: (order.get(item[0], 2), item[0]))
    line = f"sum: {summary['planned']:,} planned = " + " + ".join(f"{n:,} {name}" for name, n in parts)
    if summary["adds_up"]:
        return line
    return f"{line}; it does not add up ({summary['rows']:,} rows): make audit looks closer"


def asked_again(summary: dict) -> list[str]:
    """What may have been paid twice, where a run was sent row by row and something died on the way."""
    if not (count := summary.get("asked_again", 0)):
        return []
    return [f"up to {count:,} questions may have been paid twice: in the air when a service or connection died, they were asked again"]


def of_cache(summary: dict) -> list[str]:
    """How many of a run's prompt tokens were read from a prompt cache, and written into one; nothing where none were."""
    tokens = summary["tokens"]
    if not (tokens.get("cached") or tokens.get("cache_written")):
        return []
    read, written, whole = tokens.get("cached", 0), tokens.get("cache_written", 0), tokens["input"]
    share = f"{100 * read / whole:.0f} %"
    return [f"prompt cache: of {whole:,} prompt tokens {read:,} were read from it ({share}), {written:,} written into it"]


def all_runs(journal: Journal) -> str:
    """The table of every run in a results folder that has a summary."""
    runs = journal.runs()
    summaries = [s for s in map(summary_of, runs) if s]
    broken = [run for run in runs if summary_of(run) is None and (run.folder / "summary.json").exists()]
    unread = [f"{run.provider}/{run.name}: its summary.json cannot be read; the run's command makes it again" for run in broken]
    if not summaries:
        return "\n".join(unread) or "no run yet: make demo"
    shown = runs_table(summaries)
    notes = [f"{SIMULATED}: {', '.join(s['run'] for s in summaries if s['simulated'])}"] if any(s["simulated"] for s in summaries) else []
    notes += [f"{s['provider']}/{s['run']}: the sum does not add up" for s in summaries if not s["adds_up"]]
    return "\n".join([shown, *notes, *unread])

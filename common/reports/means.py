"""The numbers of a report as a table: for each question and combination of factors n, mean, sd and interval, or shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from common.experiment.questions import Prose
from common.reports.facts import Facts, RunGroup
from common.reports.sums import FOLDED
from common.results.rows import blocks
from common.results.tables import csv_table

FRONT = (("experiment", str), ("question", str), ("name", str))
NUMBERS = (("n", int), ("mean", float), ("sd", float), ("ci_low", float), ("ci_high", float), ("answer", Prose), ("share", float))


def write_means(facts: Facts, path: Path) -> int:
    """Write the table as CSV; returns the number of its rows. Raises OSError."""
    factors = list(dict.fromkeys(name for part in facts.parts.values() for name in part.cube.names))
    taken = {name for name, _ in (*FRONT, *NUMBERS)}
    header = [*FRONT, *((f"factor_{name}" if name in taken else name, str) for name in factors), *NUMBERS, ("simulated", bool)]
    rehearsed = set(facts.simulated)
    rows = ((*row, not rehearsed.isdisjoint(part.runs)) for part in facts.parts.values() for row in _rows(part, factors))
    return csv_table(path, header, (list(zip(*block)) for block in blocks(rows)))


def _rows(part: RunGroup, factors: list[str]) -> Iterator[tuple]:
    for n, measure in enumerate(part.measures):
        for key, sums in part.cube.by(n, *part.cube.names).items():
            levels = dict(zip(part.cube.names, key))
            told = (levels.get(name, "").replace(FOLDED, "") for name in factors)
            front = part.experiment, measure.question.id, measure.question.name, *told
            if not sums.n:
                continue
            if not measure.numeric:
                yield from ((*front, sums.n, None, None, None, None, answer, count / sums.n) for answer, count in sums.counts.items())
                continue
            mean, half = measure.middle + sums.mean, sums.half
            ends = (None, None) if half is None else (mean - half, mean + half)
            yield *front, sums.n, mean, sums.sd, *ends, "", None

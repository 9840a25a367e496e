"""What came of a conversion, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common.results.tally import SHOWN, Tally
from common.text import one_line


class Done(NamedTuple):
    """What came of a job."""

    files: tuple[Path, ...]
    target: Path
    tally: Tally
    checked: bool
    error: str = ""  # why it was not converted, where others were


def lines(done: Done) -> Iterator[str]:
    """For people, untrusted text made harmless."""
    if done.error:
        yield one_line(f"not converted: {done.error}", 1000)
        return
    tally = done.tally
    bad, rows, answers = tally.bad, tally.rows, tally.answers
    more = "".join(f" and {file.name}" for file in done.files[1:])
    yield one_line(f"{done.files[0]}{more}: {rows} rows" + (f" → {done.target}" if rows else "; nothing written"), 1000)
    if rows:
        yield "  " + _counted(tally.outcomes) + (f"; answers: {_counted(answers)}" if answers else "")
    if rows and not done.checked:
        yield "  answers were not checked: name their experiment with --experiment PATH"
    if tally.simulated:
        yield f"  SIMULATED: {tally.simulated} rehearsal answers, not data"
    if bad:
        yield f"  {bad.total()} lines gave no row: {_counted(bad)}"
        for problem in tally.shown:
            yield "    " + one_line(f"{problem.file} line {problem.line}: {problem.kind}: {problem.why}")
        if bad.total() > SHOWN:
            yield f"    … and {bad.total() - SHOWN} more"


def _counted(counter: Counter) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def facts(done: Done) -> dict:
    """The same for --json."""
    tally = done.tally
    return {
        "files": [str(file) for file in done.files],
        "target": str(done.target) if tally.rows else None,
        "rows": tally.rows,
        "outcomes": dict(tally.outcomes),
        "validation": dict(tally.answers) if done.checked else None,
        "simulated": tally.simulated,
        "bad": dict(tally.bad),
        "problems": [problem._asdict() for problem in tally.shown],
        **({"error": done.error} if done.error else {}),
    }

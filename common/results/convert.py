"""Raw output files → text files, CSV, Parquet, JSONL: the one way through reader, recorder and writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from common.files import safe_name
from common.results.raw import Problem, read_raw
from common.results.rows import Census, Meta, Origin, Row, RowMaker, counted
from common.results.tables import write_csv, write_jsonl, write_parquet
from common.results.texts import write_texts

__all__ = [
    "Origin", "Meta", "Problem", "Row", "RowMaker", "Tally", "convert", "read_raw", "records", "safe_name",
    "write_csv", "write_jsonl", "write_parquet", "write_texts",
]  # fmt: skip

TABLES = {"csv": write_csv, "parquet": write_parquet, "jsonl": write_jsonl}
SHOWN = 20


@dataclass
class Tally:
    """What came of the lines: the rows, counted; the first bad lines, and all of them counted."""

    kinds: Census = field(default_factory=Census)
    bad: Counter = field(default_factory=Counter)
    shown: list[Problem] = field(default_factory=list)

    def reject(self, problem: Problem) -> None:
        """Count one bad line; keep the first few to show."""
        self.bad[problem.kind] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(problem)


def records(files: Iterable[Path], context: Origin, tally: Tally) -> Iterator[Row]:
    """The records of files that belong together (output and errors of one batch); what is none is counted.

    Raises OSError when a file cannot be read.
    """
    recorder, seen = RowMaker(context), set()
    for path in files:
        for _, item in read_raw(path, seen=seen):
            if isinstance(item, Problem):
                tally.reject(item)
            else:
                yield recorder(item)


def convert(files: Iterable[Path], form: str, target: Path, context: Origin) -> Tally:
    """Convert files of one batch to `form` ("text", "csv", "parquet" or "jsonl") at `target`, a folder for "text".

    Without a single row nothing is made. Raises OSError when something cannot be read or written, and
    ImportError when arro3 is not there for "parquet".
    """
    tally = Tally()
    rows = counted(records(files, context, tally), tally.kinds.add)
    first = next(rows, None)
    if first is None:
        return tally
    rows = chain((first,), rows)
    if form == "text":
        write_texts(rows, target, context.model)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        TABLES[form](rows, target, context.questions)
    return tally

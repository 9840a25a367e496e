"""Raw output files → text files, CSV, Parquet, JSONL: the one way through reader, row maker and writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from common.results.formats import FORMATS
from common.results.origin import Origin
from common.results.rows import Row, RowMaker
from common.results.tally import Tally, results_of


def file_rows(files: Iterable[Path], origin: Origin, tally: Tally) -> Iterator[Row]:
    """The rows of files that belong together (output and errors of one batch); rows and bad lines are counted.

    Raises OSError when a file cannot be read.
    """
    make = RowMaker(origin)
    return tally.counting(make(result, origin.batch_id, origin.attempts) for result in results_of(files, tally))


def convert(files: Iterable[Path], form: str, target: Path, origin: Origin) -> Tally:
    """Convert files of one batch to a form of FORMATS at `target`.

    Without a single row nothing is made. Raises OSError when something cannot be read or written, and
    ImportError when arro3 is not there for "parquet".
    """
    tally = Tally()
    rows = file_rows(files, origin, tally)
    first = next(rows, None)
    if first is None:
        return tally
    rows = chain((first,), rows)
    target.parent.mkdir(parents=True, exist_ok=True)
    FORMATS[form].load()(rows, target, origin)
    return tally

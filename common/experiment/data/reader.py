"""What every kind of data file answers: its columns, its rows, its digest; and how its bad rows are told in one message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from common.errors import InputError
from common.text import one_line

SHOWN = 20  # bad rows that one message names

DataRow = tuple[int, Sequence[str]]
Fail = Callable[[str, str], InputError]  # key of [data], what is wrong with it


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What [data] says about how its file is written; "" where it leaves that to the file."""

    delimiter: str = ""
    encoding: str = ""
    sheet: str = ""


class Reader:
    """Rows of a data file, read anew at each call, as (line or row as a person sees it, values in the order of `columns`)."""

    columns: tuple[str, ...]
    identity = ""  # how the file is read, where that is not the plain way: part of what is asked

    def rows(self) -> Iterator[DataRow]:
        raise TypeError("a reader of its own kind is needed")

    def numbered(self) -> Iterator[DataRow]:
        """The rows with a last column t1, t2, … for data that has no ids."""
        for n, (where, row) in enumerate(self.rows(), 1):
            yield where, (*row, f"t{n}")

    def digests(self) -> tuple[str, tuple[str, ...]]:
        """The digest of the content, and those that earlier versions gave the same file."""
        content = hashlib.sha256(orjson.dumps(self.columns))
        for _, row in self.rows():
            content.update(orjson.dumps(row))
        return content.hexdigest(), ()


def bad_rows(file: Path, unit: str, faults: Iterable[tuple[int, str]], count: int | None = None, hint: str = "") -> InputError:
    """All bad rows of a file (`count` where more were found than are given) in one line: the first twenty, and how many more."""
    faults = iter(faults)
    first = [f"{unit} {where}: {why}" for where, why in islice(faults, SHOWN)]
    more = sum(1 for _ in faults) if count is None else count - len(first)
    return InputError(f"{file}, {'; '.join(first)}{f'; and {more:,} more' if more else ''}{hint}")


def column_names(file: Path, where: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns, if each has one of its own. Raises InputError."""
    if not any(columns):
        raise InputError(f"{file}: is empty; expected a line with the names of the columns")
    if len(set(columns)) != len(columns) or not all(columns):
        twice = next((c for c in columns if columns.count(c) > 1 and c), "")
        which = f"{one_line(repr(twice), 60)} stands twice" if twice else f"column {columns.index('') + 1} has none"
        raise InputError(f"{file}, {where}: expected different, non-empty column names; {which}")
    return tuple(columns)

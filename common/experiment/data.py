"""Rows of a CSV or JSONL file as texts, read anew at each pass, so that a data set of any size takes no memory."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from common.errors import InputError

csv.field_size_limit(sys.maxsize >> 32)


class Reader:
    """Rows of a data file, read anew at each call, as (line number, values in the order of `columns`)."""

    columns: tuple[str, ...]

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        raise TypeError("a reader of its own kind is needed")

    def numbered(self) -> Iterator[tuple[int, Sequence[str]]]:
        """The rows with a last column t1, t2, … for data that has no ids."""
        for n, (where, row) in enumerate(self.rows(), 1):
            yield where, (*row, f"t{n}")


class CSV(Reader):
    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with open(file, encoding="utf-8-sig", newline="") as lines:
                self.columns = tuple(next(csv.reader(lines, strict=True), ()))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{file}: not a UTF-8 CSV file ({error})") from None
        if not self.columns:
            raise InputError(f"{file}: is empty; expected a line with the names of the columns")
        if len(set(self.columns)) != len(self.columns) or not all(self.columns):
            raise InputError(f"{file}, line 1: expected different, non-empty column names")

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        width = len(self.columns)
        with open(self._file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            next(reader, None)
            begin = reader.line_num + 1  # the line that the row at hand begins in: an open quote takes all that follow
            try:
                for row in reader:
                    begin = reader.line_num + 1
                    if len(row) != width:
                        if not row:
                            continue  # an empty line
                        raise InputError(f"{self._file}, line {reader.line_num}: {len(row)} cells; expected {width}")
                    yield reader.line_num, row
            except csv.Error as error:
                raise InputError(f"{self._file}, line {begin}: a quote is not closed, or text follows it ({error})") from None
            except UnicodeDecodeError as error:
                raise InputError(f"{self._file}, near line {reader.line_num}: {error}") from None


class JSONL(Reader):
    def __init__(self, file: Path) -> None:
        self._file = file
        first = next(self._objects(), None)
        if first is None:
            raise InputError(f"{file}: is empty; expected one JSON object a line")
        self.columns = tuple(first[1])

    def _objects(self) -> Iterator[tuple[int, dict]]:
        with open(self._file, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")  # as editors and PowerShell write it
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise InputError(f"{self._file}, line {number}: not valid JSON ({error})") from None
                if not isinstance(row, dict):
                    raise InputError(f"{self._file}, line {number}: expected a JSON object")
                yield number, row

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        for number, row in self._objects():
            try:
                values = [row[column] for column in self.columns]
            except KeyError as error:
                raise InputError(f"{self._file}, line {number}: no key {error}; the first line has it") from None
            yield number, ["" if v is None else v if isinstance(v, str) else orjson.dumps(v).decode() for v in values]


def digests(file: Path) -> tuple[str, str]:
    """The digest of a data file's rows, whatever ends its lines (git and spreadsheets change that), and of its bytes."""
    rows, whole, held = hashlib.sha256(), hashlib.sha256(), b""
    with open(file, "rb") as content:
        while block := content.read(1 << 20):
            whole.update(block)
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""  # its newline may be the first byte of the next block
            rows.update(block[: len(block) - len(held)].replace(b"\r\n", b"\n"))
    rows.update(held)
    return rows.hexdigest(), whole.hexdigest()

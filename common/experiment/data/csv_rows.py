"""Rows of a CSV or TSV file, read strictly: what a quote or a missing cell would shift is refused, with all its lines."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import islice

from common.errors import InputError
from common.experiment.data.reader import DataRow, Fail, Reader, bad_rows, column_names
from common.experiment.data.text_digest import of_file, of_text
from common.experiment.data.text_file import TextFile

csv.field_size_limit(sys.maxsize >> 32)

_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_RESCANS = 20  # broken quotes that swallow lines are looked behind this often, so that a broken file is not read for ever


class CSV(Reader):
    def __init__(self, text: TextFile, delimiter: str, fail: Fail) -> None:
        self._text = text
        if delimiter and (len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n'):
            raise fail("delimiter", f'is {delimiter!r}; expected one character: ",", ";" or "\\t"')
        headers = {mark: header for mark in ([delimiter] if delimiter else _DELIMITERS) if (header := self._header(mark))}
        if not headers:
            self._refuse_header(delimiter or ",")
        self._delimiter = self._chosen({mark: header[1] for mark, header in headers.items()})
        self._first, columns = headers[self._delimiter]
        if any("\0" in column for column in columns):
            raise InputError(f'{text.file}: looks like UTF-16 without its mark; say encoding = "utf-16-le" under [data]')
        self.columns = column_names(text.file, "line 1", columns)
        self.identity = "" if self._delimiter == "," else f" delimiter {self._delimiter}"

    def _header(self, delimiter: str) -> tuple[int, list[str]] | None:
        """The line where the rows begin, and the cells of the header; None where it does not keep to this delimiter."""
        with self._text.text() as lines:
            reader = csv.reader(lines, strict=True, delimiter=delimiter)
            try:
                cells = next(reader, [])
                return reader.line_num + 1, cells
            except csv.Error:
                return None

    def _refuse_header(self, delimiter: str) -> None:
        with self._text.text() as lines:
            try:
                next(csv.reader(lines, strict=True, delimiter=delimiter))
            except csv.Error as error:
                raise InputError(f"{self._text.file}, line 1: not a CSV file: {_why(error, 1, 1, '')}") from None

    def _chosen(self, headers: dict[str, list[str]]) -> str:
        """The delimiter that the header keeps to; of two that fit none is guessed."""
        fits = [mark for mark, cells in headers.items() if len(cells) > 1] or list(headers)[:1]
        if len(fits) > 1:
            names = " or ".join(_DELIMITERS[mark] for mark in fits)
            which = f'say which: delimiter = "{fits[0]}" under [data]'
            raise InputError(f"{self._text.file}, line 1: its columns may be parted by {names}; {which}")
        return fits[0]

    def rows(self) -> Iterator[DataRow]:
        width, begin = len(self.columns), self._first
        with self._text.text() as lines:
            reader = csv.reader(lines, strict=True, delimiter=self._delimiter)
            try:
                next(reader, None)
                for row in reader:
                    if len(row) != width and row:  # an empty line is no row
                        raise bad_rows(self._text.file, "line", self._faults())
                    if row:
                        yield begin, row
                    begin = reader.line_num + 1
            except csv.Error:
                raise bad_rows(self._text.file, "line", self._faults()) from None

    def digests(self) -> tuple[str, tuple[str, ...]]:
        if self._text.encoding == "utf-8-sig" and not self.identity:
            with self._text.raw() as content:
                return of_file(content)
        return of_text(self._text.blocks()), ()  # no earlier version could read it

    def _faults(self) -> Iterator[tuple[int, str]]:
        """Every line where a bad row begins, and what is wrong with it. Behind a broken quote, reading goes on in the next line."""
        start, rescans = self._first, 0
        while start:
            again = 0
            for begin, end, why in self._broken(start):
                yield begin, why
                if end > begin and rescans < _RESCANS:
                    again, rescans = begin + 1, rescans + 1
                    break
            start = again

    def _broken(self, start: int) -> Iterator[tuple[int, int, str]]:
        """Bad rows from a line on: where each begins, the last line that its open quote has taken, and what is wrong."""
        with self._text.text() as lines:
            kept = _KeptLine(islice(lines, start - 1, None))
            reader, begin = csv.reader(kept, strict=True, delimiter=self._delimiter), start
            while True:
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    end = start + reader.line_num - 1
                    yield begin, end, _why(error, begin, end, kept.last)
                else:
                    if row is None:
                        return
                    if row and len(row) != len(self.columns):
                        yield begin, begin, f"{len(row)} cells; expected {len(self.columns)}"
                begin = start + reader.line_num


class _KeptLine:
    """Lines, of which the last one can be looked at again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.last = lines, ""

    def __iter__(self) -> _KeptLine:
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        return self.last


def _why(error: csv.Error, begin: int, end: int, last: str) -> str:
    if "expected after" not in str(error):
        return "a quote is not closed" if "unexpected end" in str(error) else f"a quote is not closed, or {error}"
    if end > begin:
        return f"a quote is not closed before text follows one in line {end}"
    if '\\"' in last:
        return 'a quote is not closed where its cell ends: \\" is no quote inside a cell; write ""'
    return "a quote is not closed where its cell ends: text follows it"

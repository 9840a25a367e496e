"""Rows of a JSON Lines file: one object a line, with the columns of the first."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from common.errors import InputError
from common.experiment.data.reader import DataRow, Reader, bad_rows
from common.experiment.data.text_digest import of_file, of_text
from common.experiment.data.text_file import TextFile


class JSONL(Reader):
    def __init__(self, text: TextFile) -> None:
        self._text = text
        first = next(((n, line) for n, line in enumerate(text.lines(), 1) if line.strip()), None)
        if first is None:
            raise InputError(f"{text.file}: is empty; expected one JSON object a line")
        try:
            self.columns = tuple(_object(first[1]))
        except ValueError:
            self._refuse()

    def rows(self) -> Iterator[DataRow]:
        columns, dumps = self.columns, orjson.dumps
        for number, line in enumerate(self._text.lines(), 1):
            if line.isspace() or not line:
                continue
            try:
                row = _object(line)
                values = [row[column] for column in columns]
            except (ValueError, KeyError):
                self._refuse()
            yield number, ["" if v is None else v if isinstance(v, str) else dumps(v).decode() for v in values]

    def digests(self) -> tuple[str, tuple[str, ...]]:
        if self._text.encoding == "utf-8-sig":
            with self._text.raw() as content:
                return of_file(content)
        return of_text(self._text.blocks()), ()  # no earlier version could read it

    def _refuse(self) -> None:
        raise bad_rows(self._text.file, "line", self._faults())

    def _faults(self) -> Iterator[tuple[int, str]]:
        columns = getattr(self, "columns", ())
        for number, line in enumerate(self._text.lines(), 1):
            if not line.strip():
                continue
            try:
                row = _object(line)
            except orjson.JSONDecodeError as error:
                self._look_at_encoding(line)
                yield number, f"not valid JSON ({error})"
            except ValueError as error:
                yield number, str(error)
            else:
                columns = columns or tuple(row)
                missing = [column for column in columns if column not in row]
                if missing:
                    yield number, f"no key {missing[0]!r}; the first line has it"

    def _look_at_encoding(self, line: bytes) -> None:
        try:
            line.decode()
        except UnicodeDecodeError:
            self._text.complain()


def _object(line: bytes) -> dict:
    """A line's object. Raises ValueError (orjson's is one)."""
    row = orjson.loads(line)
    if not isinstance(row, dict):
        raise ValueError("expected a JSON object")
    return row

"""Rows of a sheet of an Excel file (.xlsx), by calamine: read once, then kept on the disk as text."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.data.cells import in_sheet
from common.experiment.data.reader import DataRow, Fail, Reader, bad_rows, column_names

_BLOCK = 1 << 20


class Sheet(Reader):
    def __init__(self, file: Path, sheet: str, fail: Fail) -> None:
        try:
            from python_calamine import CalamineError, load_workbook  # needed for sheets only
        except ImportError:
            raise InputError(f"{file}: Excel files need python-calamine; type: make setup") from None
        try:
            with load_workbook(file) as book:
                name = _chosen(book, sheet, file, fail)
                self._spool = tempfile.TemporaryFile()
                weakref.finalize(self, self._spool.close)
                self._keep(file, book.get_sheet_by_name(name), name)
        except (CalamineError, OSError) as error:
            raise InputError(f"{file}: cannot be read as an .xlsx file ({error})") from None

    def _keep(self, file: Path, sheet: object, name: str) -> None:
        """Spools the rows; blank ones are none. Raises InputError for cells that stand under no name."""
        first, bad = (sheet.start or (0, 0))[0] + 1, []
        rows = ((n, [in_sheet(cell) for cell in row]) for n, row in enumerate(sheet.iter_rows(), first))
        header = next(rows, (1, []))[1]
        while header and not header[-1]:
            header.pop()
        self.columns, width = column_names(file, f"sheet {name!r}, row {first}", header), len(header)
        for where, row in rows:
            if any(row[width:]):
                bad.append((where, f"a cell to the right of the last column that has a name ({header[-1]!r})"))
            elif any(row):
                self._spool.write(orjson.dumps((where, row[:width])) + b"\n")
        if bad:
            raise bad_rows(file, "row", bad)

    def rows(self) -> Iterator[DataRow]:
        at, rest = 0, b""
        while True:
            self._spool.seek(at)  # another pass may have moved it
            block = self._spool.read(_BLOCK)
            if not block:
                return
            at += len(block)
            *lines, rest = (rest + block).split(b"\n")
            yield from map(orjson.loads, lines)


def _chosen(book: object, sheet: str, file: Path, fail: Fail) -> str:
    """The sheet that is meant: the one that is said, or the only one that can be seen."""
    every = {meta.name: meta for meta in book.sheets_metadata if str(meta.typ).endswith("WorkSheet")}
    seen = [name for name, meta in every.items() if str(meta.visible).endswith(".Visible")] or list(every)
    if sheet and sheet not in every:
        raise fail("sheet", f"no sheet {sheet!r} in {file}; it has {', '.join(every)}")
    if not sheet and len(seen) != 1:
        raise fail("sheet", f"missing; {file} has {', '.join(seen) or 'no sheet'}; expected the name of one")
    return sheet or seen[0]

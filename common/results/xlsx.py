"""Columns of cells → a sheet that Excel opens, by XlsxWriter, row by row at flat memory; no cell of text is ever a formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from common.errors import InputError
from common.experiment.questions import Prose
from common.files import whole_file
from common.results.origin import Origin
from common.results.rows import Row
from common.results.tables import Blocks, Header, in_blocks
from common.text import without_controls

MOST_ROWS, MOST_COLUMNS, LONGEST = 1_048_576, 16_384, 32_767  # of a sheet; UTF-16 units of a cell
EXACT = 2**53  # a larger whole number would lose digits
CUT = " …[cut: Excel takes no longer cell]"


def write_xlsx(rows: Iterable[Row], path: Path, origin: Origin | None = None) -> int:
    """Write a sheet of rows and return their number. Raises OSError, and InputError for more than a sheet holds."""
    return xlsx_table(path, *in_blocks(rows, origin))


def xlsx_table(path: Path, header: Header, found: Blocks) -> int:
    """The same of any columns."""
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{path}: an Excel sheet holds {MOST_COLUMNS:,} columns, not {len(header):,}; take csv or parquet")
    # its own folder for scratch files: they go when it fails, and are on the disk where the table will be
    with whole_file(path) as file, TemporaryDirectory(prefix=".xlsx-", dir=path.parent) as scratch:
        book = Workbook(file, {"constant_memory": True, "tmpdir": scratch})
        sheet = book.add_worksheet("rows")
        with closing(sheet.row_data_fh):
            count = _fill(sheet, path, header, found)
            book.close()
    return count


def _fill(sheet: Worksheet, path: Path, header: Header, found: Blocks) -> int:
    sheet.freeze_panes(1, 0)
    writers = [_WRITERS[kind] for _, kind in header]
    for n, (name, _) in enumerate(header):
        sheet.write_string(0, n, _fit(name))
    count = 0
    for block in found:
        if count + len(block[0]) >= MOST_ROWS:
            raise InputError(f"{path}: an Excel sheet holds {MOST_ROWS - 1:,} rows, and there are more; take csv or parquet")
        for cells in zip(*block):
            count += 1
            for n, (write, cell) in enumerate(zip(writers, cells)):
                if cell is not None:
                    write(sheet, count, n, cell)
    return count


def _fit(text: str) -> str:
    """A text as a cell takes it; what is longer than any cell may be is cut, and says so."""
    text = without_controls(text.encode("utf-8", "replace")).decode()
    if len(text) <= LONGEST // 2:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * LONGEST:
        return text
    return units[: 2 * (LONGEST - len(CUT))].decode("utf-16-le", "ignore") + CUT


def _text(sheet: Worksheet, row: int, column: int, cell: str) -> None:
    if text := _fit(cell):
        sheet.write_string(row, column, text)


def _number(sheet: Worksheet, row: int, column: int, cell: float) -> None:
    sheet.write_number(row, column, cell)


def _whole(sheet: Worksheet, row: int, column: int, cell: int) -> None:
    if abs(cell) < EXACT:
        sheet.write_number(row, column, cell)
    else:
        sheet.write_string(row, column, str(cell))


def _bool(sheet: Worksheet, row: int, column: int, cell: bool) -> None:
    sheet.write_boolean(row, column, cell)


_WRITERS: dict[type, Callable[[Worksheet, int, int, object], None]] = {
    str: _text, Prose: _text, int: _whole, float: _number, bool: _bool,
}  # fmt: skip

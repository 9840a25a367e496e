"""Rows, or columns of cells → one tidy table as CSV or JSONL; streamed, at flat memory, there whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import orjson

from common.experiment.data.defused import defused, perhaps_formula
from common.experiment.questions import Prose
from common.files import whole_file
from common.results.origin import Origin
from common.results.rows import BLOCK, Row, blocks, by_column, columns
from common.text import without_controls


def _texts(cells: Sequence[str], prose: bool = False) -> Sequence[str]:
    """A column of text cells as CSV writes them, in quotes where they must be; prose always.

    A column is searched as one text, since the csv module, or any loop, would look at each character of each answer.
    """
    low, high = min(cells), max(cells)
    letters = low >= "A" and high < "\x7f" or low >= "\u3001" and high < "\ua000"  # Latin or Japanese: they begin no formula
    if not letters and any(map(perhaps_formula, {cell[:1] for cell in cells})):
        cells = [defused(cell) for cell in cells]
    text = "".join(cells)
    if '"' in text:
        cells = [cell.replace('"', '""') for cell in cells]
    if prose:
        return [f'"{cell}"' for cell in cells]
    return [f'"{cell}"' if _SPECIAL(cell) else cell for cell in cells] if _SPECIAL(text) else cells


def _prose(cells: Sequence[str | None]) -> Sequence[str]:
    try:
        return _texts(cells, prose=True)
    except TypeError:  # None has no order; to look for it first would cost each answer
        return _texts([cell or "" for cell in cells], prose=True)


_SPECIAL = re.compile('[",\n]').search
_FORMATS = {
    int: lambda cell: "" if cell is None else str(cell),
    float: lambda cell: "" if cell is None else format(cell + 0.0, ".15g"),  # -0 is 0, whichever of them came first
    bool: lambda cell: "" if cell is None else "true" if cell else "false",
    str: lambda cell: "" if cell is None else _texts((cell,))[0],
}
_SELDOM_THE_SAME = ("custom_id", "created", "error_message")


def _writer(name: str, kind: type) -> Callable[[Sequence], Iterable[str]]:
    """What makes the cells of a column: values → CSV."""
    prose = kind is Prose
    if prose:
        return _prose
    if name in _SELDOM_THE_SAME:
        return _texts
    one = lru_cache(1024)(_FORMATS[kind])

    def column(cells: Sequence) -> Iterable[str]:
        alike = cells.count(cells[0]) == len(cells)  # as in most columns
        return repeat(one(cells[0]), len(cells)) if alike else map(one, cells)

    return column


def _lines(rows: Iterable[str]) -> bytes:
    return without_controls("\n".join((*rows, "")).encode("utf-8", "replace"))


Header = Sequence[tuple[str, type]]
Block = Sequence[Sequence]  # of rows: the values of each column
Blocks = Iterable[Block]


def in_blocks(rows: Iterable[Row], origin: Origin | None, size: int = BLOCK) -> tuple[Header, Blocks]:
    """(name, type) of the columns that rows of an origin have, and their cells, `size` rows at a time."""
    questions = origin.questions if origin else ()
    return columns(questions, origin.kept if origin else ()), (by_column(block, questions) for block in blocks(rows, size))


def write_csv(rows: Iterable[Row], path: Path, origin: Origin | None = None) -> int:
    """Write a CSV that spreadsheets open (UTF-8 with BOM) and return its number of rows. Raises OSError."""
    return csv_table(path, *in_blocks(rows, origin))


def csv_table(path: Path, header: Header, found: Blocks) -> int:
    """The same of any columns."""
    lines, count = csv_lines(header), 0
    with whole_file(path) as file:
        file.write(csv_head(header))
        for block in found:
            file.write(lines(block))
            count += len(block[0])
    return count


def csv_head(header: Header) -> bytes:
    """The first line of such a CSV."""
    return _lines(["\ufeff" + ",".join(_texts([name for name, _ in header]))])


def csv_lines(header: Header) -> Callable[[Block], bytes]:
    """What makes its other lines; they do not depend on those before them."""
    writers = [_writer(*column) for column in header]
    return lambda block: _lines(map(",".join, zip(*(write(cells) for write, cells in zip(writers, block)))))


def write_jsonl(rows: Iterable[Row], path: Path, origin: Origin | None = None) -> int:
    """Write one JSON object per row, the same columns by name, and return their number. Raises OSError."""
    return jsonl_table(path, *in_blocks(rows, origin))


def jsonl_table(path: Path, header: Header, found: Blocks) -> int:
    """The same of any columns."""
    names = [name for name, _ in header]
    count = 0
    with whole_file(path) as file:
        for block in found:
            objects = (dict(zip(names, cells)) for cells in zip(*block))
            file.writelines(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in objects)
            count += len(block[0])
    return count

"""Records → one tidy table: CSV, JSONL or Parquet; streamed, at flat memory, there whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import repeat
from pathlib import Path

import orjson

from common.answers import Question
from common.jsonl import whole_file
from common.rows import Record, blocks, columns

ROW_GROUP = 2_000  # 5,000 take 50 MB more at the same speed
_CSV_BLOCK = 100  # columns of 100 answers still fit into the processor's cache
# What a spreadsheet may take for a formula, also behind blanks and characters that are removed below.
_BLANK = r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]"
_START = r"[=+\-@\t\r＝＋－＠]"
_FORMULA = re.compile(f"{_BLANK}*{_START}")
_PERHAPS_FORMULA = re.compile(f"{_BLANK}|{_START}").match
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
CONTROLS = bytes(c for c in (*range(32), 127) if c not in b"\n\t")  # NUL first
_C1 = re.compile(rb"\xc2[\x80-\x9f]")


def without_controls(data: bytes, which: bytes = CONTROLS) -> bytes:
    """UTF-8 text without control characters other than newline and tab."""
    data = data.translate(None, which)
    return _C1.sub(b"", data) if b"\xc2" in data else data


def defused(cell: str) -> str:
    """A text cell that no spreadsheet will run: an apostrophe before anything like a formula that is no number."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) or cell[:1] in ("\t", "\r"):
        return "'" + cell
    return cell


def _texts(cells: Sequence[str], prose: bool = False) -> list[bytes]:
    """A column of text cells as CSV writes them, in quotes where they must be; prose always.

    A column is searched as one text, since the csv module, or any loop, would look at each character of each answer.
    """
    low, high = min(cells), max(cells)
    letters = low >= "A" and high < "\x7f" or low >= "\u3001" and high < "\ua000"  # Latin or Japanese: they begin no formula
    if not letters and any(map(_PERHAPS_FORMULA, {cell[:1] for cell in cells})):
        cells = [defused(cell) for cell in cells]
    text = without_controls("\0".join(cells).encode("utf-8", "replace"), CONTROLS[1:]).replace(b'"', b'""')
    if prose:
        parts = (b'"%b"' % text.replace(b"\0", b'"\0"')).split(b"\0")
    else:
        parts = text.split(b"\0")
        if _SPECIAL(text):
            parts = [b'"%b"' % part if _SPECIAL(part) else part for part in parts]
    # a cell with a NUL of its own loses it, like all control characters
    return parts if len(parts) == len(cells) else _texts([cell.replace("\0", "") for cell in cells], prose)


_SPECIAL = re.compile(rb'[",\n]').search
_FORMATS = {
    int: lambda cell: b"" if cell is None else b"%d" % cell,
    float: lambda cell: b"" if cell is None else format(cell, ".15g").encode(),
    bool: lambda cell: b"true" if cell else b"false",
}
_SELDOM_THE_SAME = ("custom_id", "created", "error_message")


def _encoder(name: str, kind: type) -> Callable[[Sequence], Iterable[bytes]]:
    """What makes the cells of a column: values → CSV."""
    prose = name == "answer" or (name.endswith("_reason") and name != "finish_reason")
    if prose or name in _SELDOM_THE_SAME:
        return partial(_texts, prose=prose)
    one = lru_cache(1024)((lambda cell: _texts((cell,))[0]) if kind is str else _FORMATS[kind])

    def column(cells: Sequence) -> Iterable[bytes]:
        alike = cells.count(cells[0]) == len(cells)  # as in most columns
        return repeat(one(cells[0]), len(cells)) if alike else map(one, cells)

    return column


def write_csv(records: Iterable[Record], path: Path, questions: Sequence[Question] = ()) -> int:
    """Write a CSV that spreadsheets open (UTF-8 with BOM) and return its number of rows. Raises OSError."""
    header = columns(questions)
    encoders = [_encoder(*column) for column in header]
    count = 0
    with whole_file(path) as file:
        file.write(b"\xef\xbb\xbf%b\n" % b",".join(_texts([name for name, _ in header])))
        for block in blocks(records, _CSV_BLOCK, questions):
            *cells, last = [encode(cells) for encode, cells in zip(encoders, block)]
            file.writelines(map(b",".join, zip(*cells, [cell + b"\n" for cell in last])))
            count += len(block[0])
    return count


def write_jsonl(records: Iterable[Record], path: Path, questions: Sequence[Question] = ()) -> int:
    """Write one JSON object per row, the same columns by name, and return their number. Raises OSError."""
    names = [name for name, _ in columns(questions)]
    count = 0
    with whole_file(path) as file:
        for block in blocks(records, _CSV_BLOCK, questions):
            rows = (dict(zip(names, row)) for row in zip(*block))
            file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
            count += len(block[0])
    return count


def write_parquet(records: Iterable[Record], path: Path, questions: Sequence[Question] = ()) -> int:
    """Write a Parquet file in row groups of 2,000 and return its number of rows. Raises OSError, ImportError."""
    import pyarrow as pa  # late: it costs more to import than a small table costs to write
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns(questions)])
    count = 0
    with whole_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for block in blocks(records, ROW_GROUP, questions):
            arrays = [pa.array(cells, type=field.type) for cells, field in zip(block, schema)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROW_GROUP)
            count += len(block[0])
    return count

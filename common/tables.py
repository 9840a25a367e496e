"""Records → one tidy table: CSV, JSONL or Parquet; streamed, at flat memory, there whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import orjson

from common.answers import Question
from common.jsonl import whole_file
from common.rows import Record, blocks, columns

ROW_GROUP = 2_000  # 5,000 take 50 MB more at the same speed
_CSV_BLOCK = 500
# What a spreadsheet may take for a formula, also behind blanks and characters that are removed below.
_FORMULA = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
CONTROLS = bytes(c for c in (*range(32), 127) if c not in b"\n\t")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")


def without_controls(data: bytes) -> bytes:
    """UTF-8 text without control characters other than newline and tab."""
    data = data.translate(None, CONTROLS)
    return _C1.sub(b"", data) if b"\xc2" in data else data


def defused(cell: str) -> str:
    """A text cell that no spreadsheet will run: an apostrophe before anything like a formula that is no number."""
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) or cell[:1] in ("\t", "\r"):
        return "'" + cell
    return cell


def _quoted(cell: str) -> str:
    """A text cell as CSV writes it. By hand, because the csv module looks at each character of each answer."""
    if not ("A" <= cell < "\x7f" or "\u3040" <= cell < "\ua000"):  # a letter or a Japanese character begins no formula
        cell = defused(cell)
    if '"' in cell:
        return '"' + cell.replace('"', '""') + '"'
    return f'"{cell}"' if "," in cell or "\n" in cell or "\r" in cell else cell


def _number(cell: float | None) -> str:
    return "" if cell is None else str(cell)


_ENCODERS = {
    str: _quoted,
    int: _number,
    float: lambda cell: "" if cell is None else format(cell, ".15g"),
    bool: lambda cell: "true" if cell else "false",
}
_SELDOM_THE_SAME = ("_reason", "answer", "error_message", "custom_id", "created")


def write_csv(records: Iterable[Record], path: Path, questions: Sequence[Question] = ()) -> int:
    """Write a CSV that spreadsheets open (UTF-8 with BOM) and return its number of rows. Raises OSError."""
    header = columns(questions)
    encoders = [
        _ENCODERS[kind] if name.endswith(_SELDOM_THE_SAME) else lru_cache(1024)(_ENCODERS[kind]) for name, kind in header
    ]
    count = 0
    with whole_file(path) as file:
        file.write(b"\xef\xbb\xbf" + _lines([",".join(_quoted(name) for name, _ in header)]))
        for block in blocks(records, _CSV_BLOCK, len(questions)):
            file.write(_lines(",".join([encode(cell) for encode, cell in zip(encoders, row)]) for row in block))
            count += len(block)
    return count


def _lines(lines: Iterable[str]) -> bytes:
    return without_controls(("\n".join(lines) + "\n").encode("utf-8", "replace"))


def write_jsonl(records: Iterable[Record], path: Path, questions: Sequence[Question] = ()) -> int:
    """Write one JSON object per row, the same columns by name, and return their number. Raises OSError."""
    names = [name for name, _ in columns(questions)]
    count = 0
    with whole_file(path) as file:
        for block in blocks(records, _CSV_BLOCK, len(questions)):
            file.writelines(orjson.dumps(dict(zip(names, row)), option=orjson.OPT_APPEND_NEWLINE) for row in block)
            count += len(block)
    return count


def write_parquet(records: Iterable[Record], path: Path, questions: Sequence[Question] = ()) -> int:
    """Write a Parquet file in row groups of 2,000 and return its number of rows. Raises OSError, ImportError."""
    import pyarrow as pa  # late: it costs more to import than a small table costs to write
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns(questions)])
    count = 0
    with whole_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for block in blocks(records, ROW_GROUP, len(questions)):
            arrays = [pa.array(column, type=field.type) for column, field in zip(zip(*block), schema)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROW_GROUP)
            count += len(block)
    return count

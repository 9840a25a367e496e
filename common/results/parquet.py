"""Columns of cells → Parquet, by arro3: Arrow in a fifth of pyarrow's room on disk and half of it in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet as write_batches

from common.experiment.questions import Prose
from common.files import whole_file
from common.results.origin import Origin
from common.results.rows import Row
from common.results.tables import Blocks, Header, in_blocks

ROW_GROUP = 2_000  # of Parquet, in eight blocks, whose cells stay in the processor's cache
_TYPES = {str: DataType.utf8(), Prose: DataType.utf8(), int: DataType.int64(), float: DataType.float64(), bool: DataType.bool()}


def write_parquet(rows: Iterable[Row], path: Path, origin: Origin | None = None) -> int:
    """Write a Parquet file in row groups of 2,000 and return its number of rows. Raises OSError."""
    return parquet_table(path, *in_blocks(rows, origin, ROW_GROUP // 8))


def parquet_table(path: Path, header: Header, found: Blocks) -> int:
    """The same of any columns."""
    with whole_file(path) as file:
        return write_columns(file, header, found, ROW_GROUP)


def write_columns(file: BinaryIO, header: Header, blocks: Blocks, group: int) -> int:
    """Write blocks of rows, each the values of its columns, in row groups of `group` rows; returns the number of rows.

    Raises OSError, OverflowError for an int beyond 64 bits, UnicodeEncodeError for half a surrogate pair, and whatever
    `blocks` raises.
    """
    schema = Schema([Field(name, _TYPES[kind]) for name, kind in header])
    made = BytesIO()  # the engine panics when a disk is full: what it makes goes to the file from here
    count, raised = 0, []

    def batches() -> Iterator[RecordBatch]:
        nonlocal count
        try:
            for cells in blocks:
                _move(made, file)
                count += len(cells[0])
                arrays = [Array(values, field.type) for values, field in zip(cells, schema)]
                yield RecordBatch.from_arrays(arrays, schema=schema)
        except BaseException as error:
            raised.append(error)  # the engine would make a plain Exception of it
            raise

    try:
        write_batches(RecordBatchReader.from_batches(schema, batches()), made, compression="zstd(1)", max_row_group_size=group)
    except BaseException:
        if raised:
            raise raised[0] from None
        raise
    _move(made, file)
    return count


def _move(made: BytesIO, file: BinaryIO) -> None:
    file.write(made.getbuffer())
    made.seek(0)
    made.truncate()

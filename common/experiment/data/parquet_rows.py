"""Rows of a Parquet file, by arro3, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError
from common.experiment.data.cells import cell_text, single
from common.experiment.data.reader import DataRow, Reader, column_names
from common.text import one_line

_BATCH = 1_024  # rows
_MAGIC = b"PAR1"


class Parquet(Reader):
    def __init__(self, file: Path) -> None:
        self._file = file
        with _told(file):
            schema = self._opened().schema
        self.columns = column_names(file, "its schema", [field.name for field in schema])
        self._texts = [_text(str(field.type)) for field in schema]

    def _opened(self) -> object:
        from arro3.io import read_parquet  # slow to import, and needed for Parquet only

        _look(self._file)
        return read_parquet(self._file, batch_size=_BATCH)

    def rows(self) -> Iterator[DataRow]:
        before = 0
        for columns in self._batches():
            cells = [self._cells(name, text, values, before) for name, text, values in zip(self.columns, self._texts, columns)]
            yield from enumerate(zip(*cells), before + 1)
            before += len(columns[0])

    def _batches(self) -> Iterator[list[list]]:
        with _told(self._file):
            batches = self._opened()
        while True:
            with _told(self._file):
                batch = next(batches, None)
                columns = batch and [column.to_pylist() for column in batch.columns]
            if columns is None:
                return
            yield columns

    def _cells(self, name: str, text: Callable[[object], str], values: list, before: int) -> list[str]:
        try:
            return list(map(text, values))
        except UnicodeDecodeError:
            raise InputError(f"{self._file}, after row {before}: column {name!r} holds bytes that are no text") from None


def _look(file: Path) -> None:
    """Refuses what is no Parquet file before the engine sees it, which would print its own complaint first."""
    with open(file, "rb") as content:
        start, size = content.read(4), content.seek(0, 2)
        content.seek(max(size - 8, 0))
        end = content.read(8)
    if size < 12 or start != _MAGIC or end[4:] != _MAGIC or int.from_bytes(end[:4], "little") > size - 12:
        raise InputError(f"{file}: is not a whole Parquet file")


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """What the engine complains of, in one line; it raises plain Exceptions, and for some files it panics."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from None
    except ImportError:
        raise InputError(f"{file}: Parquet needs arro3-io; type: make setup") from None
    except BaseException as error:
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{file}: cannot be read as a Parquet file ({one_line(error, 200)})") from None


def _text(kind: str) -> Callable[[object], str]:
    return single if "Float32" in kind else cell_text

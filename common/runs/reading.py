"""A journal that is only looked at: where it cannot be opened, as on a read-only disk, a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from common.errors import InputError
from common.runs.journal import Journal

PARTS = ("journal.db", "journal.db-wal")


@contextmanager
def reading(results: Path) -> Iterator[Journal]:
    """The journal of a results folder, for a command that writes nothing. Raises InputError where it cannot be read."""
    with TemporaryDirectory() as scratch, closing(_opened(results, Path(scratch))) as journal:
        yield journal


def _opened(results: Path, scratch: Path) -> Journal:
    try:
        return Journal(results)
    except InputError as error:  # SQLite needs to write beside a journal, even to read it
        try:
            for name in PARTS:
                if (results / name).exists():
                    shutil.copyfile(results / name, scratch / name)
            return Journal(results, path=scratch / PARTS[0])
        except (OSError, InputError):
            raise error from None

"""Files that are there whole or not at all, and lines read from them without holding them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

BUFFER = 1 << 18  # bytes; so that many rows of a table are one write


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears under `path` only when its block ends without an error, synced to the disk.

    It is written as `<name>.part`, which is removed on an error. Raises OSError as the disk does.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb", buffering=BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make names that were just added to a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all."""
    with whole_file(path) as file:
        file.write(data)

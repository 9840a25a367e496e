"""Raw files packed in place: the same bytes in less room, known again by the digest with which they came."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from common.files import file_sha256, whole_file
from common.results.opened import BLOCK, is_packed

LEVEL = 6  # what is packed once is kept for years
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)


def raw_sha256(path: Path, noted: str) -> str:
    """The digest of a raw file, "" when it is not there; `noted` where the file is, or holds packed, what has that digest.

    Raises OSError as the disk does.
    """
    found = file_sha256(path)
    return noted if found != noted and found and unpacked_sha256(path) == noted else found


def unpacked_sha256(path: Path) -> str:
    """The digest of what a gzip file holds; "" where it is none, or broken. Raises OSError as the disk does."""
    if not is_packed(path):
        return ""
    try:
        with gzip.open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except _BROKEN:
        return ""


def unpacked_size(path: Path) -> int:
    """How many bytes a gzip file holds that is whole. Raises OSError as the disk does."""
    with gzip.open(path) as file:
        return file.seek(0, os.SEEK_END)


@contextmanager
def as_it_came(path: Path, noted: str) -> Iterator[BinaryIO]:
    """A raw file's bytes as the provider gave them, though it was packed since. Raises OSError as the disk does."""
    with open(path, "rb") if file_sha256(path) == noted or not is_packed(path) else gzip.open(path) as file:
        yield file


def pack(path: Path, noted: str) -> int:
    """Put a raw file in less room, in one step; returns the bytes that this frees, 0 where it would free none.

    The packed one is read back before it takes the other's place. Raises OSError as the disk does, and where the file is
    not what came: that one is left as it is.
    """
    before = path.stat().st_size
    if is_packed(path):
        return 0
    try:
        with whole_file(path) as target:
            _write(path, target)
            target.flush()
            part = Path(target.name)
            if unpacked_sha256(part) != noted:
                raise OSError(f"{path}: is not what came, or the disk gives back other bytes than were written; make audit looks closer")
            if (after := part.stat().st_size) >= before:
                raise _Larger
    except _Larger:
        return 0
    return before - after


class _Larger(Exception):
    """Packing would free nothing."""


def _write(path: Path, target: BinaryIO) -> None:
    with open(path, "rb") as source, gzip.GzipFile("", "wb", LEVEL, target, mtime=0) as packed:
        while block := source.read(BLOCK):
            packed.write(block)

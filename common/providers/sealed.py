"""A shard's file on its way to a host, hashed while it is read: what is checked is what is sent."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from common.errors import InputError
from common.nouns import Shard

BLOCK = 1 << 18  # bytes that are read and sent at a time


class Sealed:
    """A planned file, open for one sending. Its end is reached only when every byte was what was planned.

    Raises InputError where it ends, is missing, or is of another length: what was sent before then lacks its end, so
    that no host can take it for a whole request. Has what the SDKs want of a file: read, seek, tell and fileno.
    """

    def __init__(self, shard: Shard, block: int = BLOCK) -> None:
        self._path, self._sha256, self._left, self._block = shard.path, shard.sha256, shard.bytes, block
        try:
            self._file = open(shard.path, "rb", buffering=0)
        except FileNotFoundError:
            raise gone(shard.path) from None
        if os.fstat(self.fileno()).st_size != shard.bytes:
            self.close()
            raise changed(shard.path)
        self._size, self._digest = shard.bytes, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next block; b"" at the end. Raises InputError there, when the bytes were not those planned.

        `size` is not kept to: a form is read in pieces of 64 KiB, which take a third longer to send than ours.
        """
        block = self._file.read(min(self._block, self._left))
        self._left -= len(block)
        self._digest.update(block)
        if not block and (self._left or self._digest.hexdigest() != self._sha256):
            raise changed(self._path)
        return block

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        """Begin anew; a file that is hashed is read from its beginning or not at all."""
        at = self._file.seek(to, whence)
        self._left, self._digest = self._size - at, hashlib.sha256()
        return at

    def tell(self) -> int:
        """How many bytes were read."""
        return self._size - self._left

    def fileno(self) -> int:
        """The system's number of the open file."""
        return self._file.fileno()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Sealed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def gone(path: Path) -> InputError:
    """A planned file is no longer there."""
    return InputError(f"{path}: the shard is gone; plan anew with --run NAME")


def changed(path: Path) -> InputError:
    """A planned file is another one now."""
    return InputError(f"{path}: the shard was changed after planning; plan anew with --run NAME")

"""Finding repeated strings in a stream of any length, at flat memory."""

from __future__ import annotations

import heapq
import tempfile
from array import array
from collections.abc import Iterator

BLOCK = 100_000


class Repeats:
    """Collects the hashes of strings in sorted blocks, spilled to a temporary file; equal neighbours are repeats."""

    def __init__(self) -> None:
        self._hashes: list[int] = []
        self._file = None
        self._blocks = 0

    def add(self, text: str) -> None:
        """Note one string. 64-bit hashes: a false repeat is possible, so look again before you complain."""
        self._hashes.append(hash(text))
        if len(self._hashes) == BLOCK:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()
        self._hashes.sort()
        array("q", self._hashes).tofile(self._file)
        self._hashes.clear()
        self._blocks += 1

    def _block(self, n: int) -> Iterator[int]:
        step = 4096
        for start in range(0, BLOCK, step):
            part = array("q")
            self._file.seek((n * BLOCK + start) * part.itemsize)
            part.frombytes(self._file.read(min(step, BLOCK - start) * part.itemsize))
            yield from part

    def found(self, at_most: int = 20) -> set[int]:
        """The hashes that occurred more than once, the first few of them. The last call: it lets go of the file."""
        if self._file is not None:
            self._file.flush()
        last, repeats = None, set()
        for value in heapq.merge(sorted(self._hashes), *(self._block(n) for n in range(self._blocks))):
            if value == last and len(repeats) < at_most:
                repeats.add(value)
            last = value
        if self._file is not None:
            self._file.close()
        return repeats

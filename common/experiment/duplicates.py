"""Finding repeated strings in a stream of any length, at flat memory."""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

BLOCK = 100_000
PARTS = 64
_BOUNDS = [(n << 58) - (1 << 63) for n in range(1, PARTS)]  # that part the range of 64-bit numbers evenly


class Repeats:
    """Collects the hashes of strings; those of equal strings meet in the same part of the range of all hashes.

    Sorted blocks of them are spilled to a temporary file, from which a part of all blocks is read at a time.
    """

    def __init__(self) -> None:
        self._hashes: list[int] = []
        self._file = None
        self._cuts: list[list[int]] = []  # of each block on the disk: where its parts begin, and the end

    def add(self, texts: Iterable[str]) -> None:
        """Note some strings. 64-bit hashes: a false repeat is possible, so look again before you complain."""
        self._hashes += map(hash, texts)
        while len(self._hashes) >= BLOCK:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()
        block = array("q", sorted(self._hashes[:BLOCK]))
        block.tofile(self._file)
        self._cuts.append([0, *(bisect_left(block, bound) for bound in _BOUNDS), BLOCK])
        del self._hashes[:BLOCK]

    def _parts(self) -> Iterator[list[int]]:
        """All hashes, a sorted part of their range at a time."""
        self._hashes.sort()
        cuts = [0, *(bisect_left(self._hashes, bound) for bound in _BOUNDS), len(self._hashes)]
        for n in range(PARTS):
            part = array("q", self._hashes[cuts[n] : cuts[n + 1]])
            for block, starts in enumerate(self._cuts):
                self._file.seek((block * BLOCK + starts[n]) * part.itemsize)
                part.frombytes(self._file.read((starts[n + 1] - starts[n]) * part.itemsize))
            yield sorted(part)

    def found(self, at_most: int = 20) -> set[int]:
        """The hashes that occurred more than once, the first few of them. The last call: it lets go of the file."""
        repeats: set[int] = set()
        for part in self._parts():
            repeats.update(one for one, other in pairwise(part) if one == other)
        if self._file is not None:
            self._file.close()
        return set(sorted(repeats)[:at_most])

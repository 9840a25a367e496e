"""Beside each first shard, `shard-00001.answered`: for each answered request its identity and where its raw line is, sorted.

It is made when it is first looked for after the answers came, and made anew where shard or raw files are others.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import orjson

from common.experiment.marks import moved
from common.files import write_whole
from common.nouns import Run, Shard
from common.outcomes import SUCCEEDED, UNREADABLE
from common.results.origin import RunOrigin
from common.results.packed import raw_sha256
from common.results.raw import Decode, placed_results, raw_files_there
from common.runs.identity import requests

SUFFIX = ".answered"
# what was answered, and so paid: what was cut off or declined is not bought again unasked either
OUTCOMES = (SUCCEEDED, "truncated", "refused", "empty", UNREADABLE)
LOW = (1 << 64) - 1
PARTS = 16  # of the range of identities, of which one at a time is merged
WAITS = 0xFF  # in the place of an outcome: it is being asked
Columns = tuple[array, array, array, array]  # lower half, upper half, (file, outcome, which object of the line), offset
_VERSION = 3
_BOUNDS = [n << 60 for n in range(1, PARTS)]
_BLOCK = 1 << 20


@dataclass(eq=False)
class AnswersFile:
    """A raw file with answers."""

    path: Path
    sha256: str  # of the file as it came
    taken_from: str  # the run that asked for them first
    collected_at: float  # unix seconds

    @cached_property
    def is_sound(self) -> bool:
        """Whether it still is what came: edited answers are never taken over unseen."""
        try:
            return self.sha256 != "" and raw_sha256(self.path, self.sha256) == self.sha256
        except OSError:
            return False


class Waiting:
    """The requests of a shard that is being asked, sorted by identity."""

    def __init__(self, run: str, shard: Shard, origin: RunOrigin) -> None:
        self.sources = [run]
        found = sorted((identity & LOW, identity >> 64) for identity, _ in requests(shard, origin))
        self._low, self._high = (array("Q", column) for column in zip(*found))
        self._cuts = _cuts(self._low)

    def part(self, n: int) -> Columns:
        """The rows in a part of the range."""
        begin, end = self._cuts[n : n + 2]
        low = self._low[begin:end]
        return low, self._high[begin:end], array("Q", [WAITS << 8]) * len(low), array("Q", [0]) * len(low)


class Segment:
    """The answers to the requests of a first shard, sorted by identity; its file is made anew where it is not of today."""

    def __init__(self, run: Run, family: list[Shard], origin: RunOrigin, decode: Decode) -> None:
        made_of = [_VERSION, *([shard.sha256, shard.taken_from, *map(list, sorted(shard.files.items()))] for shard in family)]
        self._path = path = family[0].path.with_suffix(SUFFIX)
        about = _read(path, made_of) or _read(path, _write(path, run, family, origin, decode, made_of))
        if about is None:
            raise OSError(f"{path}: is not what was just written")
        folder = run.folder.parent / "batch_results"
        self.sources = [AnswersFile(folder / name, sha256, first or run.key, at) for name, sha256, first, at in about["files"]]
        self._cuts = about["cuts"]

    def part(self, n: int) -> Columns:
        """The rows in a part of the range. Raises OSError."""
        begin, end = self._cuts[n : n + 2]
        columns = (array("Q"), array("Q"), array("Q"), array("Q"))
        with open(self._path, "rb") as file:
            for which, column in enumerate(columns):
                file.seek(8 * (which * self._cuts[-1] + begin))
                column.fromfile(file, end - begin)
        return columns


def _cuts(low: Sequence[int]) -> list[int]:
    """Where the parts of the range begin in a sorted column, and its end."""
    return [0, *(bisect_left(low, bound) for bound in _BOUNDS), len(low)]


def _read(path: Path, made_of: list) -> dict | None:
    """What a segment's file says of itself, if it is whole and made of these."""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 8))
            length = min(int.from_bytes(file.read(8), "little"), end)
            file.seek(max(0, end - 8 - length))
            about = orjson.loads(file.read(length))
            size, digest = 32 * about["cuts"][-1], blake2b()
            if about["made_of"] != made_of or end - 8 - length != size:
                return None
            file.seek(0)
            for left in range(size, 0, -_BLOCK):
                digest.update(file.read(min(left, _BLOCK)))
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return about if digest.hexdigest() == about["digest"] else None


def _write(path: Path, run: Run, family: list[Shard], origin: RunOrigin, decode: Decode, made_of: list) -> list:
    """Note where the answer to each request of a family is, the newest of each; returns what that was made of. Raises OSError.

    A raw file that is not what came is left out, and noted, so that it is looked into once it was mended.
    """
    mark, made_of = family[0].mark, [*made_of]
    asked: dict[str, int] = {}
    for shard in reversed(family):  # what was asked again with a higher cap is what was asked first
        asked |= {moved(request_id, shard.mark, mark): identity for identity, request_id in requests(shard, origin)}
    files: list[tuple[str, str, str, float]] = []
    found: list[tuple[int, int, int, int]] = []
    for shard in reversed(family):
        for raw in raw_files_there(run, shard.batch_id) if shard.files else ():
            source = "" if run.imported else shard.taken_from  # which is called so where that run was made
            files.append((raw.name, shard.files.get(raw.name, ""), source, shard.collected_at))
            if not AnswersFile(raw, *files[-1][1:]).is_sound:
                made_of.append(raw.name)
                continue
            for place in placed_results(raw, decode):
                if place.nth < 256 and place.result.outcome in OUTCOMES:
                    identity = asked.pop(moved(place.result.custom_id, shard.mark, mark), None)
                    if identity is not None:
                        where = len(files) - 1 << 16 | OUTCOMES.index(place.result.outcome) << 8 | place.nth
                        found.append((identity & LOW, identity >> 64, where, place.offset))
    found.sort()
    columns = b"".join(array("Q", column).tobytes() for column in zip(*found))
    about = {"made_of": made_of, "files": files, "cuts": _cuts([row[0] for row in found]), "digest": blake2b(columns).hexdigest()}
    tail = orjson.dumps(about)
    write_whole(path, columns + tail + len(tail).to_bytes(8, "little"))
    return made_of

"""Which requests a results folder has answers to already, or is waiting for: found by what they ask, at flat memory.

Beside each first shard lies `shard-00001.answered`, made when it is first looked for after its answers came: for each answered
request its identity and where its raw line is, sorted. All of them are merged into arrays of 32 bytes a request, in which is
searched: a tenth of a dict, and no file stays open, however many runs there are.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import orjson

from common.errors import InputError
from common.experiment.marks import moved
from common.files import file_sha256, write_whole
from common.nouns import IN_FLIGHT, Run, Shard, State
from common.outcomes import SUCCEEDED, UNREADABLE
from common.results.origin import RunOrigin
from common.results.raw import Decode, existing, places
from common.runs.identity import requests
from common.runs.journal import Journal

SUFFIX = ".answered"
# what was answered, and so paid: what was cut off or declined is not bought again unasked either
_OUTCOMES = (SUCCEEDED, "truncated", "refused", "empty", UNREADABLE)
_VERSION = 3
_LOW = (1 << 64) - 1
_PARTS = 16  # of the range of identities, of which one at a time is merged
_BOUNDS = [n << 60 for n in range(1, _PARTS)]
_BLOCK = 1 << 20
_WAITS = 0xFF  # in the place of an outcome: it is being asked
Place = tuple[str, int, int]  # an answer's raw file, where its line begins, which object of the line
Columns = tuple[array, array, array, array]  # lower half, upper half, (file, outcome, which object of the line), offset


@dataclass(eq=False)
class Source:
    """A raw file with answers."""

    path: Path
    sha256: str  # of the file as it came
    taken_from: str  # the run that asked for them first
    collected_at: float  # unix seconds

    @cached_property
    def is_sound(self) -> bool:
        """Whether it still is what came: edited answers are never taken over unseen."""
        try:
            return self.sha256 != "" and file_sha256(self.path) == self.sha256
        except OSError:
            return False


class Answer(NamedTuple):
    """An answer that is there: its raw line begins at `offset` of a raw file, as that is read (unpacked, in UTF-8)."""

    source: Source
    offset: int
    nth: int  # of the objects in the line
    outcome: str

    @property
    def place(self) -> Place:
        return self.source.path.name, self.offset, self.nth


class Answered:
    """The answers of all runs at an address but one, and the requests that they wait for.

    `unread`: by run that could not be read, why. Answers that were copied from a run that is still there count once, as that
    run's.
    """

    def __init__(self, journal: Journal, run: Run, decode: Decode) -> None:
        self.unread: dict[str, str] = {}
        self._sources: list[Source | str] = []
        segments: list[_Segment | _Waiting] = []
        waiting: list[_Waiting] = []
        others = [other for other in journal.runs() if other.address == run.address and other.key != run.key and other.planned]
        self._present, self._records = {other.key for other in others}, {other.key for other in others if other.imported}
        self._batches: set[str] = set()  # an imported copy of a run has no answers of its own
        for other in others:
            try:
                shards = journal.shards(other)
                segments += self._answers(other, shards, decode)
                waiting += _waiting(other, shards)
            except (InputError, OSError, ValueError) as error:
                self.unread[other.key] = str(error)
        self._low, self._high, self._where, self._offset = self._merged([*segments, *waiting])
        self._used = bytearray(len(self._low))

    def __bool__(self) -> bool:
        return bool(self._low)

    def _answers(self, run: Run, shards: Sequence[Shard], decode: Decode) -> list[_Segment]:
        origin = RunOrigin(run)
        # an imported run calls its sources as they are called where it was made
        present = self._present & self._records if run.imported else self._present
        own = [shard for shard in shards if shard.taken_from not in present and shard.batch_id not in self._batches]
        self._batches |= {shard.batch_id for shard in own if shard.batch_id}
        families = (list(group) for _, group in groupby(sorted(own, key=lambda s: (s.root, s.n)), key=lambda s: s.root))
        return [_Segment(run, family, origin, decode) for family in families if any(shard.files for shard in family)]

    def _merged(self, segments: Sequence[_Segment | _Waiting]) -> Columns:
        """All rows in order; of equal ones those of the first segment first."""
        found = (array("Q"), array("Q"), array("Q"), array("Q"))
        firsts = []
        for segment in segments:
            firsts.append(len(self._sources) << 16)
            self._sources += segment.sources
        for n in range(_PARTS):
            part: list[tuple[int, int, int, int]] = []
            for segment, first in zip(segments, firsts):
                low, high, where, offset = segment.part(n)
                part += zip(low, high, (first + one for one in where), offset)
            part.sort()
            for column, values in zip(found, zip(*part)):
                column.extend(values)
        return found

    def find(self, identity: int, clean: bool = False) -> Answer | str | None:
        """The answer to a request, or the key of the run that waits for one; None where nobody has asked it.

        What was found once is not found again: two requests that ask the same are two, and each takes an answer of its own.
        With `clean`, only answers that are neither cut off nor declined.
        """
        for at in self._rows(identity):
            found = self._found(at)
            if isinstance(found, str) or ((found.outcome == SUCCEEDED or not clean) and found.source.is_sound):
                self._used[at] = 1
                return found
        return None

    def use(self, identity: int, places: Container[Place] | None) -> None:
        """The answer to a request that was taken before, from one of these places or it is not known whence, is not found again."""
        for at in self._rows(identity):
            found = self._found(at)
            if isinstance(found, Answer) and (places is None or found.place in places):
                self._used[at] = 1
                return

    def _rows(self, identity: int) -> Iterator[int]:
        """Where answers to a request stand that were not found yet."""
        low, high = identity & _LOW, identity >> 64
        at = bisect_left(self._low, low)
        while at < len(self._low) and self._low[at] == low:
            if not self._used[at] and self._high[at] == high:
                yield at
            at += 1

    def _found(self, at: int) -> Answer | str:
        where = self._where[at]
        source, outcome = self._sources[where >> 16], where >> 8 & 0xFF
        return source if outcome == _WAITS else Answer(source, self._offset[at], where & 0xFF, _OUTCOMES[outcome])


def _waiting(run: Run, shards: Sequence[Shard]) -> list[_Waiting]:
    """What a run is asking; nothing of a record."""
    flying = [shard for shard in shards if shard.state in (*IN_FLIGHT, State.OWED) and not run.imported]
    origin = RunOrigin(run) if flying else None
    return [_Waiting(run.key, shard, origin) for shard in flying]


class _Waiting:
    """The requests of a shard that is being asked, sorted by identity."""

    def __init__(self, run: str, shard: Shard, origin: RunOrigin) -> None:
        self.sources = [run]
        found = sorted((identity & _LOW, identity >> 64) for identity, _ in requests(shard, origin))
        self._low, self._high = (array("Q", column) for column in zip(*found))
        self._cuts = _cuts(self._low)

    def part(self, n: int) -> Columns:
        """The rows in a part of the range."""
        begin, end = self._cuts[n : n + 2]
        low = self._low[begin:end]
        return low, self._high[begin:end], array("Q", [_WAITS << 8]) * len(low), array("Q", [0]) * len(low)


class _Segment:
    """The answers to the requests of a first shard, sorted by identity; its file is made anew where it is not of today."""

    def __init__(self, run: Run, family: list[Shard], origin: RunOrigin, decode: Decode) -> None:
        made_of = [_VERSION, *([shard.sha256, shard.taken_from, *map(list, sorted(shard.files.items()))] for shard in family)]
        self._path = path = family[0].path.with_suffix(SUFFIX)
        about = _read(path, made_of) or _read(path, _write(path, run, family, origin, decode, made_of))
        if about is None:
            raise OSError(f"{path}: is not what was just written")
        folder = run.folder.parent / "batch_results"
        self.sources = [Source(folder / name, sha256, first or run.key, at) for name, sha256, first, at in about["files"]]
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
        for raw in existing(run, shard.batch_id) if shard.files else ():
            source = "" if run.imported else shard.taken_from  # which is called so where that run was made
            files.append((raw.name, shard.files.get(raw.name, ""), source, shard.collected_at))
            if not Source(raw, *files[-1][1:]).is_sound:
                made_of.append(raw.name)
                continue
            for place in places(raw, decode):
                if place.nth < 256 and place.result.outcome in _OUTCOMES:
                    identity = asked.pop(moved(place.result.custom_id, shard.mark, mark), None)
                    if identity is not None:
                        where = len(files) - 1 << 16 | _OUTCOMES.index(place.result.outcome) << 8 | place.nth
                        found.append((identity & _LOW, identity >> 64, where, place.offset))
    found.sort()
    columns = b"".join(array("Q", column).tobytes() for column in zip(*found))
    about = {"made_of": made_of, "files": files, "cuts": _cuts([row[0] for row in found]), "digest": blake2b(columns).hexdigest()}
    tail = orjson.dumps(about)
    write_whole(path, columns + tail + len(tail).to_bytes(8, "little"))
    return made_of

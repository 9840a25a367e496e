"""Which requests a results folder has answers to already, or is waiting for: found by what they ask, at flat memory.

Beside each first shard lies `shard-00001.answered`, made when it is first looked for after its answers came: for each answered
request its identity and where its raw line is, sorted. All of them are merged into arrays of 16 bytes a request, in which is
searched: a tenth of a dict, and quicker to fill and to ask than SQLite or DuckDB.
"""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Sequence
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
_VERSION = 2
_LOW, _AT = (1 << 64) - 1, (1 << 32) - 1
_PARTS = 64  # of the range of identities, of which one at a time is merged


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


class Answered:
    """The answers of all runs at an address but one, and the requests that they wait for.

    `unread`: by run that could not be read, why. Answers that were copied from a run that is still there count once, as that
    run's.
    """

    def __init__(self, journal: Journal, run: Run, decode: Decode) -> None:
        self.unread: dict[str, str] = {}
        self._segments: list[_Segment | _Waiting] = []
        waiting: list[_Waiting] = []
        others = [other for other in journal.runs() if other.address == run.address and other.key != run.key and other.planned]
        self._present, self._records = {other.key for other in others}, {other.key for other in others if other.imported}
        self._batches: set[str] = set()  # an imported copy of a run has no answers of its own
        for other in others:
            try:
                self._add(other, journal.shards(other), decode, waiting)
            except (InputError, OSError, ValueError) as error:
                self.unread[other.key] = str(error)
        self._segments += waiting
        self._low, self._place = _merged(self._segments)
        self._used = bytearray(len(self._low))

    def __bool__(self) -> bool:
        return bool(self._low)

    def _add(self, run: Run, shards: Sequence[Shard], decode: Decode, waiting: list[_Waiting]) -> None:
        origin = RunOrigin(run)
        if not run.imported:
            waiting += (_Waiting(run.key, shard, origin) for shard in shards if shard.state in (*IN_FLIGHT, State.OWED))
        # an imported run calls its sources as they are called where it was made
        present = self._present & self._records if run.imported else self._present
        own = [shard for shard in shards if shard.taken_from not in present and shard.batch_id not in self._batches]
        self._batches |= {shard.batch_id for shard in own if shard.batch_id}
        for _, group in groupby(sorted(own, key=lambda shard: (shard.root, shard.n)), key=lambda shard: shard.root):
            family = list(group)
            if any(shard.files for shard in family):
                self._segments.append(_Segment(run, family, origin, decode))

    def find(self, identity: int, clean: bool = False) -> Answer | str | None:
        """The answer to a request, or the key of the run that waits for one; None where nobody has asked it.

        What was found once is not found again: two requests that ask the same are two, and each takes an answer of its own.
        With `clean`, only answers that are neither cut off nor declined.
        """
        low, high = identity & _LOW, identity >> 64
        at = bisect_left(self._low, low)
        while at < len(self._low) and self._low[at] == low:
            segment, row = self._segments[self._place[at] >> 32], self._place[at] & _AT
            if not self._used[at] and segment.high[row] == high:
                answer = segment.answer(row)
                if isinstance(answer, str) or ((answer.outcome == SUCCEEDED or not clean) and answer.source.is_sound):
                    self._used[at] = 1
                    return answer
            at += 1
        return None


def _merged(segments: Sequence[_Segment | _Waiting]) -> tuple[array, array]:
    """The lower halves of all identities in order, and of each its segment and its row there; of equal ones the first segment's first."""
    lows, found = array("Q"), array("Q")
    ends = [0] * len(segments)
    for n in range(1, _PARTS + 1):
        part: list[tuple[int, int]] = []
        for which, segment in enumerate(segments):
            begin, ends[which] = ends[which], bisect_left(segment.low, n << 58, ends[which]) if n < _PARTS else len(segment.low)
            part += zip(segment.low[begin : ends[which]], range(which << 32 | begin, which << 32 | ends[which]))
        part.sort()
        for column, values in zip((lows, found), zip(*part)):
            column.extend(values)
    return lows, found


class _Waiting:
    """The requests of a shard that is being asked, sorted by identity."""

    def __init__(self, run: str, shard: Shard, origin: RunOrigin) -> None:
        self._run = run
        found = sorted((identity & _LOW, identity >> 64) for identity, _ in requests(shard, origin))
        self.low, self.high = (array("Q", column) for column in zip(*found))

    def answer(self, at: int) -> str:
        return self._run


class _Segment:
    """The answers to the requests of a first shard, sorted by identity; its file is made anew where it is not of today."""

    def __init__(self, run: Run, family: list[Shard], origin: RunOrigin, decode: Decode) -> None:
        self._run = run
        made_of = [_VERSION, *([shard.sha256, shard.taken_from, *map(list, sorted(shard.files.items()))] for shard in family)]
        path = family[0].path.with_suffix(SUFFIX)
        if not self._read(path, made_of) and not self._read(path, _write(path, run, family, origin, decode, made_of)):
            raise OSError(f"{path}: is not what was just written")

    def _read(self, path: Path, made_of: list) -> bool:
        """Take up a segment's file, if it is whole and made of these."""
        try:
            with open(path, "rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 8))
                length = min(int.from_bytes(file.read(8), "little"), end)
                file.seek(max(0, end - 8 - length))
                about = orjson.loads(file.read(length))
                if about["made_of"] != made_of or end - 8 - length != 32 * about["rows"]:
                    return False
                whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[: 32 * about["rows"]]
        except (OSError, ValueError, TypeError, LookupError):
            return False
        rows, columns = about["rows"], whole.cast("Q") if whole else array("Q")
        self.low, self.high, self._files, self._offsets = (columns[n * rows : (n + 1) * rows] for n in range(4))
        folder, key = self._run.folder.parent / "batch_results", self._run.key
        self._sources = [Source(folder / name, sha256, first or key, at) for name, sha256, first, at in about["files"]]
        return blake2b(whole).hexdigest() == about["digest"]

    def answer(self, at: int) -> Answer:
        where = self._files[at]
        return Answer(self._sources[where >> 16], self._offsets[at], where & 0xFF, _OUTCOMES[where >> 8 & 0xFF])


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
    columns = b"".join(array("Q", column).tobytes() for column in zip(*sorted(found)))
    about = {"made_of": made_of, "files": files, "rows": len(found), "digest": blake2b(columns).hexdigest()}
    tail = orjson.dumps(about)
    write_whole(path, columns + tail + len(tail).to_bytes(8, "little"))
    return made_of

"""Which requests a results folder has answers to already, or is waiting for: found by what they ask, at flat memory.

Beside each first shard lies `shard-00001.answered`, made when it is first looked for after its answers came: for each answered
request its identity and where its raw line is, sorted. All of them are merged into arrays of 24 bytes a request, in which is
searched: a tenth of a dict, and quicker to fill and to ask than SQLite or DuckDB.
"""

from __future__ import annotations

import heapq
import math
import mmap
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count, groupby, repeat
from pathlib import Path
from typing import NamedTuple

import orjson

from common.errors import InputError
from common.experiment.marks import moved
from common.files import write_whole
from common.nouns import IN_FLIGHT, TO_SUBMIT, Result, Run, Shard, State
from common.outcomes import SUCCEEDED, UNREADABLE
from common.results.origin import RunOrigin
from common.results.raw import Decode, existing, places
from common.runs.identity import requests
from common.runs.journal import Journal
from common.runs.lock import is_in_work

SUFFIX = ".answered"
_OUTCOMES = (SUCCEEDED, "truncated", "refused", "empty", UNREADABLE)
_VERSION = 1
_LOW = (1 << 64) - 1
WAITED = (*IN_FLIGHT, State.OWED)


class Answer(NamedTuple):
    """An answer that is there: its raw line begins at `offset` of a raw file, as that is read (unpacked, in UTF-8)."""

    taken_from: str  # the run that asked for it first
    path: Path
    sha256: str  # of the file as it came
    offset: int
    length: int
    nth: int  # of the objects in the line
    outcome: str


class Answered:
    """The answers of all runs at an address but one, and the requests that they wait for. Raises OSError as the disk does."""

    def __init__(self, journal: Journal, run: Run, decode: Decode) -> None:
        self._segments: list[_Segment] = []
        waiting: list[tuple[int, int, int]] = []
        self._runs: list[str] = []  # those that wait
        order = journal.plan_order()
        self._known, self._records = {*order}, {other.key for other in journal.runs() if other.imported}
        own = order.get(run.key, math.inf)
        for other in journal.runs():
            if other.address == run.address and other.key != run.key and other.planned:
                # of two at work at once, that which was planned later waits for what the other is about to send
                states = (*WAITED, *TO_SUBMIT) if order.get(other.key, math.inf) < own and is_in_work(other) else WAITED
                with suppress(InputError, OSError):  # what is wrong with another run is said where that is looked at
                    self._add(other, journal.shards(other), decode, waiting, states)
        self._low, self._high, self._place = array("Q"), array("Q"), array("Q")
        answers = (zip(segment.low, repeat(n), count()) for n, segment in enumerate(self._segments))
        for low, n, at in heapq.merge(*answers, ((low, -1 - n, high) for low, high, n in sorted(waiting))):
            self._low.append(low)
            self._high.append(at if n < 0 else self._segments[n].high[at])
            self._place.append((-1 - n) << 1 | 1 if n < 0 else (n << 32 | at) << 1)
        self._given = bytearray(len(self._low))

    def __bool__(self) -> bool:
        return bool(self._low)

    def _add(
        self, run: Run, shards: Sequence[Shard], decode: Decode, waiting: list[tuple[int, int, int]], states: Sequence[State]
    ) -> None:  # fmt: skip
        origin = RunOrigin(run)
        for _, group in groupby(sorted(shards, key=lambda shard: (shard.root, shard.n)), key=lambda shard: shard.root):
            family = list(group)
            if family[0].taken_from in (self._records if run.imported else self._known):  # a copy of what is counted where it came from
                family[0] = replace(family[0], files={})
            if any(shard.files for shard in family):
                self._segments.append(_Segment(run, family, origin, decode))
        for shard in shards:
            if shard.state in states and not run.imported:
                self._runs += [] if self._runs[-1:] == [run.key] else [run.key]
                waiting += ((one & _LOW, one >> 64, len(self._runs) - 1) for one, _, _ in requests(shard, origin))

    def take(self, identity: int) -> Answer | str | None:
        """An answer to a request, or the key of a run that waits for one; None where nobody has asked it.

        Each is given once: a study that asks the same several times has several answers, or they would be one and no sample.
        """
        waits = -1
        for at in self._left(identity):
            if not self._place[at] & 1:
                self._given[at] = 1
                return self._segments[self._place[at] >> 33].answer(self._place[at] >> 1 & 0xFFFFFFFF)
            waits = at
        if waits < 0:
            return None
        self._given[waits] = 1
        return self._runs[self._place[waits] >> 1]

    def spend(self, identity: int, taken_from: str) -> None:
        """Count an answer of a run as given: it was taken over before."""
        for at in self._left(identity):
            if not self._place[at] & 1 and self._segments[self._place[at] >> 33].taken_from == taken_from:
                self._given[at] = 1
                return

    def _left(self, identity: int) -> Iterator[int]:
        """Where answers to a request are that were not given yet, and those who wait for one."""
        low, high = identity & _LOW, identity >> 64
        at = bisect_left(self._low, low)
        while at < len(self._low) and self._low[at] == low:
            if self._high[at] == high and not self._given[at]:
                yield at
            at += 1


class _Segment:
    """The answers to the requests of a first shard, sorted by identity; its file is made anew where it is not of today."""

    def __init__(self, run: Run, family: list[Shard], origin: RunOrigin, decode: Decode) -> None:
        self._folder = run.folder.parent / "batch_results"
        # an imported run calls its sources as they are called elsewhere
        self.taken_from = (not run.imported and family[0].files and family[0].taken_from) or run.key
        path = family[0].path.with_suffix(SUFFIX)
        made_of = [_VERSION, family[0].sha256, *([*sorted(shard.files.items())] for shard in family)]
        self._header = _header(path)
        if self._header.get("made_of") != orjson.loads(orjson.dumps(made_of)):
            _write(path, run, family, origin, decode, made_of)
            self._header = _header(path)
        rows = self._header["rows"]
        with open(path, "rb") as file:
            columns = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[: 32 * rows].cast("Q")
        self.low, self.high, self._files, self._offsets = (columns[n * rows : (n + 1) * rows] for n in range(4))

    def answer(self, at: int) -> Answer:
        where = self._files[at]
        name, sha256 = self._header["files"][where >> 48]
        outcome = _OUTCOMES[where >> 40 & 0xFF]
        return Answer(self.taken_from, self._folder / name, sha256, self._offsets[at], where & 0xFFFFFFFF, where >> 32 & 0xFF, outcome)


def _header(path: Path) -> dict:
    """What stands at the end of a segment's file; nothing where it is none."""
    try:
        raw = path.read_bytes()[-(1 << 20) :]
        found = orjson.loads(raw[-8 - int.from_bytes(raw[-8:], "little") : -8])
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _write(path: Path, run: Run, family: list[Shard], origin: RunOrigin, decode: Decode, made_of: list) -> None:
    """Note where the answer to each request of a family is, the newest of each. Raises OSError."""
    first = family[0]
    asked = {request_id: identity for identity, request_id, _ in requests(first, origin)}
    files: list[tuple[str, str]] = []
    found: list[tuple[int, int, int, int]] = []
    for shard in reversed(family):
        for raw in existing(run, shard.batch_id) if shard.files else ():
            files.append((raw.name, shard.files.get(raw.name, "")))
            for place in places(raw, decode):
                if place.nth < 256 and is_answer(place.result):
                    identity = asked.pop(moved(place.result.custom_id, shard.mark, first.mark), None)
                    if identity is not None:
                        where = len(files) - 1 << 48 | _OUTCOMES.index(place.result.outcome) << 40 | place.nth << 32 | place.length
                        found.append((identity & _LOW, identity >> 64, where, place.offset))
    tail = orjson.dumps({"made_of": made_of, "files": files, "rows": len(found)})
    columns = b"".join(array("Q", column).tobytes() for column in zip(*sorted(found)))
    write_whole(path, columns + tail + len(tail).to_bytes(8, "little"))


def is_answer(result: Result) -> bool:
    """Whether a request was answered, and so paid: what was cut off or declined is not bought again unasked either."""
    return result.outcome in _OUTCOMES

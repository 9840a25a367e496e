"""Which requests a results folder has answers to already, or is waiting for: found by what they ask, at flat memory.

All segments at an address are merged into arrays of 32 bytes a request, in which is searched: a tenth of a dict, and no file
stays open, however many runs there are.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Container, Sequence
from itertools import groupby
from typing import NamedTuple

from common.errors import InputError
from common.nouns import IN_FLIGHT, Run, Shard, State
from common.results.origin import RunOrigin
from common.results.raw import Decode
from common.runs.journal import Journal
from common.runs.segments import LOW, OUTCOMES, PARTS, WAITS, AnswersFile, Columns, Segment, Waiting

RawPlace = tuple[str, int, int]  # an answer's raw file, where its line begins, which object of the line


class Answer(NamedTuple):
    """An answer that is there: its raw line begins at `offset` of a raw file, as that is read (unpacked, in UTF-8)."""

    source: AnswersFile
    offset: int
    nth: int  # of the objects in the line
    outcome: str

    @property
    def place(self) -> RawPlace:
        return self.source.path.name, self.offset, self.nth


class Answered:
    """The answers of all runs at an address but one, and the requests that they wait for.

    `unread`: by run that could not be read, why. Answers that were copied from a run that is still there count once, as that
    run's: the one that looks does not get its own back for another request.
    """

    def __init__(self, journal: Journal, run: Run, decode: Decode) -> None:
        self.unread: dict[str, str] = {}
        self._sources: list[AnswersFile | str] = []
        segments: list[Segment | Waiting] = []
        waiting: list[Waiting] = []
        # one local service rehearses all hosts: what is answered for one of them is no other's answer
        others = [other for other in journal.runs() if other.address == run.address and other.key != run.key and other.planned]
        others = [other for other in others if not run.local or other.host == run.host]
        self._made = {one.key: one.created_at for one in (run, *others)}
        self._records = {other.key for other in others if other.imported}
        # an imported copy of a run has no answers of its own
        self._batches = {shard.batch_id for shard in journal.shards(run) if shard.batch_id}
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

    def _answers(self, run: Run, shards: Sequence[Shard], decode: Decode) -> list[Segment]:
        origin = RunOrigin(run)
        own = [shard for shard in shards if not self._is_copy(run, shard) and shard.batch_id not in self._batches]
        self._batches |= {shard.batch_id for shard in own if shard.batch_id}
        families = (list(group) for _, group in groupby(sorted(own, key=lambda s: (s.root, s.n)), key=lambda s: s.root))
        return [Segment(run, family, origin, decode) for family in families if any(shard.files for shard in family)]

    def _is_copy(self, run: Run, shard: Shard) -> bool:
        """Whether a run has a shard's answers from one that is still there, and not only another that has its name now."""
        if run.imported and shard.taken_from not in self._records:
            return False  # it calls its sources as they are called where it was made
        return shard.collected_at >= self._made.get(shard.taken_from, math.inf)

    def _merged(self, segments: Sequence[Segment | Waiting]) -> Columns:
        """All rows in order; of equal ones those of the first segment first."""
        found = (array("Q"), array("Q"), array("Q"), array("Q"))
        firsts = []
        for segment in segments:
            firsts.append(len(self._sources) << 16)
            self._sources += segment.sources
        for n in range(PARTS):
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
            where = self._where[at]
            source, outcome = self._sources[where >> 16], where >> 8 & 0xFF
            if outcome == WAITS or ((outcome == 0 or not clean) and source.is_sound):
                self._used[at] = 1
                return source if outcome == WAITS else Answer(source, self._offset[at], where & 0xFF, OUTCOMES[outcome])
        return None

    def use(self, identity: int, places: Container[RawPlace] | None) -> None:
        """The answer to a request that was taken before, from one of these places or it is not known whence, is not found again."""
        for at in self._rows(identity):
            source = self._sources[(where := self._where[at]) >> 16]
            if isinstance(source, AnswersFile) and (places is None or (source.path.name, self._offset[at], where & 0xFF) in places):
                self._used[at] = 1
                return

    def _rows(self, identity: int) -> Sequence[int]:
        """Where answers to a request stand that were not found yet."""
        low, high = identity & LOW, identity >> 64
        column, found = self._low, []
        at, end = bisect_left(column, low), len(column)
        while at < end and column[at] == low:
            if not self._used[at] and self._high[at] == high:
                found.append(at)
            at += 1
        return found


def _waiting(run: Run, shards: Sequence[Shard]) -> list[Waiting]:
    """What a run is asking; nothing of a record."""
    flying = [shard for shard in shards if shard.state in (*IN_FLIGHT, State.OWED) and not run.imported]
    origin = RunOrigin(run) if flying else None
    return [Waiting(run.key, shard, origin) for shard in flying]

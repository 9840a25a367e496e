"""The pace of an account's calls, kept together by all processes of a results folder.

What they share is a small file with a lock that dies with its process. It need not survive anything: where it cannot be had,
or makes no sense, a process keeps its own pace. Moments are the machine's steady clock, which no setting of the wall's moves.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from common.errors import Busy
from common.retry import Clock

COUNTED = 62  # seconds that a call counts: a minute, one because whole seconds are counted, one for calls that arrive late
FEW = 10  # where less than one in so many calls is left, those left are spread over the time until there are more
LONGEST_RESET = 60.0  # seconds that what a host says of calls left is believed: rates are by the minute
LONGEST_HOLD = 3600.0  # seconds that one refused call can hold back all others; then one of them asks again
LONGEST_SLEEP = 60.0  # seconds; a longer hold is the caller's to wait for, who can tell people
LOCK_TRIES, LOCK_PAUSE = 200, 0.005  # a process that was stopped with the lock in hand must not stop the others
FORM = struct.Struct(f"<7q{COUNTED}I")
MICRO = 1e6
MOST = 1 << 31  # calls that a sound file can have counted

Named = Callable[[], Path]  # names the file that is shared


class RateHeaders(NamedTuple):
    """What an answer's headers say of the account's rate."""

    limit: int | None  # calls per minute; None: not named
    left: int  # calls that may be made …
    reset: float  # … until so many seconds from the answer on


@dataclass
class _RateState:
    """What is shared: moments in seconds, and how many calls began in each of the last seconds."""

    last: float = 0.0  # when the newest call began
    calls: int = 0  # ever
    hold: float = 0.0  # nothing is sent before
    limit: int = 0  # of which those are left; 0: not named
    left: int = 0  # calls that may be made …
    reset: float = 0.0  # … until then
    second: int = 0  # the newest of those counted
    counts: list[int] = field(default_factory=lambda: [0] * COUNTED)  # by second modulo COUNTED

    @classmethod
    def of(cls, data: bytes, now: float) -> _RateState | None:
        """What a file holds; None for what is garbled, or comes from before the machine was started."""
        if len(data) != FORM.size:
            return None
        last, calls, hold, limit, left, reset, second, *counts = FORM.unpack(data)
        found = cls(last / MICRO, calls, hold / MICRO, limit, left, reset / MICRO, second, counts)
        latest = max(found.last, second, found.hold - LONGEST_HOLD, found.reset - LONGEST_RESET)
        is_sound = min(last, calls, hold, limit, left, reset, second) >= 0 and calls < MOST and max(counts) < MOST
        return found if is_sound and latest <= now + 0.001 else None

    def packed(self) -> bytes:
        moments = [int(moment * MICRO) for moment in (self.last, self.hold, self.reset)]
        return FORM.pack(moments[0], self.calls, moments[1], self.limit, self.left, moments[2], self.second, *self.counts)

    def free_at(self, now: float, per_minute: int | None) -> float:
        """The moment from which one more call may be made."""
        self._forget(now)
        return max(self.hold, self._by_count(per_minute), self._by_left(now))

    def _forget(self, now: float) -> None:
        for second in range(max(self.second, int(now) - COUNTED) + 1, int(now) + 1):
            self.counts[second % COUNTED] = 0
        self.second = int(now)

    def _by_count(self, limit: int | None) -> float:
        if not limit or (counted := sum(self.counts)) < limit:
            return 0.0
        for second in range(self.second - COUNTED + 1, self.second + 1):
            counted -= self.counts[second % COUNTED]
            if counted < limit:
                return float(second + COUNTED)
        raise AssertionError(f"{counted} calls are counted in no second")

    def _by_left(self, now: float) -> float:
        if now >= self.reset or self.left > max(1, self.limit // FEW):
            return 0.0
        return self.last + (self.reset - self.last) / (self.left + 1)

    def begin(self, now: float) -> int:
        """Count a call that begins now; its number."""
        self.counts[self.second % COUNTED] += 1
        self.last, self.calls, self.left = now, self.calls + 1, max(0, self.left - 1)
        return self.calls


class Rates:
    """One account's calls in this process, at the common pace. `file` names what is shared, asked for at the first call.

    `per_minute`: calls in any minute that are known to be allowed; None: only what the host's answers say counts.
    """

    def __init__(self, per_minute: int | None, file: Named | None = None, clock: Clock | None = None) -> None:
        self._per_minute, self._file, self._clock = per_minute, file, clock or Clock()
        self._handle: int | None = None
        self._own = b""  # the state as this process saw it last
        self._number = 0  # of the newest call of this process

    def wait(self) -> None:
        """Wait until one more call keeps the pace, and count it. Raises Busy where the host wants a long wait."""
        while (left := self._begin()) > 0:
            self._clock.sleep(left)

    def _begin(self) -> float:
        with self._shared() as (state, now):
            free = state.free_at(now, self._per_minute)
            if free > now:
                if (held := state.hold - now) > LONGEST_SLEEP:
                    raise Busy(f"the host has asked for a pause, which every command of this results folder keeps: {held:.0f} s more", held)
                return free - now
            self._number = state.begin(now)
            return 0.0

    def heard(self, said: RateHeaders) -> None:
        """Take in what an answer to the newest call says. Calls that began after it are not in its figures."""
        with self._shared() as (state, now):
            state.limit = said.limit or 0
            state.left = max(0, said.left - (state.calls - self._number))
            state.reset = now + min(max(0.0, said.reset), LONGEST_RESET)

    def hold(self, seconds: float) -> None:
        """Send nothing for so long, from whatever process: the host has refused a call with this wish."""
        with self._shared() as (state, now):
            state.hold = max(state.hold, now + min(seconds, LONGEST_HOLD))

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = self._file = None

    # ---- the file

    @contextmanager
    def _shared(self) -> Iterator[tuple[_RateState, float]]:
        """The state as of now, under the lock, and written back."""
        handle = self._locked()
        try:
            now = self._clock.steady()
            state = _RateState.of(_read(handle), now) or _RateState.of(self._own, now) or _RateState()
            yield state, now
            self._own = state.packed()
            _write(handle, self._own)
        finally:
            if handle is not None:
                fcntl.flock(handle, fcntl.LOCK_UN)

    def _locked(self) -> int | None:
        """The file, locked; None where that is not to be had."""
        try:
            if self._handle is None and self._file is not None:
                self._handle = _opened(self._file())
        except OSError:
            self._file = None
        for _ in range(LOCK_TRIES if self._handle is not None else 0):
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._handle
            except BlockingIOError:
                time.sleep(LOCK_PAUSE)
            except OSError:  # a file system without locks
                break
        return None


def _opened(path: Path) -> int:
    path.parent.mkdir(exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _read(handle: int | None) -> bytes:
    with suppress(OSError):
        return os.pread(handle, FORM.size + 1, 0) if handle is not None else b""
    return b""


def _write(handle: int | None, data: bytes) -> None:
    with suppress(OSError):  # a full disk: this process knows
        if handle is not None:
            os.pwrite(handle, data, 0)

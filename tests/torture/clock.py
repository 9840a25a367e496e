"""A wall clock that jumps: what a suspended machine or a time server does to a process."""

from __future__ import annotations

import time


def jump(after: int, seconds: float) -> None:
    """From the given reading on, this process's wall clock is off by so many seconds. The steady clock stays."""
    from common import retry
    from common.runs import journal

    real, readings = time.time, 0

    def wall() -> float:
        nonlocal readings
        readings += 1
        return real() + (seconds if readings > after else 0.0)

    time.time = wall
    # the clock and the journal were given the real one as a default when they were defined
    retry.Clock.__init__.__defaults__ = (wall, *retry.Clock.__init__.__defaults__[1:])
    journal.Journal.__init__.__defaults__ = (wall, *journal.Journal.__init__.__defaults__[1:])

"""A wall clock that jumps: what a suspended machine or a time server does to a process."""

from __future__ import annotations

import time


def jump(after: int, seconds: float) -> None:
    """From the given reading on, this process's wall clock is off by so many seconds. The steady clock stays."""
    from common.runs.journal import Journal
    from common.runs.lifecycle import Lifecycle

    real, readings = time.time, 0

    def wall() -> float:
        nonlocal readings
        readings += 1
        return real() + (seconds if readings > after else 0.0)

    time.time = wall
    # both were given the real one as a default argument when they were defined
    Lifecycle.__init__.__kwdefaults__["clock"] = wall
    Journal.__init__.__defaults__ = (wall,)

"""Owns simulated time: how old a batch is, and waiting for a moment of its life."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """Real time, a speed for the life of batches, and jumps that a tester asked for.

    A batch ages `speed` simulated seconds per real second. Dates of creation and the keeping of files
    follow the calendar (plus jumps), so that a fast service does not lose its files within minutes.
    """

    def __init__(self, speed: float, jumped: float = 0.0):
        self.speed, self.jumped = speed, jumped
        self._moved = asyncio.Event()

    def now(self) -> float:
        """Seconds since 1970, with all jumps: what objects carry as their date of creation."""
        return time.time() + self.jumped

    def age(self, created_real: float, jumped_then: float) -> float:
        """Simulated seconds since a batch was made."""
        return max(0.0, time.time() - created_real) * self.speed + self.jumped - jumped_then

    def jump(self, seconds: float) -> None:
        """Let simulated time pass at once and wake everybody who waits for it."""
        self.jumped += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def pause(self, simulated: float, wake: asyncio.Event | None = None) -> None:
        """Sleep for simulated seconds, but no longer than until a jump or `wake`."""
        tasks = [asyncio.ensure_future(event.wait()) for event in (self._moved, wake) if event is not None]
        try:
            await asyncio.wait(tasks, timeout=max(0.0, simulated) / self.speed, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

"""Owns how many questions are in the air at once: more while all goes well, fewer when the endpoint complains, none while it says so."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

FIRST = 8  # questions at once to begin with
LESS = 0.7
KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


class Pace:
    """A number of slots that adapts, never above `most`.

    Each answer adds one until the first complaint, and after that one for each round of answers (additive increase); a complaint
    takes three tenths away (multiplicative decrease), once for all that was in the air together.
    """

    def __init__(self, most: int, longest_wait: float):
        self.most, self.longest_wait = most, longest_wait
        self.limit, self.out, self.peak = float(min(FIRST, most)), 0, 0
        self._complained, self._until, self._settled = 0.0, 0.0, False
        self._turn, self._free = asyncio.Lock(), asyncio.Event()

    async def enter(self) -> float:
        """Wait for a slot, in the order of asking; returns when it was given, for `well` and `complaint`."""
        async with self._turn:
            while True:
                if (wait := self._until - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                elif self.out >= int(self.limit):
                    self._free.clear()
                    await self._free.wait()
                else:
                    break
            self.out += 1
            self.peak = max(self.peak, self.out)
            return time.monotonic()

    def leave(self) -> None:
        """Give a slot back."""
        self.out -= 1
        self._free.set()

    def well(self, headers: Mapping[str, str]) -> None:
        """An answer came, while its slot is still held: grow if the slots are needed, and heed what its headers say is left."""
        left, wait = allowance(headers)
        if left is not None and left <= 0:
            self.hold(wait)
        elif (self.out * 2 > self.limit or self._turn.locked()) and (left is None or left > self.out):
            self.limit = min(float(self.most), self.limit + (1 / self.limit if self._settled else 1.0))
            self._free.set()

    def complaint(self, entered: float, wait: float | None) -> None:
        """The endpoint has too much to do: fewer at once, and nobody before `wait` seconds are over."""
        if entered > self._complained:
            self.limit, self._complained, self._settled = max(1.0, self.limit * LESS), time.monotonic(), True
        if wait:
            self.hold(wait)

    def hold(self, wait: float) -> None:
        """Send nothing for so many seconds, at most the longest wait."""
        self._until = max(self._until, time.monotonic() + min(wait, self.longest_wait))


def allowance(headers: Mapping[str, str]) -> tuple[int | None, float]:
    """(the least that is left of any limit that an answer's headers name, seconds until there is more); None where they name none.

    OpenAI's words are x-ratelimit-remaining-requests and -reset-requests, Anthropic's anthropic-ratelimit-requests-remaining and -reset.
    """
    found: list[tuple[int, float]] = []
    for kind in KINDS:
        for left, reset in ((f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
                            (f"anthropic-ratelimit-{kind}-remaining", f"anthropic-ratelimit-{kind}-reset")):
            text = headers.get(left, "").strip()
            if text.isascii() and text.isdigit() and len(text) < 16:
                found.append((int(text), _seconds(headers.get(reset, ""))))
    return min(found, default=(None, 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, which may also be a date or milliseconds; None when it says nothing of use."""
    if (text := headers.get("retry-after-ms", "").strip()).isascii() and text.isdigit():
        return int(text) / 1000
    if not (text := headers.get("retry-after", "").strip()):
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = moment.timestamp() - time.time()
    return max(0.0, seconds)  # a number that is none counts as 0


def _seconds(text: str) -> float:
    """Seconds of "6m0s", "20ms", "1.5", or until a moment such as 2026-11-28T06:00:00Z; 1 where it is none of these."""
    text = text.strip()
    parts = DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 1.0

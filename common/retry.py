"""Patience: how often, how long and how far apart a call that may be repeated is repeated."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from common.errors import Busy, Unknown, Unreached

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


@dataclass(frozen=True)
class Clock:
    """Time as a process has it, all in seconds: the wall's (which may jump), a steady one, and sleep."""

    now: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


LONGEST = 60.0  # seconds between two tries when the provider names no time


def backoff(tries: int, start: float = 1.0, longest: float = LONGEST) -> float:
    """Seconds to wait after the given number of tries (from 1): doubling up to `longest`, with full jitter upwards."""
    return min(longest, start * 2 ** min(tries - 1, 30)) * (0.5 + random.random() / 2)


def patiently(
    call: Callable[[], T],
    *,
    seconds: float,
    start: float,
    sleep: Callable[[float], None],
    told: Callable[[str], None] = lambda text: None,
) -> T:
    """The value of a call that is safe to repeat, repeated while it is Busy, Unreached or Unknown.

    A wait never begins that would end after `seconds`; `Retry-After` is honoured, whatever its length. Then the last
    error is raised as it is. Other errors are raised at once.
    """

    from tenacity import Retrying, retry_if_exception_type, stop_before_delay  # late: --help and --dry-run call nobody

    def wait(state: RetryCallState) -> float:
        wish = getattr(state.outcome.exception(), "retry_after", None)
        return backoff(state.attempt_number, start) if wish is None else wish + random.random() * min(1.0, start)

    def before_sleep(state: RetryCallState) -> None:
        told(f"{state.outcome.exception()}; trying again in {state.next_action.sleep:.0f} s")

    return Retrying(
        retry=retry_if_exception_type((Busy, Unreached, Unknown)),
        wait=wait,
        stop=stop_before_delay(seconds),
        sleep=sleep,
        before_sleep=before_sleep,
        reraise=True,
    )(call)

"""Checks how many questions go out at once: growth, complaints, and what headers say."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from tools.batch_server.slots import FIRST, Pace, allowance, retry_after


async def _round(pace: Pace, headers: dict[str, str] | None = None) -> int:
    """Fill all slots, then let all be answered; how many there were."""
    count = int(pace.limit)
    for _ in range(count):
        await pace.enter()
    for _ in range(count):
        pace.well(headers or {})
        pace.leave()
    return count


def test_it_grows_until_it_hurts_then_slowly() -> None:
    """Quickly up to the first complaint, then by about one a round; one complaint counts for all that was in the air; never above most."""

    async def life() -> list[int]:
        pace, seen = Pace(100, 1.0), []
        seen += [await _round(pace) for _ in range(3)]
        before = pace.limit
        entered = [await pace.enter() for _ in range(5)]
        for moment in entered:
            pace.complaint(moment, None)
            pace.leave()
        assert pace.limit == pytest.approx(before * 0.7)
        seen += [await _round(pace) for _ in range(3)]
        for _ in range(400):
            await _round(pace)
        assert pace.limit == pace.peak == 100
        return seen

    first, second, third, after, later, last = asyncio.run(life())
    assert first == FIRST and second > first and third > second
    assert later - after <= 1 and last - later <= 1 and after < third


def test_nothing_goes_out_while_the_endpoint_says_so() -> None:
    """After a Retry-After, and after an answer that leaves nothing; but no longer than the longest wait."""

    async def waited(headers: dict[str, str] | None, retry: float | None) -> float:
        pace = Pace(4, 0.2)
        entered = await pace.enter()
        if headers:
            pace.well(headers)
        else:
            pace.complaint(entered, retry)
        pace.leave()
        begun = time.monotonic()
        await pace.enter()
        return time.monotonic() - begun

    assert 0.09 < asyncio.run(waited(None, 0.1)) < 0.2
    assert 0.19 < asyncio.run(waited(None, 3600.0)) < 1.0
    assert 0.09 < asyncio.run(waited({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "100ms"}, None)) < 0.2
    assert asyncio.run(waited({"x-ratelimit-remaining-requests": "9"}, None)) < 0.05


def test_headers_of_both_apis() -> None:
    """What is left, and for how long; nonsense is no limit."""
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    assert allowance({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1m2.5s"}) == (7, 62.5)
    left, wait = allowance({"anthropic-ratelimit-output-tokens-remaining": "0", "anthropic-ratelimit-output-tokens-reset": soon})
    assert left == 0 and 25 < wait <= 30
    assert allowance({"x-ratelimit-remaining-requests": "many"}) == (None, 0.0)
    assert allowance({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "later"}) == (0, 1.0)
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert (retry_after({"retry-after": "2"}), retry_after({"retry-after": "nan?"}), retry_after({})) == (2.0, None, None)

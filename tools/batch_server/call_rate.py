"""Owns the rate of calls: how many each account makes in a minute, and the headers that tell it."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

from .errors import ApiError

MINUTE = 60.0  # simulated seconds


class Rates:
    """Counts each account's calls in the minute that ends now. `limit` calls are served in it; 0: all, and nothing is said of it.

    `speed`: simulated seconds per second. What clients are told is in real time, for that is what they wait in.
    """

    def __init__(self, limit: int, speed: float):
        self.limit, self.minute = limit, MINUTE / speed
        self.refused = 0
        self._made: dict[str, deque[float]] = {}

    def take(self, account: str, kind: str, now: float) -> dict[str, str]:
        """Count a call of an account at a moment (real seconds); the headers of its answer. Raises ApiError beyond the limit."""
        if not self.limit:
            return {}
        made = self._made.setdefault(account, deque())
        while made and made[0] <= now - self.minute:
            made.popleft()
        if len(made) >= self.limit:
            self.refused += 1
            wait = f"{made[0] + self.minute - now:.3f}"
            raise ApiError(429, f"Rate limit reached: {self.limit} requests per minute.", code="rate_limit_exceeded",
                           kind="rate_limit_error", headers={"retry-after": wait, **self._headers(made, kind, now)})
        made.append(now)
        return self._headers(made, kind, now)

    def forget(self) -> None:
        """Begin anew."""
        self.refused = 0
        self._made.clear()

    def _headers(self, made: deque[float], kind: str, now: float) -> dict[str, str]:
        left, reset = self.limit - len(made), made[-1] + self.minute - now
        if kind == "anthropic":
            then = (datetime.now(UTC) + timedelta(seconds=reset)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            names = {"limit": str(self.limit), "remaining": str(left), "reset": then}
            return {f"anthropic-ratelimit-requests-{name}": value for name, value in names.items()}
        names = {"limit": str(self.limit), "remaining": str(left), "reset": f"{reset * 1000:.0f}ms"}
        return {f"x-ratelimit-{name}-requests": value for name, value in names.items()}

"""Owns what all rows of a batch share while they are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Memory = Callable[[str], tuple[int, int] | None]


@dataclass(frozen=True)
class Context:
    """What all rows of a batch share; small enough to be sent to a worker as JSON."""

    batch: str
    profile: str
    endpoint: str
    created: int
    shares: dict
    version: str = ""
    fate: dict | None = None
    tier: str = "batch"
    now: float = 0.0  # when its rows run

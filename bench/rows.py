"""Owns what a measured piece of work looks like: its samples, its limit's samples, its target, and how they are judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import MB, Sample, interleaved, median


@dataclass(frozen=True)
class Target:
    """What is asked for: a ratio to the limit's CPU seconds, a peak RSS in MB, CPU seconds, or any check of one's own."""

    said: str
    ratio: float | None = None
    rss: float | None = None
    cpu: float | None = None
    own: bool | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    ours: Sequence[Sample]
    target: Target
    limit: Sequence[Sample] = ()
    limit_is: str = ""
    note: str = ""
    of: str = "cpu"  # which figure is compared
    peers: dict[str, Sequence[Sample]] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return median(self.ours)

    @property
    def spread(self) -> str:
        """The smallest and the largest CPU seconds."""
        found = [getattr(s, self.of) for s in self.ours]
        return f"{min(found):.2f}–{max(found):.2f}"

    @property
    def rss(self) -> float:
        """The highest peak RSS of all runs, MB."""
        return max(s.rss for s in self.ours) / MB

    @property
    def ratio(self) -> float | None:
        return median(self.ours, self.of) / median(self.limit, self.of) if self.limit else None

    @property
    def met(self) -> bool:
        """Whether the target is met, by medians."""
        t = self.target
        return (
            (t.ratio is None or self.ratio <= t.ratio)
            and (t.rss is None or self.rss <= t.rss)
            and (t.cpu is None or self.cpu <= t.cpu)
            and t.own is not False
        )


@dataclass
class Bench:
    """One session of the bench: where it works, how large and how often."""

    folder: Path
    quick: bool = False
    full: bool = False
    peers: bool = False
    runs: int = 3
    curves: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)  # name → (requests, cpu s, RSS MB)

    def size(self, normal: int, quick: int) -> int:
        """How much of something."""
        return quick if self.quick else normal

    def place(self, name: str, empty: bool = True) -> Path:
        """A folder of its own, emptied first."""
        path = self.folder / name
        if empty:
            shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def race(self, **entries: Callable[[], Sample]) -> dict[str, list[Sample]]:
        """Samples of each entry, taking turns."""
        return interleaved(self.runs, **entries)

    def point(self, curve: str, size: int, samples: Sequence[Sample]) -> None:
        """Note a point of a curve."""
        self.curves.setdefault(curve, []).append((size, median(samples), max(s.rss for s in samples) / MB))

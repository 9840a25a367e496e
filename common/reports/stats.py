"""Sums of numbers and of choices, and the statistics that follow from them in closed form: interval, agreement, paired difference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

LEVEL = 0.95
OTHER = "…"  # what further different answers are counted as
MOST = 60  # different answers that are told apart


class Numbers:
    """Numbers as their count, sum and sum of squares. What is added is the distance from a middle, lest digits be lost."""

    __slots__ = ("n", "total", "squares")

    def __init__(self) -> None:
        self.n, self.total, self.squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value

    def merge(self, other: Numbers) -> None:
        self.n += other.n
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def sd(self) -> float | None:
        """The standard deviation as one estimates it from a sample; None of fewer than two."""
        return math.sqrt(max(0.0, self.squares - self.total * self.total / self.n) / (self.n - 1)) if self.n > 1 else None

    @property
    def half(self) -> float | None:
        """Half the width of the mean's 95 % interval (Student's t); None of fewer than two."""
        return None if self.sd is None else t_quantile(self.n - 1) * self.sd / math.sqrt(self.n)


class Shares:
    """Answers of a kind that has no mean: how often each was given, at most MOST different ones told apart."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    def n(self) -> int:
        return self.counts.total()

    def add(self, value: str, times: int = 1) -> None:
        self.counts[value if value in self.counts or len(self.counts) < MOST else OTHER] += times

    def merge(self, other: Shares) -> None:
        for value, times in other.counts.items():
            self.add(value, times)

    @property
    def mode(self) -> str:
        """What was answered most often; of several the first by name."""
        return min(self.counts, key=lambda value: (-self.counts[value], value))


# ---- Student's t


@lru_cache(4096)
def t_quantile(df: int) -> float:
    """What |t| stays below with the probability LEVEL."""
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if t_tails(middle, df) < 1 - LEVEL else (middle, high)
    return high


def t_tails(t: float, df: int) -> float:
    """The probability of a value as far from 0 as t, or farther, on either side."""
    if math.isinf(t):
        return 0.0
    return _beta(df / (df + t * t), df / 2, 0.5)


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d, found = 1.0, 1 / (1 - (a + b) * x / (a + 1)), 1 / (1 - (a + b) * x / (a + 1))
    for m in range(1, 500):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            found *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * found


# ---- Krippendorff's alpha


def alpha_interval(units: Iterable[Numbers]) -> float | None:
    """Krippendorff's alpha for numbers, a unit being all values that were given to one thing.

    The squared differences of all pairs are m·Σv² − (Σv)², so that no pair is looked at. None where it says nothing:
    no unit with two values, or all values the same.
    """
    whole, seen = Numbers(), 0.0
    for unit in units:
        if unit.n > 1:
            whole.merge(unit)
            seen += (unit.n * unit.squares - unit.total * unit.total) / (unit.n - 1)
    spread = whole.n * whole.squares - whole.total * whole.total
    if spread <= 1e-12 * whole.n * whole.squares:
        return None
    return 1 - seen * (whole.n - 1) / spread


def alpha_nominal(units: Iterable[Counter[str]]) -> float | None:
    """The same for answers that are alike or not: a unit is how often each was given to one thing."""
    whole: Counter[str] = Counter()
    seen = 0.0
    for unit in units:
        if (m := unit.total()) > 1:
            whole.update(unit)
            seen += (m * m - sum(k * k for k in unit.values())) / (m - 1)
    n = whole.total()
    spread = n * n - sum(k * k for k in whole.values())
    return 1 - seen * (n - 1) / spread if spread else None


# ---- paired differences


class Paired(NamedTuple):
    """The mean difference of pairs: `half` its 95 % interval's half width, `p` of Student's paired test, both None of one pair."""

    n: int
    mean: float
    half: float | None
    p: float | None


def paired(differences: Iterable[float]) -> Paired:
    """What differences of pairs say together; there must be one at least."""
    of = Numbers()
    for difference in differences:
        of.add(difference)
    if of.sd is None:
        return Paired(of.n, of.mean, None, None)
    error = of.sd / math.sqrt(of.n)
    t = abs(of.mean) / error if error else math.inf if of.mean else 0.0
    return Paired(of.n, of.mean, of.half, t_tails(t, of.n - 1))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """The p of several tests, each as it counts beside the others (Holm's step-down); None stays None and counts for nothing."""
    order = sorted((p, n) for n, p in enumerate(ps) if p is not None)
    found: list[float | None] = [None] * len(ps)
    worst = 0.0
    for rank, (p, n) in enumerate(order):
        worst = max(worst, min(1.0, p * (len(order) - rank)))
        found[n] = worst
    return found

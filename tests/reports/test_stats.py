"""Every statistic against its definition, or another way to compute it, on random data."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from itertools import permutations

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.reports.stats import MOST, OTHER, Numbers, Shares, alpha_interval, alpha_nominal, holm, paired, t_quantile, t_tails

VALUES = st.lists(st.floats(-50, 50).map(lambda value: round(value, 3)), min_size=1, max_size=30)
UNITS = st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=8)


def numbers(values: list) -> Numbers:
    """Their sums."""
    found = Numbers()
    for value in values:
        found.add(value)
    return found


@given(VALUES, VALUES)
def test_mean_and_sd(some: list[float], more: list[float]) -> None:
    """As the standard library has them, however the values came together."""
    found = numbers(some)
    found.merge(numbers(more))
    values = some + more
    assert found.n == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.sd == pytest.approx(statistics.stdev(values), abs=1e-5)
    assert found.half == pytest.approx(t_quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values)), abs=1e-4)


def test_of_one_there_is_no_spread() -> None:
    assert (numbers([3.0]).sd, numbers([3.0]).half) == (None, None)


@pytest.mark.parametrize("df", [1, 2, 3, 7, 30, 400])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.5, 9.0])
def test_tails_of_t(df: int, t: float) -> None:
    """The density of Student's t, summed up from 0 to t by Simpson's rule."""
    x = numpy.linspace(0, t, 20_001)
    density = (1 + x * x / df) ** (-(df + 1) / 2) * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    inside = (t / 20_000 / 3) * (density[0] + density[-1] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum())
    assert t_tails(t, df) == pytest.approx(1 - 2 * inside, abs=1e-9)


def test_quantiles_of_t() -> None:
    """As printed tables have them, and the way back."""
    printed = {1: 12.706, 2: 4.303, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980, 1_000_000: 1.960}
    assert {df: round(t_quantile(df), 3) for df in printed} == printed
    assert all(t_tails(t_quantile(df), df) == pytest.approx(0.05, abs=1e-8) for df in printed)


def test_a_true_mean_lies_in_its_interval() -> None:
    """In 95 of 100 samples, also of small ones."""
    rng = random.Random(3)
    samples = [numbers([rng.gauss(7, 2) for _ in range(5)]) for _ in range(4000)]
    assert sum(abs(sample.mean - 7) <= sample.half for sample in samples) / 4000 == pytest.approx(0.95, abs=0.012)


# ---- Krippendorff's alpha, by its definition: disagreement seen in pairs within units against that of all pairs


def by_definition(units: list[list[int]], distance: object) -> float | None:
    """1 - observed / expected disagreement, each pair looked at."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    n = len(values)
    expected = sum(distance(a, b) for a, b in permutations(values, 2))
    if not expected:
        return None
    observed = sum(sum(distance(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    return 1 - (observed / n) / (expected / (n * (n - 1)))


@given(UNITS)
@example([[1, 1, 1], [1, 1]])
def test_alpha_of_numbers(units: list[list[int]]) -> None:
    """The closed form is the definition."""
    expected = by_definition(units, lambda a, b: (a - b) ** 2)
    found = alpha_interval(map(numbers, units))
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


@given(UNITS)
@example([[1, 1, 1], [1, 1]])
def test_alpha_of_choices(units: list[list[int]]) -> None:
    """The same for answers that are alike or not."""
    expected = by_definition(units, lambda a, b: a != b)
    found = alpha_nominal(Counter(map(str, unit)) for unit in units)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_alpha_of_the_textbook() -> None:
    """Krippendorff's own example of four observers and twelve units: 0.743 nominal, 0.849 interval."""
    observers = "123321412...", "1233224125.3", ".3332342251.", "12332441251."
    units = [[int(values[n]) for values in observers if values[n] != "."] for n in range(12)]
    assert alpha_nominal(Counter(map(str, unit)) for unit in units) == pytest.approx(0.743, abs=5e-4)
    assert alpha_interval(map(numbers, units)) == pytest.approx(0.849, abs=5e-4)


# ---- paired differences


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=12))
def test_paired_differences(differences: list[int]) -> None:
    """Mean, interval and p agree: 0 is outside the interval exactly when p is below 0.05."""
    found = paired(differences)
    assert (found.n, found.mean) == (len(differences), pytest.approx(statistics.fmean(differences)))
    if statistics.pstdev(differences):
        t = abs(found.mean) / (statistics.stdev(differences) / math.sqrt(found.n))
        assert found.p == pytest.approx(t_tails(t, found.n - 1))
        assert (found.p < 0.05 - 1e-9) <= (abs(found.mean) > found.half) <= (found.p < 0.05 + 1e-9)
    else:
        assert (found.half, found.p) == (0.0, 0.0 if differences[0] else 1.0)


def test_a_known_paired_test() -> None:
    """Student's sleep data: t = 4.062 at 9 degrees of freedom, p = 0.00283."""
    found = paired([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert (round(found.mean, 2), round(found.p, 5), round(found.mean - found.half, 4)) == (1.58, 0.00283, 0.7001)
    assert paired([2.0]) == (1, 2.0, None, None)


@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_holm(ps: list[float | None]) -> None:
    """By its definition: of m tests the k-th smallest times m - k + 1, and never less than one before it."""
    given_ps = sorted(p for p in ps if p is not None)
    expected = [max(min(1.0, q * (len(given_ps) - k)) for k, q in enumerate(given_ps) if q <= p) if p is not None else None for p in ps]
    assert holm(ps) == [p if p is None else pytest.approx(p) for p in expected]


def test_shares() -> None:
    """Answers are counted by what they are, so many different ones, and the first by name of those as frequent leads."""
    found = Shares()
    for word in "baab":
        found.add(word)
    assert (found.n, found.mode, found.counts) == (4, "a", {"a": 2, "b": 2})
    for n in range(1000):
        found.add(str(n))
    assert (found.n, len(found.counts)) == (1004, MOST + 1) and found.counts[OTHER] == 1004 - 4 - (MOST - 2)

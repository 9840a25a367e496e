"""ICC and kappa against their definitions written out with numpy, on random data, and against printed examples."""

from __future__ import annotations

from collections import Counter

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.reports.reliability import cohen, fleiss, icc_raters, icc_repeats
from common.reports.stats import Numbers

TABLES = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: st.lists(st.lists(st.integers(-3, 3), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0])
)
SHROUT = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
FLEISS = ["0 0 0 0 14", "0 2 6 4 2", "0 0 3 5 6", "0 3 9 2 0", "2 2 8 1 1", "7 7 0 0 0", "3 2 6 3 0", "2 5 3 2 2", "6 5 2 1 0", "0 2 2 3 7"]


def sums(values: list) -> Numbers:
    """What is kept of them."""
    found = Numbers()
    for value in values:
        found.add(value)
    return found


def of_repeats(rows: list[list[int]]) -> float | None:
    """ICC(1,1) of a table."""
    return icc_repeats(map(sums, rows))


def by_variance(rows: list[list[int]], two_way: bool) -> float | None:
    """Both by analysis of variance: the residuals of a table, squared and summed."""
    table = numpy.array(rows, float)
    n, k = table.shape
    if n < 2 or k < 2 or table.min() == table.max():
        return None
    of_rows, of_columns, mean = table.mean(1, keepdims=True), table.mean(0, keepdims=True), table.mean()
    msr = k * ((of_rows - mean) ** 2).sum() / (n - 1)
    if not two_way:
        msw = ((table - of_rows) ** 2).sum() / (n * (k - 1))
        return (msr - msw) / (msr + (k - 1) * msw)
    msc = n * ((of_columns - mean) ** 2).sum() / (k - 1)
    mse = ((table - of_rows - of_columns + mean) ** 2).sum() / ((n - 1) * (k - 1))
    below = msr + (k - 1) * mse + k / n * (msc - mse)
    return (msr - mse) / below if below > 1e-9 else None


@given(TABLES)
@example([[0, 1], [1, 0]])
def test_intraclass_correlation(rows: list[list[int]]) -> None:
    """The closed forms are the analysis of variance."""
    for found, two_way in ((icc_raters(rows), True), (of_repeats(rows), False)):
        expected = by_variance(rows, two_way)
        assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_intraclass_correlation_as_printed() -> None:
    """Shrout and Fleiss (1979), table 4: 0.29 and 0.17."""
    assert (round(icc_raters(SHROUT), 2), round(of_repeats(SHROUT), 2)) == (0.29, 0.17)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=30))
@example([("a", "a")])
def test_kappa_of_two(pairs: list[tuple[str, str]]) -> None:
    """Seen and expected agreement of the table of both."""
    table = numpy.zeros((3, 3))
    for one, other in pairs:
        table["abc".index(one), "abc".index(other)] += 1 / len(pairs)
    chance = float(table.sum(0) @ table.sum(1))
    expected = pytest.approx((numpy.trace(table) - chance) / (1 - chance), abs=1e-9) if pairs and chance < 1 - 1e-9 else None
    assert cohen(pairs) == expected


def test_kappa_of_two_as_printed() -> None:
    """Fifty proposals, 20 taken and 15 turned down by both: 0.4."""
    assert cohen([("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15) == pytest.approx(0.4)


@given(TABLES)
@example([[1, 1], [1, 1]])
def test_kappa_of_many(rows: list[list[int]]) -> None:
    """Each pair of raters looked at, against chance by the shares of all answers."""
    table = numpy.array(rows)
    n, m = table.shape
    found = fleiss(Counter(map(str, row)) for row in rows)
    if m < 2 or table.min() == table.max():
        assert found is None
        return
    seen = ((table[:, :, None] == table[:, None, :]).sum() - n * m) / (n * m * (m - 1))
    chance = sum(((table == value).mean()) ** 2 for value in numpy.unique(table))
    assert found == pytest.approx((seen - chance) / (1 - chance), abs=1e-9)


def test_kappa_of_many_as_printed() -> None:
    """Fourteen raters sort ten things into five classes: 0.210."""
    units = [Counter({str(n): int(count) for n, count in enumerate(row.split())}) for row in FLEISS]
    assert fleiss(units) == pytest.approx(0.210, abs=5e-4)

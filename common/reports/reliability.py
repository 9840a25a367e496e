"""Agreement where the data are complete, in closed form: intraclass correlation of numbers, Cohen's and Fleiss' kappa of choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from common.reports.stats import Numbers

_NOTHING = 1e-12  # a spread that is smaller, as a share, is what rounding leaves


def icc_raters(rows: Iterable[Sequence[float]]) -> float | None:
    """ICC(2,1): two-way random effects, absolute agreement, single rater (Shrout and Fleiss 1979).

    A row is what each rater, always the same ones in the same order, said of one thing. None where it says nothing:
    fewer than two rows or raters, or no spread.
    """
    rows = list(rows)
    n, k = len(rows), len(rows[0]) if rows else 0
    if n < 2 or k < 2:
        return None
    squares = sum(value * value for row in rows for value in row)
    mean_part = sum(map(sum, rows)) ** 2 / (n * k)
    whole = squares - mean_part
    of_rows = sum(sum(row) ** 2 for row in rows) / k - mean_part
    of_raters = sum(sum(column) ** 2 for column in zip(*rows)) / n - mean_part
    between, raters, error = of_rows / (n - 1), of_raters / (k - 1), max(0.0, whole - of_rows - of_raters) / ((n - 1) * (k - 1))
    below = between + (k - 1) * error + k * (raters - error) / n
    return (between - error) / below if whole > _NOTHING * squares and below > _NOTHING * whole else None


def icc_repeats(units: Iterable[Numbers]) -> float | None:
    """ICC(1,1): one-way random effects (Shrout and Fleiss 1979), for repetitions in no order that things share.

    A unit is the repetitions for one thing, as many as for each other. None as of `icc_raters`.
    """
    units = list(units)
    n, k = len(units), units[0].n if units else 0
    if n < 2 or k < 2:
        return None
    squares, total = sum(unit.squares for unit in units), sum(unit.total for unit in units)
    of_units = sum(unit.total**2 for unit in units) / k
    whole = squares - total**2 / (n * k)
    between, within = (of_units - total**2 / (n * k)) / (n - 1), max(0.0, squares - of_units) / (n * (k - 1))
    return (between - within) / (between + (k - 1) * within) if whole > _NOTHING * squares else None


def cohen(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Cohen's kappa, unweighted, of what two raters said of the same things. None of none, or where both always said the same one."""
    both = Counter(pairs)
    n, same = both.total(), sum(count for (one, other), count in both.items() if one == other)
    first, second = Counter(), Counter()
    for (one, other), count in both.items():
        first[one] += count
        second[other] += count
    chance = sum(count * second[name] for name, count in first.items())
    return (n * same - chance) / (n * n - chance) if n * n > chance else None


def fleiss(units: Iterable[Counter[str]]) -> float | None:
    """Fleiss' kappa: a unit is how often each answer was given to one thing, as many in all as to each other. None as of `cohen`."""
    units = list(units)
    n, m = len(units), units[0].total() if units else 0
    if m < 2:
        return None
    alike = sum(count * count for unit in units for count in unit.values()) - n * m
    whole: Counter[str] = Counter()
    for unit in units:
        whole.update(unit)
    chance = sum(count * count for count in whole.values()) / (n * m) ** 2
    return (alike / (n * m * (m - 1)) - chance) / (1 - chance) if len(whole) > 1 else None

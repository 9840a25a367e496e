"""Fourth view: where models disagree most, their answers side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import nlargest
from typing import NamedTuple

from common.reports.answers import crossed, digits, level, title
from common.reports.facts import RunGroup
from common.reports.html import Html, figure, h, shown, table
from common.reports.sums import Cell, Levels

MOST = 10
WORDS = 200  # characters of an answer


class Apart(NamedTuple):
    """A condition and the question on which its models are farthest apart, from 0 to 1."""

    spread: float
    n: int
    place: Levels
    persona: str
    cells: dict[str, Cell]


def farthest(part: RunGroup) -> list[Apart]:
    """The conditions with the largest spread between models, the largest first."""
    return nlargest(MOST, filter(None, (_apart(part, *one) for one in part.conditions)), key=lambda found: found.spread)


def _apart(part: RunGroup, place: Levels, persona: str, cells: dict[str, Cell]) -> Apart | None:
    found = [(spread, -n) for n in range(len(part.measures)) if (spread := _spread(part, n, cells)) > 0]
    if not found:
        return None
    spread, n = max(found)
    return Apart(spread, -n, place, persona, cells)


def _spread(part: RunGroup, n: int, cells: dict[str, Cell]) -> float:
    """Between the highest and the lowest mean as a share of the range; of choices the share of models beside the most frequent one."""
    sums = [cell.sums[n] for cell in cells.values() if cell.sums[n].n]
    if len(sums) < 2:
        return 0.0
    if part.measures[n].numeric:
        means = [one.mean for one in sums]
        return (max(means) - min(means)) / part.measures[n].width
    modes = Counter(one.mode for one in sums)
    return 1 - max(modes.values()) / len(sums)


def view(part: RunGroup) -> Html:
    """The ten conditions."""
    found = farthest(part)
    if not found:
        return Html("<p>No condition was answered differently by two models.</p>")
    return h("<ol class='apart'>{}</ol>", [h("<li>{}</li>", _one(part, apart)) for apart in found])


def _one(part: RunGroup, apart: Apart) -> Html:
    text, *levels = apart.place
    factors = zip(("text", "persona", *part.cube.names[3:]), (text, apart.persona, *levels))
    where = crossed(level(part, factor, name) for factor, name in factors)
    measure = part.measures[apart.n]
    how = f"{apart.spread * measure.width:.{digits(measure)}f} apart" if measure.numeric else f"{apart.spread:.0%} say otherwise"
    head = ["model", "mean of trials" if measure.numeric else "most frequent", "n", "in the words of one trial"]
    return h("<h3>{}</h3><p>{}: {}</p>{}", where, title(measure), how, table(head, _models(part, apart), "", "side"))


def _models(part: RunGroup, apart: Apart) -> Iterator[list]:
    measure = part.measures[apart.n]
    there = [(model, cell) for model, cell in apart.cells.items() if cell.sums[apart.n].n]
    if measure.numeric:
        there.sort(key=lambda one: -one[1].sums[apart.n].mean)
    for model, cell in there:
        sums = cell.sums[apart.n]
        value = figure(measure.middle + sums.mean, digits(measure)) if measure.numeric else shown(sums.mode, 60)
        said = h('<td class="words">{}<br><code>{}</code></td>', shown(cell.reasons[apart.n], WORDS), cell.custom_id)
        yield [model, value, sums.n, said]

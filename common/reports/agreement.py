"""Third view: do models, and trials of one model, agree; and which differences between models or personas are real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from common.reports.answers import between, digits, level, title
from common.reports.facts import Part
from common.reports.html import Html, figure, folded, h, table
from common.reports.stats import Numbers, Paired, alpha_interval, alpha_nominal, holm, paired
from common.reports.sums import Cell, Measure
from common.reports.svg import interval

FIRST, MOST = 12, 300  # lines of differences that are shown at once, and at all

ALPHA = """<p><b>Krippendorff’s alpha</b> says how far answers agree beyond chance: 1 is perfect agreement, 0 is what chance would give,
below 0 they contradict each other. As a rule of thumb 0.8 and more can be relied on, 0.667 to 0.8 allows careful conclusions,
less does not.
<b>Between models</b> asks: do different models say the same of the same condition (mean or most frequent answer of their trials)?
<b>Between trials</b> asks: does one model say the same when it is asked again? Numbers count by their distance (interval),
choices as alike or not (nominal). A dash: nothing to compare, or all answers the same.</p>"""
PAIRS = """<p>Two models are compared only where both answered the same condition, so that hard and easy conditions count for both.
The interval says between which values the true mean difference lies with 95 % confidence. <b>p</b> (paired t-test) is how often
chance alone would bring such a difference; it is corrected for the number of comparisons in this table after Holm, so that below 0.05
may be called a real difference. It speaks of the conditions that were asked, not of others.</p>"""


def view(part: Part) -> Html:
    """Agreement and differences of a part."""
    kept = part.conditions
    said = f"<p>Compared: a random {len(kept.places):,} of about {len(kept.places) * kept.part:,} texts, for which there is room.</p>"
    differences = [
        _differences(part, "models", PAIRS, _by_model(part)),
        _differences(part, "personas", "<p>The same of personas.</p>", _by_persona(part)),
    ]  # fmt: skip
    return h("{}{}{}{}", Html(said if kept.part > 1 else ""), Html(ALPHA), _alphas(part), differences)


def _alphas(part: Part) -> Html:
    models = list(dict.fromkeys(model for _, _, cells in part.conditions for model in cells))
    rows = [["between models", *(_alpha(measure, _between(part, n)) for n, measure in enumerate(part.measures))]]
    for model in models:
        rows.append([h("trials of {}", model), *(_alpha(measure, _trials(part, n, model)) for n, measure in enumerate(part.measures))])
    shown = [[name, *(figure(value, 3) for value in values)] for name, *values in rows]
    return table(["", *map(title, part.measures)], shown, "Krippendorff’s alpha")


def _alpha(measure: Measure, units: Iterator) -> float | None:
    return alpha_interval(units) if measure.numeric else alpha_nominal(units)


def _between(part: Part, n: int) -> Iterator[Numbers | Counter]:
    """Each condition, with what each model says of it."""
    for _, _, cells in part.conditions:
        sums = [cell.sums[n] for cell in cells.values() if cell.sums[n].n]
        if not part.measures[n].numeric:
            yield Counter(one.mode for one in sums)
            continue
        unit = Numbers()
        for one in sums:
            unit.add(one.mean)
        yield unit


def _trials(part: Part, n: int, model: str) -> Iterator[Numbers | Counter]:
    """Each condition, with all answers of a model."""
    for _, _, cells in part.conditions:
        if cell := cells.get(model):
            yield cell.sums[n] if part.measures[n].numeric else cell.sums[n].counts


# ---- differences

Groups = list[dict[str, Cell]]  # cells that are compared with each other, by who


def _by_model(part: Part) -> Groups:
    return [cells for _, _, cells in part.conditions]


def _by_persona(part: Part) -> Groups:
    """By place and model, its cells by persona."""
    found: dict[tuple, dict[str, Cell]] = {}
    for place, persona, cells in part.conditions:
        for model, cell in cells.items():
            found.setdefault((place, model), {})[persona] = cell
    return list(found.values())


class _Line(NamedTuple):
    measure: Measure
    one: str
    other: str
    found: Paired


def _lines(part: Part, groups: Groups) -> Iterator[_Line]:
    who = list(dict.fromkeys(name for group in groups for name in group))[:40]
    for n, measure in enumerate(part.measures):
        if not measure.numeric:
            continue
        means = [{name: cell.sums[n].mean for name, cell in group.items() if cell.sums[n].n} for group in groups]
        for one, other in combinations(who, 2):
            if found := [group[one] - group[other] for group in means if one in group and other in group]:
                yield _Line(measure, one, other, paired(found))


def _differences(part: Part, what: str, meant: str, groups: Groups) -> Html:
    lines = list(_lines(part, groups))
    if not lines:
        return Html("")
    corrected = holm([line.found.p for line in lines])
    both = sorted(zip(lines, corrected), key=lambda pair: -abs(pair[0].found.mean) / pair[0].measure.width)
    scale = max((abs(line.found.mean) + (line.found.half or 0.0)) / line.measure.width for line in lines) or 1.0
    rows = [_row(part, what[:-1], scale, *pair) for pair in both[:MOST]]
    real = sum(p is not None and p < 0.05 for p in corrected)
    head = [f"first {what[:-1]} − second", "question", "", "difference", "95 % interval", "pairs", "p (Holm)"]
    count = f"{len(lines):,} comparison{'s' * (len(lines) > 1)}, {real:,} with p below 0.05; the largest first"
    said = count + (f", {MOST} shown" if len(lines) > MOST else "")
    rest = folded(f"{len(rows) - FIRST} more", table(head, rows[FIRST:])) if len(rows) > FIRST else ""
    return h("<h3>Differences between {}</h3>{}{}{}", Html(what), Html(meant), table(head, rows[:FIRST], said), rest)


def _row(part: Part, factor: str, scale: float, line: _Line, p: float | None) -> Sequence[object]:
    found, measure, places = line.found, line.measure, digits(line.measure)
    ends = "–" if found.half is None else between(found.mean, found.half, f"+.{places}f")
    end = scale * measure.width
    names = h("{} − {}", level(part, factor, line.one), level(part, factor, line.other))
    real = "real" if p is not None and p < 0.05 else ""
    told = "–" if p is None else "&lt; 0.001" if p < 0.001 else f"{p:.3f}"
    return [
        names, title(measure), interval(found.mean, found.half, -end, end), figure(found.mean, places),
        h('<td class="n">{}</td>', Html(ends)), found.n, h('<td class="n {}">{}</td>', Html(real), Html(told)),
    ]  # fmt: skip

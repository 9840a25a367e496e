"""Third view: do models, and trials of one model, agree; and which differences between models or personas are real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from common.reports.answers import between, digits, level, title
from common.reports.facts import RunGroup
from common.reports.html import Html, figure, folded, h, table
from common.reports.reliability import cohen, fleiss, icc_raters, icc_repeats
from common.reports.stats import Numbers, Paired, Shares, alpha_interval, alpha_nominal, holm, paired
from common.reports.sums import Cell, Levels, Measure
from common.reports.svg import interval
from common.text import many

FIRST, MOST = 12, 300  # lines of differences that are shown at once, and at all

ALPHA = """<p><b>Krippendorff’s alpha</b> says how far answers agree beyond chance: 1 is perfect agreement, 0 is what chance would give,
below 0 they contradict each other. As a rule of thumb 0.8 and more can be relied on, 0.667 to 0.8 allows careful conclusions,
less does not.
<b>Between models</b> asks: do different models say the same of the same condition (mean or most frequent answer of their trials)?
<b>Between trials</b> asks: does one model say the same when it is asked again? Numbers count by their distance (interval),
choices as alike or not (nominal). A dash: nothing to compare, or all answers the same.</p>"""
COMPLETE = """<p><b>Where data are complete</b>, the coefficients that journals ask for stand beside it. They count only conditions that
all models answered, or where all trials of a model were answered; how many of how many stands behind each.
Numbers: the intraclass correlation, between models <b>ICC(2,1)</b> (two-way random, absolute agreement, single rater:
(MSR − MSE) / (MSR + (k&nbsp;−&nbsp;1)·MSE + k·(MSC − MSE) / n), of n conditions and k models), between trials <b>ICC(1,1)</b> (one-way:
(MSB − MSW) / (MSB + (k&nbsp;−&nbsp;1)·MSW), since the first trial of one condition has nothing to do with the first of another).
Choices: <b>Cohen’s kappa</b> of two models, <b>Fleiss’ kappa</b> of more and of trials, both unweighted:
(seen − chance) / (1 − chance). A dash: fewer than two such conditions, only one model or trial, or all answers the same.</p>"""
PAIRS = """<p>Two models are compared only where both answered the same condition, so that hard and easy conditions count for both.
The interval says between which values the true mean difference lies with 95 % confidence. <b>p</b> (paired t-test) is how often
chance alone would bring such a difference; it is corrected for the number of comparisons in this table after Holm, so that below 0.05
may be called a real difference. It speaks of the conditions that were asked, not of others.</p>"""


def view(part: RunGroup) -> Html:
    """Agreement and differences of a part."""
    kept = part.conditions
    said = f"<p>Compared: a random {len(kept.places):,} of about {len(kept.places) * kept.part:,} texts, for which there is room.</p>"
    differences = [
        _differences(part, "models", PAIRS, _by_model(part)),
        _differences(part, "personas", "<p>The same of personas.</p>", _by_persona(part)),
    ]  # fmt: skip
    return h("{}{}{}", Html(said if kept.part > 1 else ""), _coefficients(part), differences)


ConditionCells = list[tuple[Levels, str, dict[str, Cell]]]  # the conditions


def _coefficients(part: RunGroup) -> Html:
    """Alpha of all answers, and what there is for complete data, each between models and between the trials of one."""
    asked = list(part.conditions)
    models = list(dict.fromkeys(model for _, _, cells in asked for model in cells))
    head, names = ["", *map(title, part.measures)], ["between models", *(h("trials of {}", model) for model in models)]
    alphas, complete = [], []
    for model in (None, *models):
        of = [(measure, _trials(asked, n, model) if model else _models(asked, n)) for n, measure in enumerate(part.measures)]
        alphas.append([figure(_alpha(measure, units, bool(model)), 3) for measure, units in of])
        complete.append([_complete(measure, units, bool(model)) for measure, units in of])
    first = table(head, [[name, *row] for name, row in zip(names, alphas)], "Krippendorff’s alpha")
    second = table(head, [[name, *row] for name, row in zip(names, complete)], "ICC of numbers, kappa of choices")
    return h("{}{}{}{}", Html(ALPHA), first, Html(COMPLETE), second)


Summed = Numbers | Shares


def _models(asked: ConditionCells, n: int) -> list[dict[str, Summed]]:
    """Each condition, with the sums of each model that answered."""
    found = ({model: cell.sums[n] for model, cell in cells.items() if cell.sums[n].n} for _, _, cells in asked)
    return [unit for unit in found if unit]


def _trials(asked: ConditionCells, n: int, model: str) -> list[Summed]:
    """Each condition that a model answered, with the sum of its trials."""
    return [cells[model].sums[n] for _, _, cells in asked if model in cells and cells[model].sums[n].n]


def _alpha(measure: Measure, units: list, of_trials: bool) -> float | None:
    if measure.numeric:
        return alpha_interval(units if of_trials else (_means(unit) for unit in units))
    return alpha_nominal(one.counts if of_trials else Counter(by.mode for by in one.values()) for one in units)


def _means(unit: dict[str, Numbers]) -> Numbers:
    found = Numbers()
    for one in unit.values():
        found.add(one.mean)
    return found


def _complete(measure: Measure, units: list, of_trials: bool) -> Html:
    """The coefficient that fits, by name, with how many conditions are complete."""
    name, value, used = (_of_trials if of_trials else _of_models)(measure, units)
    beside = h("<small>{}: {} of {}</small>", name, used, len(units)) if used else ""
    return h('<td class="n">{} {}</td>', figure(value if used > 1 else None, 3), beside)


def _of_models(measure: Measure, units: list[dict[str, Summed]]) -> tuple[str, float | None, int]:
    models = list(dict.fromkeys(model for unit in units for model in unit))
    whole = [[unit[model] for model in models] for unit in units if len(unit) == len(models)]
    if len(models) < 2:
        return "", None, 0
    if measure.numeric:
        return "ICC(2,1)", icc_raters([one.mean for one in row] for row in whole), len(whole)
    modes = [[one.mode for one in row] for row in whole]
    if len(models) == 2:
        return "Cohen", cohen(map(tuple, modes)), len(whole)
    return "Fleiss", fleiss(map(Counter, modes)), len(whole)


def _of_trials(measure: Measure, units: list[Summed]) -> tuple[str, float | None, int]:
    most = max((unit.n for unit in units), default=0)
    whole = [unit for unit in units if unit.n == most] if most > 1 else []
    if measure.numeric:
        return "ICC(1,1)", icc_repeats(whole), len(whole)
    return "Fleiss", fleiss(unit.counts for unit in whole), len(whole)


# ---- differences

Groups = list[dict[str, Cell]]  # cells that are compared with each other, by who


def _by_model(part: RunGroup) -> Groups:
    return [cells for _, _, cells in part.conditions]


def _by_persona(part: RunGroup) -> Groups:
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


def _lines(part: RunGroup, groups: Groups) -> Iterator[_Line]:
    who = list(dict.fromkeys(name for group in groups for name in group))[:40]
    for n, measure in enumerate(part.measures):
        if not measure.numeric:
            continue
        means = [{name: cell.sums[n].mean for name, cell in group.items() if cell.sums[n].n} for group in groups]
        for one, other in combinations(who, 2):
            if found := [group[one] - group[other] for group in means if one in group and other in group]:
                yield _Line(measure, one, other, paired(found))


def _differences(part: RunGroup, what: str, meant: str, groups: Groups) -> Html:
    lines = list(_lines(part, groups))
    if not lines:
        return Html("")
    corrected = holm([line.found.p for line in lines])
    both = sorted(zip(lines, corrected), key=lambda pair: -abs(pair[0].found.mean) / pair[0].measure.width)
    scale = max((abs(line.found.mean) + (line.found.half or 0.0)) / line.measure.width for line in lines) or 1.0
    rows = [_row(part, what[:-1], scale, *pair) for pair in both[:MOST]]
    real = sum(p is not None and p < 0.05 for p in corrected)
    head = [f"first {what[:-1]} − second", "question", "", "difference", "95 % interval", "pairs", "p (Holm)"]
    count = f"{many(len(lines), 'comparison')}, {real:,} with p below 0.05; the largest first"
    said = count + (f", {MOST} shown" if len(lines) > MOST else "")
    rest = folded(f"{len(rows) - FIRST} more", table(head, rows[FIRST:])) if len(rows) > FIRST else ""
    return h("<h3>Differences between {}</h3>{}{}{}", Html(what), Html(meant), table(head, rows[:FIRST], said), rest)


def _row(part: RunGroup, factor: str, scale: float, line: _Line, p: float | None) -> Sequence[object]:
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

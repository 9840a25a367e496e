"""Second view: what was answered: means with intervals, distributions, heat maps, shares, and confusion with a gold column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from common.reports.facts import RunGroup
from common.reports.html import Figure, Html, figure, folded, h, heat, percent, shown, table
from common.reports.stats import Numbers, Shares
from common.reports.sums import FOLDED, Measure
from common.reports.svg import histogram, interval, stacked

ROWS = 4000  # of tables of one kind, over all questions of a part: they share the room that a page has
WIDE, TALL, SIDES = 24, 60, 1200  # columns and rows of a heat map, and rows over all questions
CHOICES = 12  # that have a column of their own

MEANT = """<p>The <b>95 % interval</b> is where the mean would lie if the same were asked again very often: with 95 % confidence between
these ends (Student’s t over single answers). Where few texts were asked many times, it says little about other texts.
<b>sd</b> is how far single answers lie from the mean, <b>n</b> how many answers were found.</p>"""


def view(part: RunGroup) -> Html:
    """The answers of a part."""
    cut = [part.cube.names[n] for n in sorted(part.cube.folded)]
    words = "<p>Too many levels to be shown one by one: {}. The exported table (make export) has each row.</p>"
    said = h(words, ", ".join(cut)) if cut else ""
    found = [_question(part, n, measure) for n, measure in enumerate(part.measures)]
    others = [q.name or q.id for q in part.questions if q.type in ("text", "json")]
    free = h("<p>Not summed, since the answers are free text or JSON: {}.</p>", shown(", ".join(others), 400)) if others else ""
    return h("{}{}{}{}", Html(MEANT), said, found, free) if found else Html("<p>No question has numbers or choices as answers.</p>")


def title(measure: Measure) -> Html:
    """A question's name."""
    return h("{} {}", measure.question.id, measure.question.name)


def level(part: RunGroup, factor: str, name: str) -> Html:
    """A level as people read it: its name, where it has one, beside its id."""
    if name == FOLDED:
        return Html("(all)")
    known = part.names.get((factor, name), "")
    return h("{} <small>{}</small>", known, name) if known and known != name else shown(name or "(none)")


def digits(measure: Measure) -> int:
    """Decimals that a mean is shown with."""
    return 1 if measure.width >= 20 else 2 if measure.width >= 2 else 3


def _question(part: RunGroup, n: int, measure: Measure) -> Html:
    q = measure.question
    what = f"{q.type}, {q.minimum:g} to {q.maximum:g}" if measure.numeric else q.type
    if not any(cell[n].n for cell in part.cube.cells.values()):
        return h("<section><h3>{} <small>{}</small></h3><p>No value was found yet.</p></section>", title(measure), what)
    factors = part.cube.shown() or ["model"]
    first, *others = factors
    tables = _numbers if measure.numeric else _shares
    found = [tables(part, n, measure, [first])]
    found += [folded(h("By {}", name), tables(part, n, measure, [name])) for name in others]
    pairs = [*combinations(factors, 2)] if measure.numeric else []
    found += [_heat(part, n, measure, *pair, is_open=pair == pairs[0]) for pair in pairs]
    if len(factors) > 1:
        found.append(folded("Every combination", tables(part, n, measure, factors)))
    if not measure.numeric or any(at == n for at, *_ in part.golds):
        found.append(_gold(part, n))
    return h("<section><h3>{} <small>{}</small></h3>{}</section>", title(measure), what, found)


def _rows(part: RunGroup, n: int, names: Sequence[str]) -> tuple[list[tuple[Html, tuple, Numbers | Shares]], int]:
    """(label, key, sums) by some factors, at most so many, and how many there are."""
    cells = [(key, sums) for key, sums in part.cube.by(n, *names).items() if sums.n]
    most = max(20, ROWS // len(part.measures))
    labels = [(crossed(level(part, name, one) for name, one in zip(names, key)), key, sums) for key, sums in cells[:most]]
    return labels, len(cells)


def crossed(parts: Iterator[Html]) -> Html:
    """Levels of factors that stand for one cell, with × between them."""
    return Html(" × ".join(parts))


def _of(rows: int, there: int) -> str:
    return "" if rows == there else f"the first {rows:,} of {there:,}; report.csv beside this page has all"


def _numbers(part: RunGroup, n: int, measure: Measure, names: Sequence[str]) -> Html:
    """A line for each level: the mean on the scale of the question, its interval, and how the answers are spread."""
    places = digits(measure)
    rows, there = _rows(part, n, names)
    with_bins = list(names) == ["model"]
    low, high = _scale([(measure.middle + sums.mean, sums.half or 0.0) for _, _, sums in rows], measure)
    found = []
    for label, key, sums in rows:
        mean, half = measure.middle + sums.mean, sums.half
        ends = Figure("–" if half is None else between(mean, half, f".{places}f"))
        row = [label, interval(mean, half, low, high), figure(mean, places), ends, figure(sums.sd, places), sums.n]
        found.append([*row, histogram(part.bins[key[0], n])] if with_bins else row)
    axis = h("{} – {}", figure(low, places), figure(high, places))
    head = [" × ".join(names), axis, "mean", "95 % interval", "sd", "n"] + ["distribution"] * with_bins
    return table(head, found, _of(len(rows), there))


def between(mean: float, half: float, form: str) -> str:
    """An interval in words."""
    return f"{mean - half:{form}} to {mean + half:{form}}".replace("-", "−")


def _scale(means: Sequence[tuple[float, float]], measure: Measure) -> tuple[float, float]:
    """The ends of an axis on which the differences can be seen: a tenth of the question's range or more, and all intervals."""
    q, room = measure.question, measure.width / 20
    low = max(q.minimum, min(mean - half for mean, half in means) - room / 2) if means else q.minimum
    high = min(q.maximum, max(mean + half for mean, half in means) + room / 2) if means else q.maximum
    middle = (low + high) / 2
    return min(low, middle - room), max(high, middle + room)


def _shares(part: RunGroup, n: int, measure: Measure, names: Sequence[str]) -> Html:
    """A line for each level: which answers it gave how often."""
    whole = Counter()
    rows, there = _rows(part, n, names)
    for _, _, sums in rows:
        whole.update(sums.counts)
    asked = [name for name, _ in measure.question.choices] or ["yes", "no"]
    top = sorted((name for name, _ in whole.most_common(CHOICES)), key=lambda name: asked.index(name) if name in asked else len(asked))
    found = []
    for label, _, sums in rows:
        rest = sums.n - sum(sums.counts[name] for name in top)
        bar = stacked([(f"k{k}", sums.counts[name]) for k, name in enumerate(top)] + [("none", rest)])
        shares = [heat(sums.counts[name] / sums.n, percent(sums.counts[name], sums.n)) for name in top]
        found.append([label, bar, *shares, sums.n])
    keys = [h('<i class="key k{}"></i>{}', k, shown(name, 40)) for k, name in enumerate(top)]
    return table([" × ".join(names), "", *keys, "n"], found, _of(len(rows), there), "shares")


def _heat(part: RunGroup, n: int, measure: Measure, down: str, across: str, is_open: bool) -> Html:
    """Means by two factors, darker where they are higher."""
    cells = part.cube.by(n, down, across)
    tops = list(dict.fromkeys(key[1] for key in cells))[:WIDE]
    sides = list(dict.fromkeys(key[0] for key in cells))[: min(TALL, max(10, SIDES // len(part.measures)))]
    means = {key: measure.middle + sums.mean for key, sums in cells.items() if sums.n}
    if not means:
        return Html("")
    low, high = min(means.values()), max(means.values())
    span = high - low or 1.0

    def cell(side: str, top: str) -> Html:
        mean = means.get((side, top))
        return Html("<td></td>") if mean is None else heat((mean - low) / span, figure(mean, digits(measure)))

    rows = [[level(part, down, side), *(cell(side, top) for top in tops)] for side in sides]
    head = [h("{} \\ {}", down, across), *(level(part, across, top) for top in tops)]
    cut = "" if (len(sides), len(tops)) == (len({k[0] for k in cells}), len({k[1] for k in cells})) else "; only the first levels are shown"
    drawn = table(head, rows, h("{} to {}{}", figure(low), figure(high), cut), "heat")
    return folded(h("Means by {} and {}", down, across), drawn, is_open=is_open)


# ---- beside what is right


def _gold(part: RunGroup, n: int) -> Html:
    """Answers beside the gold column of a question, if it has one: a share and a table for each model."""
    found = []
    for (measure, model), pairs in part.gold.items():
        if measure == n and (total := pairs.total()):
            right = sum(count for (gold, answer), count in pairs.items() if gold == answer)
            found.append(h("<h4>{}: {} of {} as in gold ({})</h4>{}", model, right, total, percent(right, total), _confusion(pairs)))
    return h("<h4>Beside the gold column</h4>{}", found) if found else Html("")


def _confusion(pairs: Counter) -> Html:
    """What was answered where which answer is right."""
    golds, answers = Counter(), Counter()
    for (gold, answer), count in pairs.items():
        golds[gold] += count
        answers[answer] += count
    tops = [name for name, _ in golds.most_common(CHOICES)]
    tops += [name for name, _ in answers.most_common(CHOICES) if name not in golds]
    sides = [name for name, _ in golds.most_common(CHOICES)]
    rows = [[shown(gold, 40), *(heat(pairs[gold, top] / golds[gold], pairs[gold, top]) for top in tops)] for gold in sides]
    return table(["gold \\ answer", *(shown(top or "(no value)", 40) for top in tops)], rows, "", "heat")


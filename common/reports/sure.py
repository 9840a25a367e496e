"""First view: what was asked and how sure it is: the sum of rows, failures with an example each, validity by model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from common.outcomes import PENDING, SUCCEEDED
from common.reports.facts import Facts
from common.reports.html import Html, folded, h, percent, shown, table
from common.reports.svg import stacked
from common.results.tally import RowKind

MOST = 40  # classes of failure, or kinds of problem


def view(facts: Facts) -> Html:
    """The whole view."""
    planned, rows = sum(one.tally.planned for one in facts.runs), sum(one.tally.rows for one in facts.runs)
    succeeded = sum(one.tally.outcomes[SUCCEEDED] for one in facts.runs)
    wrong = [one.run.key for one in facts.runs if not one.tally.adds_up]
    said = "Every request has exactly one row: the sum adds up." if not wrong else f"The sum does not add up in {', '.join(wrong)}."
    pending = sum(one.tally.outcomes[PENDING] for one in facts.runs)
    open_now = h(" <b>{}</b> are still to come.", pending) if pending else ""
    lead = h(
        '<p class="lead"><b>{}</b> requests were asked, <b>{}</b> of them ({}) were answered.{}</p><p>{}</p>',
        planned, succeeded, percent(succeeded, rows), open_now, shown(said, 1000),
    )  # fmt: skip
    return h("{}{}{}{}", lead, _validity(facts), _failures(facts), _runs(facts))


def _validity(facts: Facts) -> Html:
    """How many answers of each model can be used."""
    checked = any(kind.answer for kinds in facts.kinds.values() for kind in kinds)
    rows = [_of_model(model, kinds, checked) for model, kinds in facts.kinds.items()]
    head = ["model", "", "rows", "answered", "failed", "pending"] + ["clean", "in part", "unusable"] * checked
    said = "An answer is <b>clean</b> when everything that was asked was found in it, <b>in part</b> when something is missing or odd, "
    return h("<h3>By model</h3>{}{}", table(head, rows), Html(f"<p>{said}<b>unusable</b> when nothing was found.</p>" if checked else ""))


def _of_model(model: str, kinds: Counter[RowKind], checked: bool) -> list:
    total = kinds.total()
    by: Counter[str] = Counter()
    for kind, count in kinds.items():
        by[kind.outcome if kind.outcome in (SUCCEEDED, PENDING) else "failed"] += count
        if kind.outcome not in (PENDING,) and kind.answer:
            by[f"answer {kind.answer}"] += count
    answers = [by[f"answer {word}"] for word in ("success", "partial", "failed")]
    parts = zip(("good", "fair", "bad"), answers) if checked else zip(("good", "bad"), (by[SUCCEEDED], by["failed"]))
    row = [model, stacked([*parts, ("none", by[PENDING])]), total, by[SUCCEEDED], by["failed"], by[PENDING]]
    return row + [h('<td class="n">{} <small>{}</small></td>', n, percent(n, total)) for n in answers] * checked


def _failures(facts: Facts) -> Html:
    """Rows without a clean answer by class, and answers that are not clean by kind, with an example of each."""
    outcomes, unclear = Counter(), Counter()
    for one in facts.runs:
        outcomes.update(one.tally.outcomes)
        unclear.update(one.tally.unclear)
    lost = {name: n for name, n in outcomes.items() if name not in (SUCCEEDED, PENDING)}
    if not lost and not unclear:
        return Html("<h3>Failures</h3><p>None.</p>")
    found = [table(["class of failure", "rows", "an example"], _examples(facts, lost), "rows without a clean answer")] * bool(lost)
    found += [table(["what was wrong", "answers", "an example"], _examples(facts, unclear), "answers that are not clean")] * bool(unclear)
    return h("<h3>Failures</h3>{}", found)


def _examples(facts: Facts, counts: dict[str, int]) -> Iterator[list]:
    for name, count in sorted(counts.items(), key=lambda item: -item[1])[:MOST]:
        custom_id, words = facts.examples.get(name, ("", ""))
        yield [shown(name, 120), count, h('<td class="words"><code>{}</code> {}</td>', custom_id, shown(words, 200))]


def _runs(facts: Facts) -> Html:
    rows = [
        [one.run.key, one.run.experiment, one.tally.planned, one.tally.rows, "yes" if one.tally.adds_up else "NO",
         one.tally.taken, "rehearsal" if one.summary["simulated"] else "real", one.run.paused]
        for one in facts.runs
    ]  # fmt: skip
    head = ["run", "experiment", "requests", "rows", "adds up", "taken over", "", "waits for"]
    return folded(f"The sum of each run ({len(rows)})", table(head, rows))

"""The page of a report: its views in order under one banner, in one file that needs nothing beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from common.reports import agreement, answers, apart, sure, taken
from common.reports.facts import Facts, RunGroup
from common.reports.html import Html, h, shown
from common.text import iso, many

BANNER = "REHEARSAL: simulated answers of the local batch service, not data. Draw no conclusions from them."
VIEWS = (
    ("sure", "What was asked and how sure it is"),
    ("answers", "Answers"),
    ("agreement", "Agreement"),
    ("apart", "Where they disagree most"),
    ("cost", "Time and money"),
    ("record", "The record"),
)


def page(facts: Facts) -> bytes:
    """The whole page as HTML in UTF-8."""
    inside = {
        "sure": sure.view(facts),
        "answers": _parts(facts, answers.view),
        "agreement": _parts(facts, agreement.view),
        "apart": _parts(facts, apart.view),
        "cost": taken.costs(facts),
        "record": taken.record(facts),
    }
    mark = Html(' <span class="mark">rehearsal</span>' if facts.simulated else "")
    views = [h('<section id="{}"><h2>{}{}</h2>{}</section>', Html(key), name, mark, inside[key]) for key, name in VIEWS]
    links = [h('<a href="#{}">{}</a>', Html(key), name) for key, name in VIEWS]
    names = ", ".join(dict.fromkeys(str(one.record.get("title") or one.run.experiment) for one in facts.runs))
    known = {
        "title": shown(names, 120), "made": shown(iso(facts.made)), "banner": _banner(facts),
        "links": h("{}", links), "views": h("{}", views),
        "runs": shown(f"{many(len(facts.runs), 'run')}: {', '.join(one.run.key for one in facts.runs)}", 300),
    }  # fmt: skip
    return _template().substitute(known).encode("utf-8", "replace")


@cache
def _template() -> Template:
    return Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def _banner(facts: Facts) -> Html:
    if not facts.simulated:
        return Html("")
    some = f" This is so of {', '.join(facts.simulated)}." if len(facts.simulated) < len(facts.runs) else ""
    return h('<div class="banner" role="alert">{}{}</div>', Html(BANNER), shown(some, 400))


def _parts(facts: Facts, view: object) -> Html:
    """A view of each part, under its name where there are several."""
    parts = [part for part in facts.parts.values() if part.questions]
    if not parts:
        return Html("<p>These runs have no questions, so their answers are not taken apart.</p>")
    return h("{}", [h("{}{}", _name(part) if len(parts) > 1 else "", view(part)) for part in parts])


def _name(part: RunGroup) -> Html:
    return h('<h3 class="part">{} <small>{}</small></h3>', part.experiment, shown(", ".join(part.runs), 300))

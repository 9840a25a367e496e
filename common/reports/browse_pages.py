"""The pages to browse answers: a table of them, side by side by who answered, and one answer; HTML without a script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from common.outcomes import SUCCEEDED
from common.reports.browse_form import form, title_of
from common.reports.browse_query import Index, Page, Wish
from common.reports.html import Html, h, long, shown, table
from common.reports.page import BANNER
from common.results.codebook import LONG_MEANINGS, MEANINGS
from common.text import iso

EXCERPT, SIDE, WHOLE = 120, 240, 20_000  # characters of an answer in a table, beside others, and on a page of its own
NAMED = Index.NAMED


class View(NamedTuple):
    """What is shown of an index: what was asked of the page, as it was typed."""

    index: Index
    path: str
    items: Sequence[tuple[str, str]]
    wish: Wish

    def url(self, path: str = "", **new: str) -> Html:
        """A link to a page with the same wish but for what is new; its place among pages is kept only if it is given."""
        items = [item for item in self.items if item[0] not in ("after", "before", *new)] + [item for item in new.items() if item[1]]
        return Html(html.escape((path or self.path) + ("?" + urlencode(items) if items else "")))

    @property
    def varied(self) -> list[str]:
        """The columns that tell one question asked from another."""
        columns = self.index.columns
        return [name for name in self.index.note["asked"] if columns[name].kind != "coded" or columns[name].words > 1]

    @property
    def columns(self) -> list[str]:
        """The columns of the table: those that are wished for, else what was asked of whom and what came of it."""
        known = self.index.columns
        if wished := [value for name, value in self.items if name == "col" and value in known]:
            return wished
        usual = [name for name in ("run", "model", "outcome", "validation") if known[name].words > 1]
        return [*self.varied, *usual, *self.index.note["questions"], "answer"]


def listed(view: View) -> Html:
    """A table of answers."""
    page = view.index.rows(view.wish)
    names = view.columns
    cells = view.index.cells(page.ids, [*dict.fromkeys((*NAMED, *names))], EXCERPT)
    head = [_sorted_by(view, name) for name in ("custom_id", *names)]
    rows = [[_open(cells[one], shown(cells[one]["custom_id"], 48)), *(_cell(cells[one][name]) for name in names)] for one in page.ids]
    said = h("{} of {} answers{}", page.count, view.index.note["rows"], _order(view))
    return _page(view, "Answers", [form(view), _results(view, page, said, table(head, rows, said, "list"))])


def side(view: View) -> Html:
    """A row for each question asked, a column for each of those who answered."""
    page, sources = view.index.asked(view.wish), [tuple(one) for one in view.index.note["sources"]]
    of = {asked: {} for asked in page.ids}
    pairs = view.index.answers_to(page.ids)
    names = [*view.index.note["questions"], "outcome", "answer", "model", *NAMED]
    cells = view.index.cells({*page.ids, *(one for _, one in pairs)}, [*dict.fromkeys((*names, *view.varied))], SIDE)
    for asked, one in pairs:
        found = cells[one]
        of[asked][found["provider"], found["run"], found["model"]] = found
    head = [h('<th scope="col">what was asked</th>'), *(_who(sources, one) for one in sources)]
    rows = [[_asked(view, cells[asked]), *(_side(view, of[asked].get(one)) for one in sources)] for asked in page.ids]
    said = h("{} requests side by side{}", page.count, _order(view))
    return _page(view, "Side by side", [form(view), _results(view, page, said, table(head, rows, said, "side"))])


def one(view: View, row: int) -> Html:
    """An answer with all of its cells, and what others answered."""
    index = view.index
    names = [name for name in index.columns if name != "answer"]
    found = index.cells([row], names, WHOLE)[row]
    answer = index.answer(row)
    more = h('<p><a href="{}">The whole answer as text</a> ({} characters)</p>', _link(found, "/whole"), len(answer)) if answer else ""
    told = [[h("{}<br><small>{}</small>", name, _meaning(index, name)), _cell(found[name], 2_000)] for name in names
            if found[name] not in (None, "")]  # fmt: skip
    beside = [h('<a href="{}" rel="{}">{}</a>', _link(near, "/answer"), rel, Html(said))
              for at, rel, said in ((row - 1, Html("prev"), "‹ answer before"), (row + 1, Html("next"), "answer after ›"))
              if (near := index.cells([at], NAMED, WHOLE).get(at))]  # fmt: skip
    said = long(answer, WHOLE) if answer else Html("<p>None came.</p>")
    inside = [
        h('<section id="found" aria-label="answer"><h2>Answer</h2>{}{}</section>', said, more),
        h("<h2>Asked the same</h2>{}", _same(view, row)),
        h("<h2>All of the row</h2>{}", table(("column", "value"), told, "", "cells")),
        h('<nav aria-label="answers beside">{}</nav>', beside),
    ]
    return _page(view, str(found["custom_id"]), inside)


def wrong(view: View, said: str) -> Html:
    """A page that says what cannot be shown."""
    return _page(view, "Not found", [h('<p id="found" class="lead">{}</p>', shown(said, 300))])


# ---- parts


def _page(view: View, title: str, inside: Iterable[Html]) -> Html:
    note = view.index.note
    banner = h('<div class="banner" role="alert">{}</div>', Html(BANNER)) if note["simulated"] else ""
    tabs = [h('<a href="{}"{}>{}</a>', view.url(path, sort=""), Html(' aria-current="page"' * (view.path == path)), name)
            for path, name in (("/", "Answers"), ("/side", "Side by side"))]  # fmt: skip
    runs = ", ".join(note["runs"])
    return h(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>{}</title><link rel="stylesheet" href="/style.css"></head><body>'
        '<a class="skip" href="#found">Skip to the answers</a>{}<header><h1>{}</h1><p class="made">{} · as of {}</p>'
        '<nav aria-label="views">{}</nav></header><main>{}</main></body></html>',
        Html(html.escape(title)[:200]), banner, shown(title, 200), shown(runs, 200), iso(note["made"]), tabs, inside,
    )  # fmt: skip


def _results(view: View, page: Page, said: Html, found: Html) -> Html:
    if not page.ids:
        return h('<p id="found" class="lead">{}. <a href="{}">Show all</a></p>', said, Html(view.path))
    links = [
        h('<a href="{}">« first</a>', view.url()) if page.before else "",
        h('<a href="{}" rel="prev">‹ previous</a>', view.url(before=_place(page.before))) if page.before else "",
        h('<a href="{}" rel="next">next ›</a>', view.url(after=_place(page.after))) if page.after else "",
    ]
    return h('<section id="found" aria-label="answers">{}<nav aria-label="pages" class="pages">{}</nav></section>', found, links)


def _place(at: tuple[float, int]) -> str:
    return f"{at[0]!r}:{at[1]}"


def _order(view: View) -> Html:
    way = "largest or last first" if view.wish.falling else "smallest or first first"
    what = view.wish.sort.replace("apart:", "how far apart ")
    return h(", by {}, {}", what, Html(way)) if what else Html("")


def _sorted_by(view: View, name: str) -> Html:
    """The head of a column: a link that sorts by it, or the other way round."""
    mine, falls = view.wish.sort == name, view.wish.falling
    state = Html(f' aria-sort="{"descending" if falls else "ascending"}"' if mine else "")
    arrow = Html((" ▼" if falls else " ▲") if mine else "")
    to = view.url(sort=name, down="" if falls or not mine else "1")
    return h('<th scope="col"{}><a href="{}">{}{}</a>{}</th>', state, to, name, arrow, _title(view.index, name))


def _title(index: Index, name: str) -> Html:
    return h("<br><small>{}</small>", said) if (said := title_of(index, name)) else Html("")


def _meaning(index: Index, name: str) -> str:
    return index.note["titles"].get(name, "") or {**LONG_MEANINGS, **MEANINGS}.get(name, "")


def _link(found: Mapping[str, object], path: str) -> Html:
    """The permanent link to a row: by its run and its request's id."""
    named = {"run": f"{found['provider']}/{found['run']}", "id": str(found["custom_id"])}
    return Html(html.escape(f"{path}?{urlencode(named)}"))


def _open(found: Mapping[str, object], said: object) -> Html:
    return h('<a href="{}">{}</a>', _link(found, "/answer"), said)


def _cell(value: object, limit: int = EXCERPT) -> object:
    if isinstance(value, str):
        return h('<td class="{}">{}</td>', Html("words" if len(value) > 40 else ""), shown(value, limit))
    return "" if value is None else value


def _who(sources: Sequence[tuple[str, str, str]], one: tuple[str, str, str]) -> Html:
    """A model, and its run where it stands in several."""
    provider, run, model = one
    again = sum(other[2] == model for other in sources) > 1
    return h('<th scope="col">{}{}</th>', model, h("<br><small>{}</small>", f"{provider}/{run}") if again else "")


def _asked(view: View, found: Mapping[str, object]) -> Html:
    said = [h("<small>{}</small> {}<br>", name, shown(found[name], 60)) for name in view.varied if found[name] not in (None, "")]
    return h("{}", said or "all")


def _side(view: View, found: Mapping[str, object] | None) -> Html:
    if found is None:
        return Html("<td>–</td>")
    values = [h("{} <b>{}</b> ", name, shown(value, 60)) for name in view.index.note["questions"] if (value := found[name]) is not None]
    said = values if found["outcome"] == SUCCEEDED and values else [shown(found["outcome"])]
    whose = h('<span class="unseen"> by {}: {}</span>', found["model"], shown(found["custom_id"], 48))
    link = h('<a href="{}">{}{}</a>', _link(found, "/answer"), said, whose)
    return h('<td class="words">{}<br>{}</td>', link, shown(found["answer"] or "", SIDE))


def _same(view: View, row: int) -> Html:
    """What others answered to the same, as a table."""
    index = view.index
    others = [one for _, one in index.answers_to([index.first_of(row)]) if one != row][:100]
    if not others:
        return Html("<p>of nobody else.</p>")
    questions = index.note["questions"]
    cells = index.cells(others, [*dict.fromkeys((*NAMED, "model", "outcome", "answer", *questions))], EXCERPT)
    rows = [[_open(cells[one], cells[one]["model"]), cells[one]["run"], cells[one]["outcome"], *(_cell(cells[one][name])
             for name in (*questions, "answer"))] for one in others]  # fmt: skip
    return table(("model", "run", "outcome", *questions, "answer"), rows, "", "list")

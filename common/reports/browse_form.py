"""The form of a page to browse: what is searched for, filtered and sorted by, without a script."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from common.reports.browse_index import CODED, FREE, NUMBER, Column
from common.reports.browse_query import Index
from common.reports.html import Html, h, shown

if TYPE_CHECKING:
    from common.reports.browse_pages import View

_OFTEN = ("run", "model", "outcome", "validation", "custom_id")


def form(view: View) -> Html:
    """The whole form, which comes back to the same page."""
    wish, often = view.wish, (*view.index.note["asked"], *_OFTEN, *view.index.note["questions"])
    fields = {True: [], False: []}
    for column in view.index.columns.values():
        fields[column.name in often].append(_field(view, column, column.name in often))
    is_open = Html(" open" if wish.alike or wish.least or wish.most or wish.sort else "")
    return h(
        '<form method="get" action="{}" role="search"><p class="search"><label for="q">Search the answers</label>'
        '<input id="q" name="q" type="search" value="{}" maxlength="200"><button>Show</button><a href="{}">Clear all</a></p>'
        "<details{}><summary>Filter and sort</summary><div class='fields'>{}{}</div>"
        "<details><summary>More columns to filter by</summary><div class='fields'>{}</div></details>{}</details></form>",
        Html(view.path), _attribute(wish.words), Html(view.path), is_open, fields[True], _sort(view), fields[False],
        _columns(view) if view.path == "/" else "",
    )  # fmt: skip


def title_of(index: Index, name: str) -> str:
    """What a question's column is called beside its name, where that does not say it already."""
    title = index.note["titles"].get(name, "")
    return "" if title in name else title


def _attribute(text: object) -> Html:
    return Html(html.escape(str(text)))


def _field(view: View, column: Column, is_often: bool) -> Html:
    if column.kind == NUMBER:
        return _range(view, column)
    if column.kind == CODED and column.words > 1:
        return _choice(view, column) if column.listed else _typed(view, column)
    return _typed(view, column) if column.kind == FREE and is_often else Html("")


def _label(view: View, column: Column) -> Html:
    title = title_of(view.index, column.name)
    return h("{}{}", column.name, h(" <small>{}</small>", title) if title else "")


def _choice(view: View, column: Column) -> Html:
    options = _options(((word, word) for word in column.listed), view.wish.alike.get(column.name, ""))
    name, at = _attribute(f"is.{column.name}"), column.at
    return h('<p><label for="w{}">{}</label><select id="w{}" name="{}"><option value="">any</option>{}</select></p>',
             at, _label(view, column), at, name, options)  # fmt: skip


def _typed(view: View, column: Column) -> Html:
    name, value, at = _attribute(f"is.{column.name}"), _attribute(view.wish.alike.get(column.name, "")), column.at
    return h('<p><label for="w{}">{} is</label><input id="w{}" name="{}" value="{}"></p>', at, _label(view, column), at, name, value)


def _range(view: View, column: Column) -> Html:
    ends = []
    for word, bounds, sign in (("from", view.wish.least, "min"), ("to", view.wish.most, "max")):
        value = _attribute(format(bounds[column.name], ".15g") if column.name in bounds else "")
        name = _attribute(f"{sign}.{column.name}")
        ends.append(h('<label>{} <input name="{}" value="{}" inputmode="decimal" size="6"></label>', Html(word), name, value))
    return h("<fieldset><legend>{}</legend>{}</fieldset>", _label(view, column), ends)


def _sort(view: View) -> Html:
    names = [(name, name) for name in view.index.columns]
    if view.path == "/side":
        names = [(f"apart:{one.name}", f"how far apart: {one.name}") for one in view.index.sides] + names
    down = Html(" checked" if view.wish.falling else "")
    return h('<p><label for="sort">Sort by</label><select id="sort" name="sort"><option value="">{}</option>{}</select></p>'
             '<p class="check"><label><input type="checkbox" name="down" value="1"{}> largest or last first</label></p>',
             Html("what was asked" if view.path == "/side" else "as they came"), _options(names, view.wish.sort), down)  # fmt: skip


def _options(words: Iterable[tuple[str, str]], chosen: str) -> list[Html]:
    return [h('<option value="{}"{}>{}</option>', _attribute(value), Html(" selected" if value == chosen else ""), _plain(said))
            for value, said in words]  # fmt: skip


def _plain(text: str) -> Html:
    """Text where no other tag may stand."""
    return Html(shown(text, 60).removeprefix("<bdi>").removesuffix("</bdi>"))


def _columns(view: View) -> Html:
    boxes = [h('<label><input type="checkbox" name="col" value="{}"{}> {}</label>', _attribute(name),
               Html(" checked" if name in view.columns else ""), name) for name in view.index.columns]  # fmt: skip
    return h('<details><summary>Columns to show</summary><fieldset class="columns"><legend>Columns</legend>{}</fieldset></details>', boxes)

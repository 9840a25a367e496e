"""The local page over all answers of runs: which address shows what, and what a person has typed into one as a wish."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from common.reports.browse_pages import View, listed, one, side, wrong
from common.reports.browse_query import Index, Wish, Wrong
from common.reports.html import Html
from common.reports.local_page import LocalPage
from common.text import without_controls

_PLACE = re.compile(r"(-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?|inf)):([0-9]{1,15})")
_PAGES = Path(__file__).parent


def app(index: Index) -> ASGIApp:
    """The application over an index; it only reads, and answers to this machine's names alone."""
    routes = [
        Route("/", _shown(index, listed)),
        Route("/side", _shown(index, side)),
        Route("/answer", _shown(index, lambda view: one(view, _row(view)))),
        Route("/whole", _whole(index)),
        Route("/style.css", lambda request: Response(_style(), media_type="text/css")),
    ]
    return LocalPage(Starlette(routes=routes))


@cache
def _style() -> str:
    """The report's look, and what the pages have beyond it."""
    report = (_PAGES / "page.html").read_text(encoding="utf-8")
    return report[report.index("<style>") + 7 : report.index("</style>")] + (_PAGES / "browse.css").read_text(encoding="utf-8")


def _shown(index: Index, draw: Callable[[View], Html]) -> Callable[[Request], Response]:
    def page(request: Request) -> Response:
        path, items = request.url.path, request.query_params.multi_items()
        full = [(name, value) for name, value in items if value]
        if full != items:  # fields of the form that were left empty: an address to keep is short
            return RedirectResponse(str(View(index, path, full, Wish()).url()).replace("&amp;", "&"), 303)
        try:
            return _html(draw(View(index, path, full, wish_of(full))))
        except Wrong as error:
            return _html(wrong(View(index, path, [], Wish()), str(error)), 404)

    return page


def _html(page: Html, status: int = 200) -> Response:
    return HTMLResponse(page.encode("utf-8", "replace"), status)


def _whole(index: Index) -> Callable[[Request], Response]:
    def text(request: Request) -> Response:
        try:
            answer = index.answer(_row(View(index, "/whole", request.query_params.multi_items(), Wish())))
        except Wrong as error:
            return PlainTextResponse(f"{error}\n", 404)
        return PlainTextResponse(without_controls(answer.encode("utf-8", "replace")))

    return text


def _row(view: View) -> int:
    """The row that an address names. Raises Wrong when there is none."""
    asked = dict(view.items)
    found = view.index.named(asked.get("id", ""), asked.get("run", ""))
    if not found:
        raise Wrong(f"No answer {asked.get('id', '')!r} in {asked.get('run') or 'these runs'}.")
    return found[0]


def wish_of(items: list[tuple[str, str]]) -> Wish:
    """What an address wishes for. Raises Wrong for what cannot be read."""
    one = dict(items)
    return Wish(
        one.get("q", ""),
        {name[3:]: value for name, value in items if name.startswith("is.")},
        {name[4:]: _number(value) for name, value in items if name.startswith("min.")},
        {name[4:]: _number(value) for name, value in items if name.startswith("max.")},
        one.get("sort", ""), one.get("down") == "1", _place(one.get("after")), _place(one.get("before")),
    )  # fmt: skip


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Wrong(f"Expected a number, not {text!r}.") from None


def _place(text: str | None) -> tuple[float, int] | None:
    if text is None:
        return None
    match = _PLACE.fullmatch(text)
    if not match:
        raise Wrong(f"There is no page at {text!r}.")
    return float(match[1]), int(match[2])

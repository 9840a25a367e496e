"""HTML in which nothing foreign is ever markup: whatever is no `Html` is escaped, flattened, cut and set apart when it is put in."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from common.experiment.data.defused import defused
from common.text import one_line

LONGEST = 80  # characters of a label or a cell
_ESCAPED = 6  # characters that one may grow to


class Html(str):
    """What is HTML already."""


def shown(value: object, limit: int = LONGEST) -> Html:
    """A value as HTML. Foreign text loses controls and marks that turn its direction, and begins no formula when it is pasted."""
    if isinstance(value, Html):
        return value
    if isinstance(value, (int, float)):
        return Html(f"{value:,}" if isinstance(value, int) else format(value, ".6g"))
    text = defused(one_line(str(value)[: limit * _ESCAPED], limit))
    return Html(f"<bdi>{html.escape(text)}</bdi>") if text else Html("")


def long(value: object, limit: int) -> Html:
    """A longer text, with its lines."""
    text = str(value)
    lines = [one_line(line, limit) for line in text[:limit].splitlines()]
    more = f"\n… {len(text) - limit:,} more characters" if len(text) > limit else ""
    return Html(f'<pre dir="auto" tabindex="0">{html.escape(chr(10).join(lines))}{more}</pre>')


def h(template: str, *values: object) -> Html:
    """A template with {} filled by values, or by lists of them."""
    return Html(template.format(*(joined(value) if isinstance(value, (list, tuple)) else shown(value) for value in values)))


def joined(values: Iterable[object]) -> Html:
    """Values one after the other."""
    return Html("".join(map(shown, values)))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: object = "", kind: str = "") -> Html:
    """A table that scrolls by itself where it is too wide. The first cell of a row names it; numbers and `Html` stand as they come."""
    body = [h("<tr>{}{}</tr>", h('<th scope="row">{}</th>', first), [_cell(cell) for cell in cells]) for first, *cells in rows]
    top = [_head(cell) for cell in head]
    said = h("<caption>{}</caption>", caption) if caption else ""
    inside = h("{}<thead><tr>{}</tr></thead><tbody>{}</tbody>", said, top, body)
    return h('<div class="wide" tabindex="0"><table class="{}">{}</table></div>', Html(kind), inside)


def _head(value: object) -> Html:
    if isinstance(value, Html) and value.startswith("<th"):
        return value
    return h('<th scope="col">{}</th>', value) if value else Html("<td></td>")


def _cell(value: object) -> Html:
    if isinstance(value, Html) and value.startswith("<td"):
        return value
    number = isinstance(value, (int, float, Figure))
    return h('<td class="n">{}</td>' if number else "<td>{}</td>", value)


class Figure(Html):
    """A number as it is shown."""


def figure(value: float | None, digits: int = 1) -> Figure:
    """A number with so many decimals; a dash where there is none."""
    return Figure("–" if value is None else f"{value:,.{digits}f}".replace("-", "−"))


def percent(part: float, whole: float) -> Figure:
    """A share of a whole."""
    return Figure(f"{part / whole:.1%}" if whole else "–")


def heat(share: float, text: object) -> Html:
    """A cell of a heat map: `share` from 0 to 1 is how strong its colour is."""
    return h(f'<td class="n heat" style="--v:{max(0.0, min(1.0, share)):.2f}">{{}}</td>', text)


def folded(title: object, *inside: Html, is_open: bool = False) -> Html:
    """Something that opens when it is clicked."""
    return h("<details{}><summary>{}</summary>{}</details>", Html(" open" * is_open), title, inside)

"""Small figures as inline SVG, drawn in shares of their width so that they fit any column; colours are the page's."""

from __future__ import annotations

from collections.abc import Sequence

from common.reports.html import Html

HEIGHT = 18


def _svg(kind: str, inside: str) -> Html:
    """No screen reader needs it: the same numbers stand beside it."""
    return Html(f'<svg class="{kind}" height="{HEIGHT}" aria-hidden="true">{inside}</svg>')


def interval(mean: float, half: float | None, low: float, high: float) -> Html:
    """A mean as a dot with its interval as a line, between the ends of the range."""
    at, (begin, end) = _place(mean, low, high), (_place(mean + sign * (half or 0.0), low, high) for sign in (-1, 1))
    zero = f'<line class="zero" x1="{_place(0, low, high)}" x2="{_place(0, low, high)}" y1="0" y2="18"/>' if low < 0 < high else ""
    line = f'<line class="span" x1="{begin}" x2="{end}" y1="9" y2="9"/>'
    track = '<line class="track" x1="0" x2="100%" y1="9" y2="9"/>'
    return _svg("interval", f'{track}{zero}{line}<circle cx="{at}" cy="9" r="3.5"/>')


def _place(value: float, low: float, high: float) -> str:
    return f"{100 * min(1.0, max(0.0, (value - low) / (high - low))):.1f}%"


def histogram(bins: Sequence[int]) -> Html:
    """How often values fell into equal parts of a range."""
    most, width = max(bins) or 1, 100 / len(bins)
    tall = [HEIGHT * count / most for count in bins]
    bars = "".join(
        f'<rect x="{n * width:.1f}%" y="{HEIGHT - high:.1f}" width="{width * 0.9:.1f}%" height="{high:.1f}"/>'
        for n, high in enumerate(tall)
        if high
    )
    return _svg("histogram", bars)


def stacked(parts: Sequence[tuple[str, int]]) -> Html:
    """Parts of a whole beside each other: (class of the page's colours, how many)."""
    whole, at, bars = sum(count for _, count in parts) or 1, 0.0, ""
    for kind, count in parts:
        bars += f'<rect class="{kind}" x="{at:.2f}%" y="2" width="{100 * count / whole:.2f}%" height="14"/>' if count else ""
        at += 100 * count / whole
    return _svg("stacked", bars)

"""Owns the picture: CPU time and memory over the number of requests, as an SVG drawn by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

COLOURS = {"dry run": "#2563eb", "convert": "#d97706", "submit and collect": "#059669"}
WIDE, HIGH, LEFT, TOP, BOTTOM = 440, 300, 62, 46, 56
Ticks = Sequence[tuple[float, str]]
Curves = dict[str, Sequence[tuple[int, float, float]]]


def draw(curves: Curves) -> str:
    """Two panels side by side: time on logarithmic axes (a slope of one is linear), peak RSS on a plain one."""
    sizes = sorted({size for points in curves.values() for size, *_ in points})
    most_rss = max((rss for points in curves.values() for *_, rss in points), default=1)
    top = 25 * math.ceil(max(most_rss * 1.25, 75) / 25)
    times = [cpu for points in curves.values() for _, cpu, _ in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    seconds = [(10.0**e, f"{10.0**e:g}") for e in range(low, high + 1)]
    memory = [(value, f"{value:g}") for value in range(0, top + 1, 25)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDE + 40} {HIGH + 30}" font-family="sans-serif" font-size="12">',
        f'<rect width="{2 * WIDE + 40}" height="{HIGH + 30}" fill="#fff"/>',
        *_panel(0, "CPU seconds", curves, sizes, 1, seconds, lambda v: (math.log10(v) - low) / (high - low)),
        *_panel(WIDE + 20, "Peak memory, MB", curves, sizes, 2, memory, lambda v: v / top),
    ]
    for n, name in enumerate(curves):
        x = LEFT + n * 170
        parts.append(f'<rect x="{x}" y="{HIGH + 6}" width="14" height="4" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{x + 20}" y="{HIGH + 13}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    at: int, title: str, curves: Curves, sizes: Sequence[int], figure: int, ticks: Ticks, height: Callable[[float], float]
) -> list[str]:
    span = math.log10(sizes[-1] / sizes[0]) or 1

    def x(size: int) -> float:
        return at + LEFT + math.log10(size / sizes[0]) / span * (WIDE - LEFT - 30)

    def y(value: float) -> float:
        return HIGH - BOTTOM - height(value) * (HIGH - BOTTOM - TOP)

    parts = [f'<text x="{at + LEFT}" y="26" font-size="14" font-weight="bold">{escape(title)}</text>']
    for value, label in ticks:
        parts.append(f'<line x1="{x(sizes[0]):.1f}" x2="{x(sizes[-1]):.1f}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{at + LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#555">{label}</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.1f}" y="{HIGH - BOTTOM + 20}" text-anchor="middle" fill="#555">{size:,}</text>')
    parts.append(f'<text x="{(x(sizes[0]) + x(sizes[-1])) / 2:.1f}" y="{HIGH - BOTTOM + 40}" text-anchor="middle">requests</text>')
    for name, points in curves.items():
        line = " ".join(f"{x(point[0]):.1f},{y(point[figure]):.1f}" for point in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(p[0]):.1f}" cy="{y(p[figure]):.1f}" r="3" fill="{COLOURS[name]}"/>' for p in points]
    return parts

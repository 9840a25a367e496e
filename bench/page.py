"""Owns what the bench says: one Markdown table, and docs/performance.md around it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from bench.measure import MB, median
from bench.picture import draw
from bench.rows import Bench, Row

HEAD = "| work | seconds | spread | peak RSS, MB | limit, s | ratio | target | met | |\n|---|--:|---|--:|--:|--:|---|---|---|"
BY_HAND = "<!-- what follows is written by hand -->"
INTRO = """# Performance

Written by `python -m bench --write`; `make bench` prints the same table. Every row is the median of {runs} runs that took
turns with its limit, the barest script that does the same work without checking, resuming or accounting (`bench/limits.py`).
Seconds are CPU seconds (user + system) of all of the program's processes, without the local batch service's; rows marked
"wall" are wall seconds. The inputs are generated, and every output is counted and checked. Where other work runs on the
machine at the same time, trust ratios more than seconds.

Measured on {day}: {machine}, {system}, Python {python}.

{table}

![CPU time and memory for 1,000 to 1,000,000 requests](performance.svg)

The curves: a study of 4 personas × 3 texts × trials planned with `--dry-run` (1,200 Japanese characters a text), the same
submitted and collected on the local batch service (300 characters a text), and raw output converted to CSV (1,800 bytes a line).

{numbers}
"""


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    return "\n".join([HEAD, *map(line, rows)])


def line(row: Row) -> str:
    """One row as Markdown."""
    wall = " wall" if row.of == "wall" else ""
    limit = f"{median(row.limit, row.of):.2f}" if row.limit else ""
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
    notes = "; ".join(n for n in (row.note, f"limit: {row.limit_is}" if row.limit_is else "", _peers(row)) if n)
    return (
        f"| {row.work} | {median(row.ours, row.of):.2f}{wall} | {row.spread} | {row.rss:.0f} | {limit} | {ratio} | {row.target.said} | "
        f"{'yes' if row.met else '**no**'} | {notes} |"
    )


def _peers(row: Row) -> str:
    return "; ".join(f"{name}: {median(s):.1f} s, {max(one.rss for one in s) / MB:.0f} MB" for name, s in row.peers.items())


def numbers(bench: Bench) -> str:
    """The points of the picture as a table."""
    lines = ["| | requests | cpu s | peak RSS, MB |", "|---|--:|--:|--:|"]
    lines += [f"| {name} | {size:,} | {cpu:.2f} | {rss:.0f} |" for name, points in bench.curves.items() for size, cpu, rss in points]
    return "\n".join(lines)


def write(folder: Path, rows: Sequence[Row], bench: Bench) -> None:
    """docs/performance.md, but for what stands there by hand behind the figures, and docs/performance.svg."""
    (folder / "performance.svg").write_text(draw(bench.curves), encoding="utf-8")
    page = INTRO.format(
        runs=bench.runs, day=date.today(), machine=machine(), system=platform.platform(terse=True), python=platform.python_version(),
        table=table(rows), numbers=numbers(bench),
    )  # fmt: skip
    path = folder / "performance.md"
    by_hand = path.read_text(encoding="utf-8").partition(BY_HAND)[2] if path.exists() else ""
    path.write_text(page + "\n" + BY_HAND + (by_hand or "\n"), encoding="utf-8")


def machine() -> str:
    """This machine in words: processor, cores, memory."""
    import os

    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next((line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")), name)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GB"

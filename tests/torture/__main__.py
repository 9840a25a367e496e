"""make torture: the whole campaign on all cores, its figures as Markdown, exit 1 when anything was lost or paid twice."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date

from tests.basics import ROOT, work_in_memory
from tests.torture.jobs import plan
from tests.torture.kills import Verdict

DOC = ROOT / "docs" / "reliability.md"
OPEN = "open: "  # campaigns on what the promise does not cover: measured, not judged
MARK = "<!-- figures: written by python -m tests.torture --write -->"


def main() -> int:
    """Run the campaign; returns the exit code."""
    parser = argparse.ArgumentParser(description="Kill, cut and lie everywhere, and count what was lost.")
    parser.add_argument("--points", type=int, default=260, help="kill points per profile at most (default 260)")
    parser.add_argument("--examples", type=int, default=200, help="random trials (default 200)")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="of the random trials")
    parser.add_argument("--only", default="", help="only pieces whose name holds this text")
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1), help="two a core: each waits half of its time")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, about two minutes")
    args = parser.parse_args()
    args.points, args.examples, thin = (40, 20, 11) if args.quick else (args.points, args.examples, 1)
    work_in_memory()
    begun, found = time.monotonic(), {}
    with ProcessPoolExecutor(args.workers) as pool:
        jobs = [piece for piece in plan(args.points, args.examples, args.seed, thin) if args.only in piece[0]]
        waiting = {pool.submit(function, *arguments): name for name, function, arguments in jobs}
        for done in as_completed(waiting):
            name, verdict = waiting[done], done.result()
            found.setdefault(name, Verdict()).add(verdict)
            print(
                f"{time.monotonic() - begun:6.0f} s  {name}: {verdict.trials} trials, {verdict.failed} failed",
                file=sys.stderr,
                flush=True,
            )
            for failure in verdict.failures if name in sound(found) else ():
                print(f"          {failure}", file=sys.stderr, flush=True)
    text = table(found, args.seed, time.monotonic() - begun)
    print(text)
    if args.write:
        head, _, tail = DOC.read_text(encoding="utf-8").partition(MARK)
        DOC.write_text(f"{head}{MARK}\n{text}\n{MARK}{tail.partition(MARK)[2]}", encoding="utf-8")
    return 0 if is_good(found) else 1


def sound(found: dict[str, Verdict]) -> dict[str, Verdict]:
    """What the promise covers, all safeguards in place."""
    return {name: verdict for name, verdict in sorted(found.items()) if not name.startswith(("without", OPEN))}


def is_good(found: dict[str, Verdict]) -> bool:
    """Nothing failed with all safeguards, and something failed without each of them; what is open does not count."""
    return not any(v.failed for v in sound(found).values()) and all(v.failed for name, v in found.items() if name.startswith("without"))


def table(found: dict[str, Verdict], seed: int, seconds: float) -> str:
    """The figures as Markdown."""
    held = sound(found)
    bites = {name: verdict for name, verdict in sorted(found.items()) if name.startswith("without")}
    unheld = {name.removeprefix(OPEN): verdict for name, verdict in sorted(found.items()) if name.startswith(OPEN)}
    lines = [
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"seed {seed}, {seconds / 60:.0f} minutes.",
        "",
        "| campaign | trials | kills | boundaries in an undisturbed run | failed |",
        "|---|--:|--:|--:|--:|",
        *(f"| {name} | {v.trials:,} | {v.kills:,} | {v.points or ''} | {v.failed} |" for name, v in held.items()),
        f"| **all** | {sum(v.trials for v in held.values()):,} | {sum(v.kills for v in held.values()):,} | "
        f"| **{sum(v.failed for v in held.values())}** |",
        "",
        "| with one safeguard taken away | trials | caught by |",
        "|---|--:|--:|",
        *(f"| {name} | {v.trials:,} | {v.failed:,} trials |" for name, v in bites.items()),
        "",
        "| not covered by the promise | trials | failed |",
        "|---|--:|--:|",
        *(f"| {name} | {v.trials:,} | {v.failed:,} |" for name, v in unheld.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())

"""make report: the runs of the results folder in one table, or with names their answers as a page to look at."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from common.cli.exits import OK
from common.cli.export import source_of
from common.cli.folder import looked_at, results_folder
from common.cli.named import runs_meant
from common.cli.text import SIMULATED, Voice, all_runs
from common.errors import InputError
from common.files import write_whole
from common.reports.facts import Facts, gather
from common.reports.means import write_means
from common.reports.page import page
from common.runs.journal import Journal

PAGE = "report.html"


def command(args: argparse.Namespace) -> int:
    """Tell of all runs, or make the page of some; returns the exit code. Raises InputError before anything is written."""
    results = results_folder(args.results)
    with looked_at(results) as journal:
        if args.runs:
            return _page(args, journal, results)
        print(all_runs(journal), *journal.garbled.values(), sep="\n")
    return OK


def _page(args: argparse.Namespace, journal: Journal, results: Path) -> int:
    target = args.out or results / PAGE
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target}: expected a file that ends in .html, as in --out {PAGE}")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder; make it first, or choose another place with --out FILE")
    with ExitStack() as stack:
        facts = gather([source_of(journal, run, stack) for run in runs_meant(journal, args.runs)])
    write_whole(target, page(facts))
    table = target.with_suffix(".csv")
    rows = write_means(facts, table)
    _say(args, facts, target, table, rows)
    return OK


def _say(args: argparse.Namespace, facts: Facts, target: Path, table: Path, rows: int) -> None:
    voice = Voice(as_json=args.json)
    if args.json:
        voice.json({"report": str(target), "table": str(table), "rows": rows, "runs": [one.run.key for one in facts.runs],
                    "requests": sum(one.tally.planned for one in facts.runs), "simulated_runs": facts.simulated})  # fmt: skip
        return
    if facts.simulated:
        voice.say(f"{SIMULATED} ({len(facts.simulated)} of {len(facts.runs)} runs)")
    voice.say(f"means: {table} ({rows:,} rows)", f"open {target}")

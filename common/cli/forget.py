"""make forget: what would be removed of runs, and with --yes its removal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing

from common.cli.exits import OK
from common.cli.folder import results_folder
from common.cli.named import only_run
from common.cli.text import Voice
from common.errors import InputError
from common.maintenance.forget import check_forgettable, forget, raw_files_of, was_sent
from common.nouns import Run
from common.runs.journal import Journal
from common.text import size


def command(args: argparse.Namespace) -> int:
    """Show or do it; returns the exit code. Raises InputError, before anything is removed, for a run that is not over."""
    results, voice = results_folder(args.results), Voice(as_json=False)
    if not (results / "journal.db").exists():
        raise InputError(f"{results}: no journal, so nothing to forget")
    with closing(Journal(results)) as journal:
        runs = [only_run(journal, name) for name in dict.fromkeys(args.run)]
        for run in runs:
            check_forgettable(journal, run)
        for run in runs:
            voice.say(*(_done(journal, run) if args.yes else _shown(journal, run)))
    if not args.yes:
        voice.say(f"nothing was removed; make forget RUN={' '.join(run.key for run in runs)!r} YES=1 does it")
    return OK


def _shown(journal: Journal, run: Run) -> Iterator[str]:
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    what = f"{run.folder} ({len(files):,} files, {size(sum(path.stat().st_size for path in files))})"
    if not was_sent(journal, run):
        yield f"{run.key}: a plan of {run.planned:,} requests that was never sent; would remove {what}"
        return
    yield f"{run.key}: {run.planned:,} requests, over; would back up, then remove {what} and {len(raw_files_of(journal, run))} raw files"
    yield "  its answers are then in the archive only, and the command that asked for them would ask and pay anew;"
    yield "  what it has cost is still counted by make costs"


def _done(journal: Journal, run: Run) -> Iterator[str]:
    saved = forget(journal, run)
    yield f"{run.key}: forgotten" + (f"; saved in {saved}" if saved else "; it was a plan and never sent")

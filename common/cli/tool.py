"""What stands behind make: status, report, audit, backup, adopt … They look at the results folder that the environment names."""

from __future__ import annotations

import argparse
import csv
import importlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from common import catalog, cli
from common.cli import adopt, backups, costs, disk, export, forget, metrics, notify_test, report, rescore, share, standing, tidy
from common.cli.exits import OK, UNFINISHED, guarded
from common.cli.folder import looked_at, results_folder
from common.cli.named import run_named, way_to
from common.cli.new import new
from common.cli.progress import Patient
from common.cli.scripts import script_of
from common.errors import InputError, disk_error
from common.maintenance.audit import audit
from common.nouns import Run
from common.providers import connect
from common.providers.account import Account
from common.runs.journal import Journal
from common.text import one_line


def run(tool: Callable[[Path], int], typed: str) -> int:
    """The exit code of a tool, which gets the results folder; `typed` is its command, for when it is to be typed again."""
    return guarded(lambda: tool(results_folder()), typed, "stopped")


def _status(args: argparse.Namespace) -> int:
    """All runs, or the answer of the script that knows the ID. Raises InputError for options that go with all runs only."""
    if args.id is None:
        return standing.command(args)
    if args.watch or args.offline or args.all:
        raise InputError("--watch, --offline and --all go with all runs; leave out the ID")
    with looked_at(results_folder()) as journal:
        found = run_named(journal, args.id)
    return cli.main(script_of(found.provider, found.host), ["--status", args.id, *way_to(found), *args.more])


def _unread(journal: Journal) -> list[str]:
    """The runs that could not be shown, after all were asked for."""
    return list(journal.garbled.values())


def _audit(args: argparse.Namespace) -> int:
    """Every run against journal and checksums."""
    with looked_at(results_folder()) as journal:
        runs = journal.runs()
        wrong = sum(_audited(journal, run) for run in runs) + len(journal.garbled)
        print(*_unread(journal), f"{len(runs) + len(journal.garbled)} runs, {wrong} with findings", sep="\n")
    return UNFINISHED if wrong else OK


def _audited(journal: Journal, run: Run) -> bool:
    """Say what is wrong with a run; whether something is."""
    with closing(connect(Account(catalog.hosts()[run.host], run.address))) as provider:
        findings = list(_findings(audit(journal, run, provider, Patient(f"{run.provider}/{run.name}: "))))
    print(f"{run.provider}/{run.name}: {run.planned:,} requests, {'ok' if not findings else 'NOT as the journal says'}")
    for finding in findings:
        print(f"  {finding}")
    return bool(findings)


def _findings(found: Iterator[str]) -> Iterator[str]:
    """The findings of an audit, and what ended it before its time: a garbled file of one run must not hide the others."""
    try:
        yield from found
    except (InputError, OSError, ValueError, TypeError, LookupError, AttributeError, csv.Error) as error:
        said = disk_error(error) if isinstance(error, OSError) else f"a file of the run cannot be read: {error}"
        yield one_line(said, 300)


def _page(name: str) -> Callable[[argparse.Namespace], int]:
    """A command that shows a page: its module brings a web server, and is imported when it is wanted."""
    return lambda args: importlib.import_module(f"common.cli.{name}").command(args)


TARGETS = {
    "status": _status, "report": report.command, "audit": _audit, "backup": backups.save, "restore": backups.bring_back,
    "disk": disk.command, "tidy": tidy.command, "adopt": adopt.command,
    "rescore": rescore.command, "browse": _page("browse"), "export": export.command, "forget": forget.command, "costs": costs.command,
    "share": share.share_run, "import": share.import_run, "new": new,
    "dashboard": _page("dashboard"), "metrics": metrics.command, "notify-test": notify_test.command,
}  # fmt: skip

"""make export: one table over the runs that a person names, and what is told of it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from common import catalog
from common.cli.exits import OK, UNFINISHED
from common.cli.folder import journal_of, results_folder
from common.cli.named import runs_named
from common.cli.text import SIMULATED, Voice, failures
from common.errors import InputError
from common.maintenance.places import Place, is_address, place
from common.nouns import Run
from common.outcomes import PENDING, SUCCEEDED
from common.providers import connect
from common.providers.account import Account
from common.results.export import CODEBOOK, Exported, Source, export
from common.results.origin import RunOrigin
from common.results.raw import Decode
from common.runs.journal import Journal
from common.text import many


def command(args: argparse.Namespace) -> int:
    """Export runs; returns the exit code: 1 where there is no row. Raises InputError before anything is written."""
    results = results_folder(args.results)
    with journal_of(results) as journal, ExitStack() as stack:
        runs = runs_named(journal, args.runs)
        if args.long and not any(RunOrigin(run).questions for run in runs):
            raise InputError("none of these runs has questions, so a row per question has nothing to say; leave out --long")
        sources = [source_of(journal, run, stack) for run in runs]
        store = _store(args.out)
        folder = _new_folder(None if store else args.out and Path(args.out), results)
        try:
            made = export(sources, folder, args.format, args.long)
        except ImportError:
            raise InputError(f"--format {args.format} needs a library that is not there; type: make setup (or take csv)") from None
    for path in sorted(folder.iterdir()) if store else ():
        store.put(path, path.name)
    voice = Voice(as_json=args.json)
    if args.json:
        voice.json(_facts(runs, folder, made))
    else:
        voice.say(*_lines(runs, folder, made))
        if store:
            voice.say(f"brought to {args.out} and read again: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return OK if made.rows else UNFINISHED


def _store(named: str | None) -> Place | None:
    """Where an export is brought, if an address is named. Raises InputError if it cannot be had, before anything is written."""
    if not is_address(named):
        return None
    store = place(named)
    if store.sizes():
        raise InputError(f"{named}: has files already, and nothing is written over; name another address with --out")
    return store


def _facts(runs: Sequence[Run], folder: Path, made: Exported) -> dict:
    table, tally, rows, copies = made
    return {
        "table": str(table), "codebook": str(folder / CODEBOOK), "rows": rows, "requests": tally.rows,
        "outcomes": dict(sorted(tally.outcomes.items())), "copies_left_out": copies, "simulated_rows": tally.simulated,
        "runs": [run.key for run in runs],
    }  # fmt: skip


def _lines(runs: Sequence[Run], folder: Path, made: Exported) -> Iterator[str]:
    table, tally, rows, copies = made
    outcomes = dict(sorted(tally.outcomes.items()))
    of = f"{many(len(runs), 'run')}, {tally.rows:,} requests"
    waiting = f"; still to come: {outcomes[PENDING]:,}" if outcomes.get(PENDING) else ""
    yield f"{of}: {outcomes.get(SUCCEEDED, 0):,} succeeded; others: {failures(outcomes)}{waiting}"
    if copies:
        yield f"left out: {copies:,} rows that were taken over, and stand here already as rows of the run that asked"
    if tally.simulated:
        yield f"{SIMULATED} ({tally.simulated:,} of {tally.rows:,} answers; column simulated)"
    yield f"table: {table} ({rows:,} rows)"
    yield f"codebook: {folder / CODEBOOK}"


def source_of(journal: Journal, run: Run, stack: ExitStack) -> Source:
    """What the rows of a run are read from; its provider is asked nothing and closed with the stack."""
    return Source(run, journal.shards(run), decode_of(run, stack))


def decode_of(run: Run, stack: ExitStack) -> Decode:
    """What reads the lines of a run's raw files, as `source_of` has it."""
    return stack.enter_context(closing(connect(Account(catalog.hosts()[run.host], run.address)))).decode


def _new_folder(named: Path | None, results: Path) -> Path:
    """The folder to write, which is not there yet: nothing is written over. Raises InputError for one that is there."""
    if named is not None:
        if named.exists():
            raise InputError(f"{named}: is there already, and nothing is written over; name another folder with --out DIR")
        return named
    stamp = results / "exports" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    more = (stamp.with_name(f"{stamp.name}-{n}") for n in range(2, 10_000))
    return stamp if not stamp.exists() else next(folder for folder in more if not folder.exists())

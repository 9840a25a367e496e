"""make share and make import: a run into one archive, and such an archive into a results folder."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from common import catalog
from common.cli.exits import OK
from common.cli.folder import journal_if_any, journal_of, results_folder
from common.cli.named import run_named
from common.cli.scripts import script_of
from common.cli.text import SIMULATED, Voice, the_sum
from common.errors import InputError
from common.maintenance.places import is_address, place
from common.maintenance.share import ATTACHED, MOST_TEXTS, share
from common.maintenance.take_in import take_in
from common.nouns import Run
from common.providers import connect
from common.providers.account import Account
from common.runs.derive import derive
from common.runs.overview import summary_of
from common.text import size


def share_run(args: argparse.Namespace) -> int:
    """One verified archive of a run; returns the exit code. Raises InputError, OSError."""
    results, voice = results_folder(), Voice(as_json=False)
    if args.run is None:
        raise InputError("which run? type: make share RUN=NAME; make status lists the runs")
    with journal_of(results) as journal:
        store = place(args.out) if is_address(args.out) else None
        folder = results / "shared" if store or not args.out else Path(args.out)
        made = share(journal, run_named(journal, args.run), folder)
    if store:
        store.put(made.path, made.path.name)
    where = store.at(made.path.name) if store else made.path
    voice.say(f"{where}: {made.files:,} files, {size(made.path.stat().st_size)}, verified, without keys or account")
    if made.simulated:
        voice.say(SIMULATED)
    if not made.complete:
        voice.say("the run is not complete: who imports it has a record of where it stands now, and cannot go on with it")
    if made.attached:
        voice.say(ATTACHED)
    if made.texts_left_out:
        voice.say(f"more than {MOST_TEXTS:,} text files are left out; they can be made again from the raw files")
    return OK


def import_run(args: argparse.Namespace) -> int:
    """Take an archive in; returns the exit code. Raises InputError, and then nothing was written; OSError."""
    if args.file is None:
        raise InputError("which archive? type: make import FILE=PATH.zip, an archive that make share has made")
    results, voice = results_folder(), Voice(as_json=False)
    run = take_in(args.file, results, args.name)
    summary = _renamed(run, results) if args.name else summary_of(run)
    voice.say(f"{run.folder}: run {run.name}, {run.planned:,} requests; a record, for which nothing is ever sent")
    if summary:
        voice.say(the_sum(summary), *[SIMULATED] * summary["simulated"])
    voice.say(f"look at it with: python {script_of(run.provider, run.host).name} --status {run.name}")
    return OK


def _renamed(run: Run, results: Path) -> dict:
    """Make table and summary anew, since both hold the run's name; returns the summary."""
    texts = (run.folder / "texts").is_dir()
    with journal_if_any(results) as journal, closing(connect(Account(catalog.hosts()[run.host], run.address))) as provider:
        return derive(journal, run.key, provider.decode, texts)

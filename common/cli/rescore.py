"""make rescore: answers scored again by changed questions, what changed told run by run, and what to type next."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from common import catalog
from common.cli.exits import OK, again
from common.cli.folder import journal_of, results_folder
from common.cli.named import runs_named, way_to
from common.cli.scripts import script_of
from common.cli.text import SIMULATED, Voice, as_in_gold
from common.errors import InputError
from common.experiment.read import load
from common.maintenance.rescore import Rescored, check_rescorable, rescore
from common.nouns import Run
from common.providers import connect
from common.providers.account import Account
from common.text import one_line


def command(args: argparse.Namespace) -> int:
    """Re-score runs; returns the exit code. Raises InputError before anything is written where one of them cannot be."""
    voice, told, results = Voice(as_json=args.json), [], results_folder(args.results)
    with journal_of(results) as journal:
        jobs = [(run, load(_experiment_of(run, args.experiment), results)) for run in runs_named(journal, args.runs)]
        for run, experiment in jobs:
            check_rescorable(journal, run, experiment)
        for run, experiment in jobs:
            with closing(connect(Account(catalog.hosts()[run.host], run.address))) as provider:
                done = rescore(journal, run, experiment, provider.decode)
            voice.say(*_lines(run, experiment.path, done, args.results))
            told.append(_facts(run, experiment.path, done))
    if args.json:
        voice.json({"runs": told})
    return OK


def _experiment_of(run: Run, named: Path | None) -> Path:
    """The experiment that a person names, else the run's own. Raises InputError where that is no longer where it was."""
    if named is None and not Path(run.source).is_file():
        raise InputError(f"run {run.name}: its experiment is no longer at {run.source or '(unknown)'}; name it with --experiment PATH")
    return named or Path(run.source)


def _lines(run: Run, path: Path, done: Rescored, results: str | None) -> Iterator[str]:
    yield f"run {run.name}: scored by {path}" + ("" if done.changes else ", whose questions are those that it had")
    yield from ("  " + one_line(change, 300) for change in done.changes)
    before, after = _counted(done.before), _counted(done.after)
    yield f"  answers checked: {before} → {after}" if before != after else f"  answers checked: {after}, as before"
    yield from (f"  {line}" for line in as_in_gold(done.summary))
    if done.summary["simulated"]:
        yield f"  {SIMULATED}"
    yield f"  table: {run.folder / 'results.csv'}" + ("" if done.kept else ", with nothing changed in it")
    if done.kept:
        yield f"  as it was: {done.kept}"
    if done.changes:
        yield from _next(run, results, done.asks_anew)


def _next(run: Run, results: str | None, asks_anew: bool) -> Iterator[str]:
    """What goes on with this run; its own command would not, where the changed questions stand in the experiment itself."""
    script = script_of(run.provider, run.host).name
    where = [*way_to(run), *(["--results", results] if results else [])]
    yield f"  later commands keep these questions: {again(f'python {script}', ['--status', run.name, *where])}"
    if asks_anew:
        yield "  a --batch command with the changed experiment is another run: what it asks otherwise is sent; --dry-run shows it"


def _counted(checked: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in checked.items()) or "none"


def _facts(run: Run, path: Path, done: Rescored) -> dict:
    return {
        "run": run.name, "provider": run.provider, "experiment": str(path), "changes": list(done.changes),
        "checked_before": dict(done.before), "checked": dict(done.after), "simulated": done.summary["simulated"],
        "table": str(run.folder / "results.csv"), "kept": str(done.kept) if done.kept else None,
    }  # fmt: skip

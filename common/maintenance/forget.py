"""Letting go of a run: a plan that was never sent, or a finished run once an archive holds it. What is out or owed stays."""

from __future__ import annotations

import shutil
from pathlib import Path

from common.errors import InputError
from common.maintenance.backup import backup_of
from common.nouns import IN_FLIGHT, TO_SUBMIT, Run, State
from common.runs import ledger, witness
from common.runs.journal import Journal


def was_sent(journal: Journal, run: Run) -> bool:
    """Whether anything of a run may ever have reached its host, as journal or the note beside its shards say."""
    return bool(journal.last_event(run, "submitting") or witness.read(run.folder / "shards"))


def check_forgettable(journal: Journal, run: Run) -> None:
    """Refuse to forget what is not over. Raises InputError."""
    states, sent = journal.states(run), was_sent(journal, run)
    if out := sum(states.get(state, 0) for state in IN_FLIGHT):
        raise InputError(f"run {run.name}: {out} batches are out, and paid for; make status ID={run.name} shows them")
    if owed := states.get(State.OWED, 0):
        raise InputError(f"run {run.name}: {owed} batches are owed; collect them, or close them with --give-up {run.name}")
    if sent and not run.stopped and (waiting := sum(states.get(state, 0) for state in TO_SUBMIT)):
        raise InputError(f"run {run.name}: {waiting} batches wait to be sent; finish it, or cancel it with --cancel {run.name}")


def raw_files_of(journal: Journal, run: Run) -> list[Path]:
    """A run's raw files that are there."""
    folder = run.folder.parent / "batch_results"
    return [path for shard in journal.shards(run) for name in shard.files if (path := folder / name).exists()]


def forget(journal: Journal, run: Run) -> Path | None:
    """Remove a run's folder, raw files and journal rows; returns the archive that was made before, None for a plan.

    Killed in between, the same call goes on: the journal lets go of it last. Raises InputError as `check_forgettable` does, OSError.
    """
    with journal.lock(run):
        run = journal.run(run.key)
        check_forgettable(journal, run)
        raw = raw_files_of(journal, run)
        saved = backup_of(journal.results, run, raw) if was_sent(journal, run) else None
        for path in raw:
            path.unlink()
        shutil.rmtree(run.folder)
        journal.forget(run, ledger.noted(journal, run))
    return saved

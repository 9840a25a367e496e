"""Which run a command means: the one that its digest or name finds, or a new one with a name of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

from common.errors import InputError
from common.experiment.experiment import Experiment
from common.nouns import RESTING, Model, Run, Shard
from common.runs.journal import Journal
from common.runs.order import Order, Site
from common.runs.overview import current_summary
from common.runs.reuse import TAKEN


def fresh_number(journal: Journal, folder: str, experiment: Experiment, bound: dict) -> int:
    """The number of the fresh run that is meant: the first that is not there, or is not finished."""
    by_digest = {run.digest: run for run in journal.runs(folder) if not run.named}
    for n in count(1):
        run = by_digest.get(experiment.digest(**bound, fresh=n))
        if run is None or not run.planned or not _is_finished(run, journal.shards(run)):
            return n
    raise AssertionError("numbers do not end")


def _is_finished(run: Run, shards: Sequence[Shard]) -> bool:
    """Whether a run has ended and its table was made: a command that was killed before that goes on when it is typed again."""
    return all(shard.state in RESTING for shard in shards) and current_summary(run, shards) is not None


def existing_run(journal: Journal, folder: str, digests: set[str], run_name: str | None) -> Run | None:
    """The run that is meant, where it is there. Raises InputError for a name that belongs to another experiment."""
    if run_name is None:
        return next((run for run in journal.runs(folder) if run.digest in digests and not run.named), None)
    run = journal.run(f"{folder}/{run_name}")
    if run is not None and run.digest not in digests:
        raise InputError(f"run {run_name} belongs to another experiment, model set or address; choose another --run name")
    return run


def new_run(site: Site, experiment: Experiment, models: Sequence[Model], digest: str, order: Order) -> tuple[Run, bool]:
    """A new run, and whether its folder is new too. Raises InputError where its folder cannot be had."""
    journal, account, folder = site.journal, site.account, site.folder
    names = [order.name] if order.name is not None else [f"{experiment.name}-{digest[:size]}" for size in (6, 12, 24)]
    name = next(n for n in names if journal.run(f"{folder}/{n}") is None)
    run = Run(
        key=f"{folder}/{name}",
        name=name,
        digest=digest,
        provider=folder,
        host=account.host.name,
        address=account.identity,
        way=account.way,
        experiment=experiment.name,
        source=str(experiment.path.absolute()),
        folder=journal.results / folder / name,
        created_at=time.time(),
        models=tuple(m.alias for m in models),
        longer=experiment.cut_off_factor,
        named=order.name is not None,
        reuses=order.reuses,
        window=order.window,
    )
    fresh = not run.folder.exists()
    if any((run.folder / "shards").glob(f"*{TAKEN}")):
        raise InputError(f"{run.folder}: is there, but the journal does not know the run; type: make adopt")
    try:
        (run.folder / "shards").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{run.folder}: {error.strerror}; choose another folder with --results or RESULTS_DIR") from None
    return journal.save_run(run, "created", experiment=str(experiment.path)), fresh

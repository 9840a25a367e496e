"""From a command to a run with its shards on disk: which models, which run, what it may cost. Nothing is sent here."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from common.errors import InputError
from common.experiment.attached import attached_digest
from common.experiment.experiment import Experiment
from common.nouns import Model, Run, Shard
from common.runs.lock import InWork
from common.runs.naming import existing_run, fresh_number, new_run
from common.runs.order import Order, Site
from common.runs.reuse import Divided, divide, forget, refresh
from common.runs.writing import write


@dataclass(frozen=True)
class Planned:
    """A run that is ready to be submitted (or was before), and what was said of it."""

    run: Run
    models: tuple[Model, ...]
    shards: list[Shard]
    is_new: bool
    invalid: list[tuple[str, str]] = field(default_factory=list)
    waits: Counter[str] = field(default_factory=Counter)  # requests that another run is asking, by that run
    unread: dict[str, str] = field(default_factory=dict)  # runs whose answers could not be read, and why
    as_of: int | None = None  # the journal's moment of which all of this is; None where it has to be looked at again

    @property
    def ceiling(self) -> float | None:
        """USD that the shards not yet submitted can cost at most; None when a price is unknown."""
        return _sum(s.reserve for s in self.shards if s.state in ("planned", "uploaded"))

    @property
    def taken(self) -> int:
        """Requests whose answers were there."""
        return sum(shard.count for shard in self.shards if shard.taken_from)

    @property
    def saved(self) -> float | None:
        """USD that those would have cost at most; None when a price is unknown."""
        return _sum(s.reserve for s in self.shards if s.taken_from)


def _sum(reserves: Iterable[float | None]) -> float | None:
    reserves = list(reserves)
    return None if None in reserves else sum(reserves)


def plan(site: Site, experiment: Experiment, models: Sequence[Model], order: Order) -> Planned:
    """The run that this command means: continued if it exists, else planned with its shards written.

    Raises InputError: a name that belongs to another experiment, ids that collide, requests that cannot be sent, a full disk.
    """
    journal = site.journal
    digest, former = _digests(site, experiment, models, order)
    run = existing_run(journal, site.folder, {digest, *former}, order.name)
    if run is not None and run.planned:
        return _planned_before(site, run, models)
    fresh = False
    if run is None:
        run, fresh = new_run(site, experiment, models, digest, order)
    with journal.lock(run):
        run = journal.run(run.key)
        if not run.planned:
            try:
                return _planned_now(site, run, experiment, models, order.skip_invalid)
            except InputError:
                if fresh:  # a folder that was there may hold the shards of a run whose journal is lost
                    journal.forget(run)
                    shutil.rmtree(run.folder, ignore_errors=True)
                raise
    return _planned_before(site, run, models)  # by another process, between our look and our lock


def _digests(site: Site, experiment: Experiment, models: Sequence[Model], order: Order) -> tuple[str, set[str]]:
    """What names a run of all this, and by what earlier versions of the program, or of its texts' file, have named it."""
    account, typed, texts = site.account, [[m.alias, m.id] for m in models], experiment.texts
    bound = {"models": sorted(typed), "address": account.identity, "host": account.host.name, "provider": site.folder}
    bound |= {"way": "standard"} if account.way else {}
    bound |= {"attached": attached} if (attached := attached_digest(experiment)) else {}
    bound |= {"window": order.window} if order.window else {}
    if order.is_fresh:
        bound["fresh"] = fresh_number(site.journal, site.folder, experiment, bound)
    as_typed = {**bound, "models": typed}
    former = {replace(experiment, texts=replace(texts, digest=one)).digest(**as_typed) for one in texts.former_digests}
    return experiment.digest(**bound), {experiment.digest(**as_typed), *former}


def _planned_before(site: Site, run: Run, models: Sequence[Model]) -> Planned:
    """A run that is there, what it has not sent yet divided by what is answered now; as it is while it is in work, or a record."""
    journal = site.journal
    if run.imported or not run.reuses:
        return Planned(run, tuple(models), journal.shards(run), is_new=False)
    try:
        with journal.lock(run):
            as_of, found = journal.moment(), refresh(journal, run, site.provider.decode)
    except InWork:
        return Planned(run, tuple(models), journal.shards(run), is_new=False)
    return Planned(run, tuple(models), found.shards, is_new=False, **_told(found, as_of))


def _planned_now(site: Site, run: Run, experiment: Experiment, models: Sequence[Model], skip_invalid: bool) -> Planned:
    """A run whose shards are written now, divided by what is answered already; then its plan is committed."""
    journal = site.journal
    run, made, invalid = write(site, run, experiment, models, skip_invalid)
    as_of = journal.moment()
    found = divide(journal, run, made, site.provider.decode) if run.reuses else Divided(made)
    run = journal.plan(run, found.shards)
    forget(found.gone)
    return Planned(run, tuple(models), found.shards, is_new=True, invalid=invalid, **_told(found, as_of))


def _told(found: Divided, as_of: int) -> dict:
    return {"waits": found.waits, "unread": found.unread, "as_of": None if found.waits else as_of}

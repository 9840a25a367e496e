"""From a command to a run with its shards on disk: which models, which run, what it may cost. Nothing is sent here."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment import cut
from common.experiment.askable import Askable
from common.experiment.attached import attached_digest
from common.experiment.caching import Caching
from common.experiment.checks import check_asked, check_texts_are_asked
from common.experiment.columns import kept
from common.experiment.experiment import Experiment
from common.experiment.grid import Grid, grids
from common.experiment.ids import check_ids
from common.experiment.kept import Keeper
from common.experiment.marks import new_secret
from common.experiment.rules import none_left
from common.experiment.sample import Chosen, choose
from common.nouns import Model, Run, Shard
from common.providers.account import Account
from common.providers.base import Provider
from common.results.origin import write_manifest
from common.results.scoring import scoring_of
from common.runs.journal import Journal
from common.runs.lock import InWork
from common.runs.naming import existing, fresh_number, new_run
from common.runs.queue import Queues
from common.runs.record import write_record
from common.runs.reuse import Divided, divide, forget, refresh, sweep
from common.runs.told import check_parameters, grid_facts, told_of, told_of_models, told_of_texts


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


def plan(
    journal: Journal,
    provider: Provider,
    account: Account,
    folder: str,
    experiment: Experiment,
    models: Sequence[Model],
    run_name: str | None,
    skip_invalid: bool,
    reuse: bool | None = None,
    queues: Queues | None = None,
) -> Planned:
    """The run that this command means: continued if it exists, else planned with its shards written.

    `reuse`: whether answers that are there are taken over; None: unless the run has a name of its own. Without it, and without a
    name, the run is a fresh one: that of before which is not finished, else a new one. `queues`: shards are cut to fit them.

    Raises InputError: a name that belongs to another experiment, ids that collide, requests that cannot be sent, a full disk.
    """
    typed = [[m.alias, m.id] for m in models]
    bound = {"models": sorted(typed), "address": account.identity, "host": account.host.name, "provider": folder}
    bound |= {"attached": attached} if (attached := attached_digest(experiment)) else {}
    if reuse is False and run_name is None:
        bound["fresh"] = fresh_number(journal, folder, experiment, bound)
    digest = experiment.digest(**bound)
    texts = experiment.texts
    former = {replace(experiment, texts=replace(texts, digest=one)).digest(**{**bound, "models": typed}) for one in texts.former_digests}
    run = existing(journal, folder, {digest, experiment.digest(**{**bound, "models": typed}), *former}, run_name)
    if run is not None and run.planned:
        return _planned_before(journal, provider, run, models)
    fresh = False
    if run is None:
        reuses = run_name is None if reuse is None else reuse
        run, fresh = new_run(journal, account, folder, experiment, models, digest, run_name, reuses)
    with journal.lock(run):
        run = journal.run(run.key)
        if not run.planned:
            try:
                return _write(journal, provider, account, run, experiment, models, skip_invalid, queues or Queues(journal))
            except InputError:
                if fresh:  # a folder that was there may hold the shards of a run whose journal is lost
                    journal.forget(run)
                    shutil.rmtree(run.folder, ignore_errors=True)
                raise
    return _planned_before(journal, provider, run, models)  # by another process, between our look and our lock


def _planned_before(journal: Journal, provider: Provider, run: Run, models: Sequence[Model]) -> Planned:
    """A run that is there, what it has not sent yet divided by what is answered now; as it is while it is in work, or a record."""
    if run.imported or not run.reuses:
        return Planned(run, tuple(models), journal.shards(run), is_new=False)
    try:
        with journal.lock(run):
            as_of, found = journal.moment(), refresh(journal, run, provider.decode)
    except InWork:
        return Planned(run, tuple(models), journal.shards(run), is_new=False)
    told = {"waits": found.waits, "unread": found.unread, "as_of": None if found.waits else as_of}
    return Planned(run, tuple(models), found.shards, is_new=False, **told)


def _write(
    journal: Journal,
    provider: Provider,
    account: Account,
    run: Run,
    experiment: Experiment,
    models: Sequence[Model],
    skip_invalid: bool,
    queues: Queues,
) -> Planned:
    check_asked(experiment)
    askable = Askable(experiment, skip_invalid)
    experiment, host = askable.experiment, account.host
    every = grids(experiment, models, host)
    notes = [*told_of_texts(experiment), *check_parameters(provider, every)]
    notes += told_of_models(experiment, models)
    keeper = _keeper(experiment)
    found = check_ids(keeper.watched(experiment, run.folder) if keeper else experiment, models)
    check_texts_are_asked(experiment, found.texts)
    chosen = _chosen(experiment, every)
    former = _former(run)
    secret = "" if host.metadata else former.get("mark") or new_secret()
    cuts = former.get("cut") or {model.alias: queues.cut(host.limits, model.alias) for model in models}
    ways = sum(len(grid.ways) for grid in every)
    work = cut.Plan(
        run=run.key,
        folder=run.folder / "shards",
        limits=host.limits,
        provider=provider,
        secret=secret,
        invalid=[*askable.left_out],
        skipped=(unaskable := askable.count * ways * experiment.trials),
    )
    sweep(run, ())
    made: list[Shard] = []
    for n, grid in enumerate(every):
        share = None if experiment.limit is None else (experiment.limit + len(models) - 1 - n) // len(models)
        work.limits = replace(host.limits, **cuts.get(grid.model.alias, {}))
        counted = work.meter.of(grid.model)
        caching = Caching(grid.model, experiment.prompt_caching, found.texts, counted, provider.takes_marks)
        for primes, conditions in caching.stages(partial(grid.conditions, chosen, keeper.places if keeper else None), share):
            shards = work.cut(conditions, experiment.cap(grid.model), len(made) + 1, None if primes else share)
            made += [replace(shard, primes=True) for shard in shards] if primes else shards
        notes += caching.told()
    notes += told_of(every, work.identical)
    if work.invalid and not skip_invalid:
        shown = "; ".join(f"{custom_id}: {why}" for custom_id, why in work.invalid[:5])
        more = f" … and {work.skipped - 5:,} more" if work.skipped > 5 else ""
        many = "1 request" if work.skipped == 1 else f"{work.skipped:,} requests"
        raise InputError(f"{many} cannot be sent: {shown}{more} (--skip-invalid leaves them out)")
    if not made:
        if experiment.only or experiment.skip:
            raise none_left(experiment.path)
        raise InputError(f"{experiment.path}: no request is left to send; check --text, --persona and --limit")
    _check_disk(run.folder, made)
    grid = grid_facts(experiment, every, found.texts, sum(shard.count for shard in made), work.skipped - unaskable)
    made_with = {"python": platform.python_version(), "orjson": orjson.__version__}
    told = {
        "host": run.host, "source": run.source, "created_at": run.created_at, "named": run.named, "longer": run.longer,
        "skipped": work.skipped, "reuses": run.reuses,
    }  # fmt: skip
    write_manifest(
        run,
        experiment,
        models,
        {
            "digest": run.digest, "address": run.address, "made_with": made_with, "run": told, "ids_differ_in_case_only": found.alike,
            "mark": secret, "cut": cuts, "grid": grid, "told": notes, "kept_sha256": keeper.sha256 if keeper else "",
            "counted": {model.alias: work.meter.kind(model) for model in models},
            **scoring_of(run.folder, run.digest),
        },  # fmt: skip
    )
    write_record(run, experiment, models, account.host)
    run = replace(run, skipped=work.skipped, mark=secret)
    as_of = journal.moment()
    found = divide(journal, run, made, provider.decode) if run.reuses else Divided(made)
    run = journal.plan(run, found.shards)
    forget(found.gone)
    told = {"waits": found.waits, "unread": found.unread, "as_of": None if found.waits else as_of}
    return Planned(run, tuple(models), found.shards, is_new=True, invalid=work.invalid, **told)


def _keeper(experiment: Experiment) -> Keeper | None:
    """What keeps the texts' own columns for the table; None where the table shows none."""
    of_data = [experiment.texts.columns.index(column.name) for column in kept(experiment) if column.kind == "data"]
    return Keeper(of_data) if of_data else None


def _chosen(experiment: Experiment, every: Sequence[Grid]) -> Chosen | None:
    """The sample that is asked; None where everything is."""
    if experiment.sample is None:
        return None
    texts, only = experiment.texts, experiment.only_texts
    rows = ((where, row) for where, row in texts.rows() if only is None or row[texts.id_column] in only)
    pairs = ((row[texts.id_column], [way for grid in every for way in grid.allowed(where, row)]) for where, row in rows)
    return choose(pairs, [way.name for grid in every for way in grid.ways], experiment.trials, experiment.sample, experiment.seed)


def _former(run: Run) -> dict:
    """What a former plan of the same, whose journal is lost, has noted that the same shards follow from; empty where there was none.

    The value that marks follow from, and what its batches might hold for the sake of the host's queue.
    """
    try:
        former = orjson.loads((run.folder / "run.json").read_bytes())
        if former["digest"] != run.digest:
            return {}
        mark, cut = former["mark"], former.get("cut", {})
        is_sound = isinstance(mark, str) and all(isinstance(most, int | None) for limits in cut.values() for most in limits.values())
        return {"mark": mark, "cut": cut or {"": {}}} if is_sound else {}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}


def _check_disk(folder: Path, made: Sequence[Shard]) -> None:
    """Answers, their table and their texts need about three times what the requests took."""
    need, free = 3 * sum(s.bytes for s in made), shutil.disk_usage(folder).free
    if free < need:
        raise InputError(
            f"{folder}: {free >> 20:,} MB free, about {need >> 20:,} MB needed for the results; make room first"
        )

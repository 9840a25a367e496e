"""A new run's shards on disk, with all that its run.json notes of how they were made. Nothing of it is in the journal yet."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import orjson

from common.errors import InputError
from common.experiment import cut
from common.experiment.askable import Askable
from common.experiment.caching import Caching
from common.experiment.checks import check_asked, check_texts_are_asked
from common.experiment.columns import kept
from common.experiment.experiment import Experiment
from common.experiment.grid import Asked, Grid, grids
from common.experiment.ids import check_ids
from common.experiment.kept import Keeper
from common.experiment.marks import new_secret
from common.experiment.rules import none_left
from common.experiment.sample import Chosen, choose
from common.nouns import Limits, Model, Run, Shard
from common.results.origin import write_manifest
from common.results.scoring import scoring_of
from common.runs.order import Site
from common.runs.record import write_record
from common.runs.reuse import sweep
from common.runs.room import lacking
from common.runs.told import check_parameters, grid_facts, told_of, told_of_models, told_of_texts
from common.text import many

AskedAnew = Callable[[], Iterator[Asked]]


def write(
    site: Site, run: Run, experiment: Experiment, models: Sequence[Model], skip_invalid: bool
) -> tuple[Run, list[Shard], list[tuple[str, str]]]:
    """The run with what its shards have made of it, the shards, and what was left out of them and why. Raises InputError."""
    check_asked(experiment)
    askable = Askable(experiment, skip_invalid)
    experiment, host = askable.experiment, site.account.host
    every = grids(experiment, models, host)
    notes = [*told_of_texts(experiment), *check_parameters(site.provider, every), *told_of_models(experiment, models)]
    keeper = _keeper(experiment)
    found = check_ids(keeper.watched(experiment, run.folder) if keeper else experiment, models)
    check_texts_are_asked(experiment, found.texts)
    chosen, former = _chosen(experiment, every), _former(run)
    secret = "" if host.metadata else former.get("mark") or new_secret()
    cuts = former.get("cut") or {model.alias: site.queues.cut(host.limits, model.alias) for model in models}
    unaskable = askable.count * sum(len(grid.ways) for grid in every) * experiment.trials
    work = cut.Cutter(
        run=run.key, folder=run.folder / "shards", limits=host.limits, provider=site.provider, window=run.window, secret=secret,
        invalid=[*askable.left_out], skipped=unaskable,
    )  # fmt: skip
    sweep(run, ())
    asked = [partial(grid.conditions, chosen, keeper.places if keeper else None) for grid in every]
    limits = [replace(host.limits, **cuts.get(grid.model.alias, {})) for grid in every]
    made, saved = _cut(work, experiment, found.texts, [*zip(every, asked, limits, strict=True)])
    notes += [*saved, *told_of(every, work.identical)]
    _check(work, experiment, made, skip_invalid)
    run = replace(run, skipped=work.skipped, mark=secret)
    facts = {
        "ids_differ_in_case_only": found.alike, "cut": cuts, "told": notes, "kept_sha256": keeper.sha256 if keeper else "",
        "grid": grid_facts(experiment, every, found.texts, sum(shard.count for shard in made), work.skipped - unaskable),
        "counted": {model.alias: work.meter.kind(model) for model in models},
    }  # fmt: skip
    write_manifest(run, experiment, models, {**_about(run), **facts})
    write_record(run, experiment, models, host)
    return run, made, work.invalid


def _cut(
    work: cut.Cutter, experiment: Experiment, texts: int, parts: Sequence[tuple[Grid, AskedAnew, Limits]]
) -> tuple[list[Shard], list[str]]:
    """The shards of all models, and what is to be said of their prompts' caching. A part: what one model is asked, and in how much."""
    asking = [] if experiment.limit is None else [grid.model.alias for grid, conditions, _ in parts if any(True for _ in conditions())]
    shares = {alias: (experiment.limit + len(asking) - 1 - n) // len(asking) for n, alias in enumerate(asking)}
    made: list[Shard] = []
    told: list[str] = []
    for grid, conditions, limits in parts:
        work.limits = limits
        share = None if experiment.limit is None else shares.get(grid.model.alias, 0)
        caching = Caching(grid.model, experiment.prompt_caching, texts, work.meter.of(grid.model), work.provider.takes_marks)
        for primes, some in caching.stages(conditions, share):
            shards = work.cut(some, experiment.cap(grid.model), len(made) + 1, None if primes else share)
            made += [replace(shard, primes=True) for shard in shards] if primes else shards
        told += caching.told()
    return made, told


def _check(work: cut.Cutter, experiment: Experiment, made: Sequence[Shard], skip_invalid: bool) -> None:
    """Raises InputError where requests cannot be sent, where none is left, and where the disk has no room for what they bring."""
    if work.invalid and not skip_invalid:
        shown = "; ".join(f"{custom_id}: {why}" for custom_id, why in work.invalid[:5])
        more = f" … and {work.skipped - 5:,} more" if work.skipped > 5 else ""
        raise InputError(f"{many(work.skipped, 'request')} cannot be sent: {shown}{more} (--skip-invalid leaves them out)")
    if not made:
        if experiment.only or experiment.skip:
            raise none_left(experiment.path)
        raise InputError(f"{experiment.path}: no request is left to send; check --text, --persona and --limit")
    if why := lacking(work.folder.parent, made):
        raise InputError(f"{why}; make room first (make disk shows what uses it)")


def _about(run: Run) -> dict:
    """What run.json notes of the run itself: with it a journal that is lost is made again."""
    return {
        "digest": run.digest, "address": run.address, "mark": run.mark,
        "made_with": {"python": platform.python_version(), "orjson": orjson.__version__},
        "run": {
            "host": run.host, "source": run.source, "created_at": run.created_at, "named": run.named, "longer": run.longer,
            "skipped": run.skipped, "reuses": run.reuses, "window": run.window, "way": run.way,
        },
        **scoring_of(run.folder, run.digest),
    }  # fmt: skip


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

"""Which runs a person means: by name, by provider/name, by a batch's id, or all."""

from __future__ import annotations

from collections.abc import Sequence

from common import catalog
from common.errors import InputError
from common.nouns import Run
from common.runs.journal import Journal
from common.runs.overview import has_begun
from common.text import one_line


def way_to(run: Run) -> list[str]:
    """The options with which a script finds a run where it was sent."""
    if run.local:
        return ["--local", *["--live"] * bool(run.way)]
    return ["--host", run.host, "--base-url", run.address] if catalog.hosts()[run.host].own else ["--live"] * bool(run.way)


def run_named(journal: Journal, name: str) -> Run:
    """The run of that name (or provider/name), or that batch's. Raises InputError when there is none."""
    if owner := journal.owner(name):
        return owner[0]
    for found in journal.runs():
        if name in (found.name, found.key):
            return found
    raise InputError(f"no run or batch {one_line(name, 80)!r} in this results folder; make status lists the runs")


def runs_named(journal: Journal, names: Sequence[str]) -> list[Run]:
    """The runs of these names, each once, in the order of the names; "all" stands for all that are more than a plan.

    Raises InputError for a name that no run has, that runs of several providers have, or that has no plan.
    """
    found: dict[str, Run] = {}
    for name in names:
        begun = (run for run in journal.runs() if run.planned and has_begun(journal, run))
        fit = begun if name == "all" else [_planned(only_run(journal, name))]
        found.update((run.key, run) for run in fit)
    if not found:
        raise InputError("no run has begun yet; make status lists the runs")
    return list(found.values())


def runs_meant(journal: Journal, names: Sequence[str]) -> list[Run]:
    """The runs of these names; a study's name stands for all of its runs. Raises InputError."""
    studies: dict[str, list[str]] = {}
    for run in journal.runs():
        if run.study and run.planned:
            studies.setdefault(run.study, []).append(run.key)
    return runs_named(journal, [key for name in names for key in studies.get(name, [name])])


def only_run(journal: Journal, name: str) -> Run:
    """The run of that name, or of provider/name. Raises InputError when it is none, not the only one, or garbled."""
    fit = [run for run in journal.runs() if name in (run.name, run.key)]
    if len(fit) > 1:
        raise InputError(f"{len(fit)} runs are called {one_line(name, 80)}; name one of {', '.join(run.key for run in fit)}")
    if not fit:
        if name in journal.garbled:
            raise InputError(journal.garbled[name])
        raise InputError(f"no run {one_line(name, 80)!r} in this results folder; make status lists the runs")
    return fit[0]


def _planned(run: Run) -> Run:
    if not run.planned:
        raise InputError(f"run {run.name} was never planned to its end, so it has no answers; its own command goes on")
    return run

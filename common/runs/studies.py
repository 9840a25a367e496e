"""A study: runs at several providers that ask one experiment, under one name and one spending cap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import orjson

from common.files import write_whole
from common.nouns import Run
from common.results.origin import manifest_of
from common.runs.journal import Journal
from common.runs.plan import Planned


def join(journal: Journal, run: Run, study: str) -> Run:
    """Note in journal and run.json that a run is part of a study; returns the run. Raises OSError, InputError while it is in work."""
    if run.study == study:
        return run
    with journal.lock(run):
        run = journal.save_run(replace(journal.run(run.key), study=study), "study", name=study)
    path = run.folder / "run.json"
    write_whole(path, orjson.dumps({**manifest_of(path), "study": study}, option=orjson.OPT_INDENT_2))
    return run


def most(journal: Journal, planned: Iterable[Planned]) -> float | None:
    """USD that a study can cost at most once its plans are sent, what it has cost before included; None where a price is unknown."""
    planned = list(planned)
    waiting = [one.ceiling for one in planned]
    return None if None in waiting else journal.committed(planned[0].run.key) + sum(waiting)

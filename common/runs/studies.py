"""A study: runs at several providers that ask one experiment, under one name and one spending cap."""

from __future__ import annotations

from dataclasses import replace

import orjson

from common.files import write_whole
from common.nouns import Run
from common.results.origin import manifest_of
from common.runs.journal import Journal


def join(journal: Journal, run: Run, study: str) -> Run:
    """Note in journal and run.json that a run is part of a study; returns the run. Raises OSError, InputError while it is in work."""
    if run.study == study:
        return run
    with journal.lock(run):
        run = journal.save_run(replace(journal.run(run.key), study=study), "study", name=study)
    path = run.folder / "run.json"
    write_whole(path, orjson.dumps({**manifest_of(path), "study": study}, option=orjson.OPT_INDENT_2))
    return run

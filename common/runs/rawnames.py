"""Which names a run's raw files have: a batch id that another run has had before must not lead to that run's files."""

from __future__ import annotations

import re
from pathlib import Path

from common.errors import InputError
from common.nouns import Run, Shard
from common.results.origin import batch_id_of
from common.results.raw import own_files, raw_paths, short_hash
from common.runs.journal import Journal

_OWN = re.compile(r"(.+)\.([0-9a-f]{8})", re.DOTALL)


def paths_to_write(journal: Journal, run: Run, batch_id: str) -> tuple[Path, Path]:
    """Where a batch's output and errors are to be written: beside the files of another run, never over them."""
    paths = raw_paths(run, batch_id)
    if any(path.exists() for path in paths) and _are_anothers(journal, run, {path.name for path in paths}):
        return own_files(run, batch_id)
    return paths


def _are_anothers(journal: Journal, run: Run, names: set[str]) -> bool:
    others = (other for other in journal.runs(run.provider) if other.key != run.key)
    return any(names & shard.files.keys() for other in others for shard in _readable(journal, other))


def _readable(journal: Journal, run: Run) -> list[Shard]:
    """A run's shards; none where they are garbled: what one run is, another must not stop at."""
    try:
        return journal.shards(run)
    except InputError:
        return []


def id_and_hash(path: Path) -> tuple[str, str]:
    """(batch id, short hash of the run that it is alone of, "" where none stands there) in a raw file's name."""
    found = _OWN.fullmatch(batch_id := batch_id_of(path))
    return (found[1], found[2]) if found else (batch_id, "")


def owner_of(journal: Journal, path: Path) -> tuple[Run, Shard] | None:
    """The run and shard that a raw file is of, by its name; None when no run here has made it."""
    found = journal.owner(batch_id_of(path))
    if found and (not found[1].files or path.name in found[1].files):
        return found
    batch_id, short = id_and_hash(path)
    for run in journal.runs() if found or (short and journal.is_known(batch_id)) else ():
        for shard in _readable(journal, run):
            if path.name in shard.files or (shard.batch_id == batch_id and short == short_hash(run)):
                return run, shard
    return found

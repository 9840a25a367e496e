"""Which names a run's raw files have: a batch id that another run has had before must not lead to that run's files."""

from __future__ import annotations

from pathlib import Path

from common.nouns import Run
from common.results.raw import own_files, raw_paths
from common.runs.journal import Journal


def paths_to_write(journal: Journal, run: Run, batch_id: str) -> tuple[Path, Path]:
    """Where a batch's output and errors are to be written: beside the files of another run, never over them."""
    paths = raw_paths(run, batch_id)
    if any(path.exists() for path in paths) and _are_anothers(journal, run, {path.name for path in paths}):
        return own_files(run, batch_id)
    return paths


def _are_anothers(journal: Journal, run: Run, names: set[str]) -> bool:
    others = (other for other in journal.runs(run.provider) if other.key != run.key)
    return any(names & shard.files.keys() for other in others for shard in journal.shards(other))

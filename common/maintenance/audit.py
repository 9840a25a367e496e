"""Looks at every run on disk again: shards, raw files, table and sum, against the journal and its checksums."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from common.experiment.duplicates import Repeats
from common.experiment.kept import NAME
from common.nouns import Run, Shard
from common.outcomes import PENDING
from common.providers.base import Provider
from common.results.origin import manifest_of
from common.results.tally import Tally, run_tally
from common.runs.journal import Journal

csv.field_size_limit(sys.maxsize >> 32)


def audit(journal: Journal, run: Run, provider: Provider) -> Iterator[str]:
    """What is wrong with a run, one line each; nothing when all is as the journal says. Raises OSError."""
    if not run.planned:
        return
    shards = journal.shards(run)
    for shard in shards:
        yield from _files_of(run, shard)
    if kept_sha256 := manifest_of(run.folder / "run.json").get("kept_sha256"):
        yield from _differs(run.folder / NAME, str(kept_sha256))
    found = run_tally(run, shards, provider.decode)
    if not found.adds_up:
        yield f"the sum does not add up: {run.planned:,} planned, {found.rows:,} rows, {dict(found.outcomes)}"
    yield from _table(run, found)


def _files_of(run: Run, shard: Shard) -> Iterator[str]:
    with open(shard.path.with_suffix(".ids"), "rb") as file:
        held = sum(1 for _ in file)
    if held != shard.count:
        yield f"{shard.path.with_suffix('.ids')}: not {shard.count:,} lines, as planned"
    yield from _differs(shard.path, shard.sha256)
    if shard.ids_sha256:
        yield from _differs(shard.path.with_suffix(".ids"), shard.ids_sha256)
    if shard.state != "collected":
        return
    if sum(shard.tally.values()) != shard.count:
        yield f"batch {shard.batch_id}: {sum(shard.tally.values()):,} rows were counted for {shard.count:,} requests"
    for name, sha256 in shard.files.items():
        yield from _differs(run.folder.parent / "batch_results" / name, sha256)


def _differs(path: Path, sha256: str) -> Iterator[str]:
    try:
        with open(path, "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        yield f"{path}: is gone"
        return
    if not same:
        yield f"{path}: was changed since the journal noted its checksum"


def _table(run: Run, found: Tally) -> Iterator[str]:
    """The table on disk must hold the rows that the raw files hold, each once."""
    path, rows, repeats = run.folder / "results.csv", 0, Repeats()
    if not path.exists():
        if found.outcomes[PENDING] < found.rows:
            yield f"{path}: is gone; the run's command makes it again"
        return
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        column = next(reader).index("custom_id")
        while block := [row[column] for row in islice(reader, 1000)]:
            rows += len(block)
            repeats.add(block)
    if rows != found.rows:
        yield f"{path}: {rows:,} rows, the raw files hold {found.rows:,}; the run's command makes it again"
    if repeats.found():
        yield f"{path}: a custom_id has more than one row"

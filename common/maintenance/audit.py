"""Looks at every run on disk again: shards, raw files, table and sum, against the journal and its checksums."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from common.experiment.duplicates import Repeats
from common.experiment.kept import NAME
from common.files import file_sha256
from common.nouns import RESTING, Run, Shard
from common.outcomes import PENDING
from common.providers.base import Provider
from common.results.merge import run_results
from common.results.origin import manifest_of
from common.results.packed import raw_sha256
from common.runs.journal import Journal

T = TypeVar("T")
OFTEN = 4096  # rows between two words
HASHING = 2  # files whose checksums are taken at once
csv.field_size_limit(sys.maxsize >> 32)


def audit(journal: Journal, run: Run, provider: Provider, told: Callable[[str], None] = lambda text: None) -> Iterator[str]:
    """What is wrong with a run, one line each; nothing when all is as the journal says. Raises OSError.

    `told` hears now and then what is being done.
    """
    if not run.planned:
        return
    if not run.folder.exists():
        yield f"{run.folder}: is gone; restore it from a backup, or type: make forget RUN={run.key} YES=1"
        return
    shards = journal.shards(run)
    with ThreadPoolExecutor(HASHING) as pool:  # hashing lets other threads run
        looks = [pool.submit(list, _files_of(run, shard)) for shard in shards]
        answers = run_results(run, shards, provider.decode)
        outcomes = Counter(result.outcome for result in _counted(answers, f"of {run.planned:,} answers are read", told))
        for n, look in enumerate(looks, 1):
            told(f"checksums of batch {n:,} of {len(shards):,}")
            yield from look.result()
    if kept_sha256 := manifest_of(run.folder / "run.json").get("kept_sha256"):
        yield from _differs(run.folder / NAME, str(kept_sha256))
    if outcomes.total() != run.planned:
        yield f"the sum does not add up: {run.planned:,} planned, {outcomes.total():,} rows, {dict(outcomes)}"
    if any(shard.state in RESTING and not shard.taken_from for shard in shards) or (run.folder / "results.csv").exists():
        yield from _table(run, outcomes, told)


def _counted(items: Iterable[T], what: str, told: Callable[[str], None]) -> Iterator[T]:
    """The same items; how many have passed is told now and then."""
    for n, item in enumerate(items):
        if n % OFTEN == 0:
            told(f"{n:,} {what}")
        yield item


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
        yield from _differs(run.folder.parent / "batch_results" / name, sha256, partial(raw_sha256, noted=sha256))


def _differs(path: Path, sha256: str, digest: Callable[[Path], str] = file_sha256) -> Iterator[str]:
    if not (found := digest(path)):
        yield f"{path}: is gone"
    elif found != sha256:
        yield f"{path}: was changed since the journal noted its checksum"


def _table(run: Run, outcomes: Counter, told: Callable[[str], None]) -> Iterator[str]:
    """The table on disk must hold the rows that the raw files hold, each once."""
    path, rows, repeats = run.folder / "results.csv", 0, Repeats()
    if not path.exists():
        if outcomes[PENDING] < outcomes.total():
            yield f"{path}: is gone; the run's command makes it again"
        return
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        column = next(reader).index("custom_id")
        while block := [row[column] for row in islice(reader, 1000)]:
            told(f"{rows:,} rows of the table are read")
            rows += len(block)
            repeats.add(block)
    if rows != outcomes.total():
        yield f"{path}: {rows:,} rows, the raw files hold {outcomes.total():,}; the run's command makes it again"
    if repeats.found():
        yield f"{path}: a custom_id has more than one row"

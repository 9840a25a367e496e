"""Answers that a person brings in a file, as `vllm run-batch` writes it: collected as if the run's own batches had brought them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path

from common.errors import InputError
from common.experiment import ids_file
from common.files import file_sha256, whole_file
from common.nouns import TO_SUBMIT, Batch
from common.results.opened import plain
from common.results.raw import LONGEST, placed_results, renamed, short_hash
from common.runs import collect
from common.runs.desk import Desk
from common.runs.rawnames import paths_to_write
from common.runs.segments import OUTCOMES


def take(desk: Desk, path: Path) -> tuple[int, int]:
    """Collect what a file answers of shards that were not sent yet; (rows taken, rows that no such shard asks).

    A shard of which some rows are there is collected with those; the others are planned anew. What failed and is to be asked
    again takes answers only: the file may be the one that it failed in. Memory: the ids of the file. Raises InputError where
    the file cannot be read.
    """
    try:
        found = {place.result.custom_id: place.result.outcome in OUTCOMES for place in placed_results(path, desk.provider.decode)}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    taken = 0
    for shard in desk.of(*TO_SUBMIT):
        wanted = {sent for sent in ids_file.ids(shard) if found.get(sent, False) or (sent in found and shard.attempt == 1)}
        if not wanted:
            continue
        shard = replace(shard, batch_id=f"file-{short_hash(desk.run)}-{shard.n}")  # noted together with what it brings
        output, _ = paths_to_write(desk.journal, desk.run, shard.batch_id)
        output.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(output) as copy:
            copy.writelines(_lines(path, desk, wanted))
        rows = collect.scan_of(desk, shard)
        clean = rows.tally.outcomes["succeeded"]
        status = "expired" if rows.absent else "completed"  # what the file lacks was never tried
        batch = Batch(shard.batch_id, status, True, total=shard.count, succeeded=clean, errored=len(wanted) - clean)
        collect.close(desk, shard, batch, rows, {output: file_sha256(output)})
        taken += len(wanted)
    return taken, len(found) - taken


def _lines(path: Path, desk: Desk, wanted: Container[str]) -> Iterator[bytes]:
    """The lines of a file that answer given requests, each of them once, in its order."""
    at, line, seen = 0, b"", set()
    with plain(path) as file:
        for result, offset, nth in placed_results(path, desk.provider.decode):
            while at <= offset:
                line = file.readline(LONGEST)
                at += len(line) or LONGEST
            if result.custom_id in wanted and result.custom_id not in seen:
                seen.add(result.custom_id)
                yield renamed(line, nth, result.custom_id)

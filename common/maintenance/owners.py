"""Whose batch is it? What the journal says of the batches that an account lists."""

from __future__ import annotations

from collections.abc import Iterable

from common.nouns import Batch, Run, Shard
from common.runs.journal import Journal

SLACK = 300.0  # seconds that a host's clock may be behind ours when a lost batch is guessed


class Owners:
    """Which run a batch belongs to, as one results folder's journal knows it."""

    def __init__(self, journal: Journal | None, runs: Iterable[Run]) -> None:
        shards = [(run, shard) for run in runs for shard in journal.shards(run)] if journal else []
        self._current = {shard.batch_id: (run, shard) for run, shard in shards if shard.batch_id}
        self._lost = [(run, shard) for run, shard in shards if shard.state == "submitting"]
        self._past = {batch_id: run for run in runs for batch_id in _past(journal, run)} if journal else {}
        self.needed = frozenset(s.ref for _, s in shards if s.ref and s.state in ("uploaded", "submitting", "submitted"))

    def of(self, batch: Batch) -> tuple[Run | None, Shard | None]:
        """The run and shard whose batch this is or may be: one whose creation went unanswered is in no journal."""
        if batch.id in self._current:
            return self._current[batch.id]
        found = next(((run, shard) for run, shard in self._lost if _may_be(batch, shard)), None)
        return found or (self._past.get(batch.id), None)


def _past(journal: Journal, run: Run) -> set[str]:
    """Every batch that a run ever had, those that were turned down included, without those that were never its own."""
    last: dict[int | None, str] = {}
    found = set()
    for _, n, kind, data in journal.events(run):
        if kind in ("submitted", "adopted"):
            last[n] = data["batch_id"]
            found.add(last[n])
        elif kind == "disowned":
            found.discard(last.get(n, ""))
    return found


def _may_be(batch: Batch, shard: Shard) -> bool:
    """Whether a batch may be the one whose creation went unanswered. Where the API has tags or refs, they decide."""
    if batch.tag or batch.ref:
        return batch.tag == shard.tag or batch.ref == shard.ref
    return batch.total == shard.count and batch.created_at >= shard.intent_at - SLACK

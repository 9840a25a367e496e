"""What stands in a host's queue, as far as a results folder knows, and what the host has last said of its limit."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from common.nouns import Quota
from common.runs.journal import Journal

_IN_BATCHES = "coalesce(cast(body AS TEXT) ->> '$.way', '') = ''"  # what is asked row by row waits in no queue


class Enqueued(NamedTuple):
    """A shard that may stand in its host's queue; `intent_at`: unix seconds."""

    run: str
    n: int
    batch_id: str
    requests: int
    tokens: int
    intent_at: float


def enqueued(journal: Journal, account: str, model: str | None = None) -> list[Enqueued]:
    """What an account has in its host's queue, as far as this folder knows: all of it, or a model's."""
    of_model, args = ("AND model = ?", (account, model)) if model is not None else ("", (account,))
    query = (
        "SELECT run, n, batch_id, requests, tokens, cast(body AS TEXT) ->> '$.intent_at' FROM shards"
        f" WHERE state IN ('submitting', 'submitted') AND run IN (SELECT key FROM runs WHERE account = ? AND {_IN_BATCHES}) {of_model}"
    )
    return [Enqueued(*row) for row in journal.select(query, *args)]


def noted_quota(journal: Journal, queue: str) -> tuple[float, Quota] | None:
    """What a host has last said of a queue, and when, unix seconds."""
    query = "SELECT at, data FROM events WHERE run = ? AND kind = 'queue' ORDER BY id DESC LIMIT 1"
    rows = journal.select(query, queue)
    return (rows[0][0], Quota(**orjson.loads(rows[0][1]))) if rows else None

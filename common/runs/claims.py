"""Owns whose a batch is, as the journal knows it: each id is claimed once, and what proved to be another's is let go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from common.nouns import Batch, Shard

DISOWNED = "disowned"
# Those that any shard claims at the same address: ids of another host say nothing about this one's.
_CLAIMS = """
SELECT b.run, b.n, b.how FROM batches b LEFT JOIN runs r ON r.key = b.run WHERE b.batch_id = ? AND (b.run = ?
OR json_extract(CAST(r.body AS TEXT), '$.address') = (SELECT json_extract(CAST(body AS TEXT), '$.address') FROM runs WHERE key = ?))
"""
# Of runs that were made here: a record's batches are never looked into, so nobody may wait for that.
_UNPROVEN = """
SELECT s.run, s.n, s.batch_id FROM shards s JOIN runs r ON r.key = s.run WHERE s.state IN ('submitted', 'ended', 'owed')
AND s.requests = ? AND NOT (s.run = ? AND s.n = ?) AND json_extract(CAST(s.body AS TEXT), '$.unproven')
AND json_extract(CAST(r.body AS TEXT), '$.address') = (SELECT json_extract(CAST(body AS TEXT), '$.address') FROM runs WHERE key = ?)
AND NOT coalesce(json_extract(CAST(r.body AS TEXT), '$.imported'), 0) LIMIT 1
"""


class Claimed(Exception):
    """A batch has an owner in this journal already, or was found to be somebody else's. Nothing was written."""


class Holder(NamedTuple):
    """A shard that holds a batch which nobody has proved to be its own."""

    run: str
    n: int
    batch_id: str


def proves(batch: Batch, shard: Shard) -> bool:
    """Whether a batch says itself that it is a shard's: by our tag or by our input file."""
    return batch.tag == shard.tag or bool(batch.ref and batch.ref == shard.ref)


def is_free(db: sqlite3.Connection, batch_id: str, shard: Shard, proven: bool = False) -> bool:
    """Whether a shard may take a batch that has no other owner and never was its own.

    One whose tag proves it is taken whoever had that id before: some hosts count anew after a restart.
    """
    claims = db.execute(_CLAIMS, (batch_id, shard.run, shard.run)).fetchall()
    mine = any((run, n) == (shard.run, shard.n) for run, n, _ in claims)
    return not mine and (proven or all(how == DISOWNED for *_, how in claims))


def claim(db: sqlite3.Connection, shard: Shard, kind: str) -> None:
    """Note a shard's batch as its own, inside the transaction at hand. Raises Claimed."""
    if kind != "witnessed" and not is_free(db, shard.batch_id, shard, proven=shard.adopted and not shard.unproven):
        raise Claimed(shard.batch_id)
    how = "adopted" if shard.adopted else "submitted"
    db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, ?, ?)", (shard.batch_id, shard.run, shard.n, how))


def disown(db: sqlite3.Connection, batch_id: str, shard: Shard) -> None:
    """Let go of a batch that proved to be another's; this shard never takes it again."""
    db.execute("UPDATE batches SET how = ? WHERE batch_id = ? AND run = ? AND n = ?", (DISOWNED, batch_id, shard.run, shard.n))


def standing(db: sqlite3.Connection, shard: Shard, found: Iterable[Batch]) -> tuple[list[Batch], Holder | None]:
    """Which batches a shard may take, and who else holds an unproven one of its size; both as of one moment."""
    db.execute("BEGIN")
    try:
        free = [batch for batch in found if is_free(db, batch.id, shard, proven=proves(batch, shard))]
        held = db.execute(_UNPROVEN, (shard.count, shard.run, shard.n, shard.run)).fetchone()
    finally:
        db.execute("ROLLBACK")
    return free, held and Holder(*held)

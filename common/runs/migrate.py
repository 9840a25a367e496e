"""Journals of earlier versions, brought up to date in one transaction when they are first opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import orjson

STATES = {"staged": "uploaded", "fetched": "collected"}
KEYS = {"fetched_at": "collected_at"}


def from_1(db: sqlite3.Connection, script: Callable[[str], None], schema: str) -> None:
    """Version 1 (2026-11-22): states had other names, money stood in bodies only, and a pause did not know why."""
    for table in ("runs", "shards", "batches", "events", "secrets"):
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    for index in ("shards_by_batch", "events_by_shard"):
        db.execute(f"DROP INDEX {index}")
    script(schema)
    for key, provider, name, body in db.execute("SELECT key, provider, name, body FROM old_runs ORDER BY rowid"):
        run = _run(orjson.loads(body))
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, '')", (key, provider, name, run["host"], run["account"], orjson.dumps(run)))
    accounts = dict(db.execute("SELECT key, account FROM runs"))
    for (body,) in db.execute("SELECT body FROM old_shards"):
        shard = _shard(orjson.loads(body))
        spent = shard["spent"] if shard["state"] == "collected" else None
        db.execute(
            "INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                shard["run"], shard["n"], shard["state"], shard["batch_id"], accounts.get(shard["run"], ""), shard["model"],
                shard["count"], shard["tokens"], shard["reserve"], spent, orjson.dumps(shard),
            ),
        )  # fmt: skip
    db.execute("INSERT INTO batches SELECT * FROM old_batches")
    db.execute("INSERT INTO secrets SELECT * FROM old_secrets")
    db.execute("INSERT INTO events SELECT id, at, run, n, kind, data FROM old_events")
    for old, new in STATES.items():
        db.execute("UPDATE events SET kind = ? WHERE kind = ?", (new, old))
    for table in ("runs", "shards", "batches", "events", "secrets"):
        db.execute(f"DROP TABLE old_{table}")


def _run(run: dict) -> dict:
    by = "" if not run["paused"] else "cap" if "--max-cost" in run["paused"] else "money"
    return {**run, "paused_by": by}


def _shard(shard: dict) -> dict:
    shard = {KEYS.get(key, key): value for key, value in shard.items()}
    return {**shard, "state": STATES.get(shard["state"], shard["state"])}

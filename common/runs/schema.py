"""The database of the journal: how it is opened, and its tables, made in a new folder or brought up to date in an old one."""

from __future__ import annotations

import secrets
import sqlite3
import time
from pathlib import Path

from common.errors import InputError
from common.runs import migrate

VERSION = 2
PATIENCE = 60.0  # seconds that another process may keep the database to itself
# What SQL must be able to sum stands in columns; everything else of a run or shard is in its body.
SCHEMA = """
CREATE TABLE runs (
    key TEXT PRIMARY KEY, provider TEXT NOT NULL, name TEXT NOT NULL, host TEXT NOT NULL, account TEXT NOT NULL, body BLOB NOT NULL,
    writer TEXT NOT NULL DEFAULT ''
);
CREATE TABLE shards (
    run TEXT NOT NULL, n INTEGER NOT NULL, state TEXT NOT NULL, batch_id TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL,
    requests INTEGER NOT NULL, tokens INTEGER NOT NULL, reserve REAL, spent REAL, body BLOB NOT NULL,
    PRIMARY KEY (run, n)
) WITHOUT ROWID;
CREATE INDEX shards_by_batch ON shards (batch_id) WHERE batch_id <> '';
CREATE TABLE batches (batch_id TEXT, run TEXT, n INTEGER, how TEXT, PRIMARY KEY (batch_id, run, n)) WITHOUT ROWID;
CREATE TABLE events (id INTEGER PRIMARY KEY, at REAL NOT NULL, run TEXT NOT NULL, n INTEGER, kind TEXT NOT NULL, data BLOB);
CREATE INDEX events_by_shard ON events (run, n);
CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE VIEW money AS SELECT run, n, account, model, state, requests, tokens, CASE
    WHEN state = 'collected' THEN coalesce(spent, reserve, 0)
    WHEN state IN ('submitting', 'submitted', 'ended', 'owed') THEN coalesce(reserve, 0)
    ELSE 0 END AS committed FROM shards
"""


def connected(path: Path) -> sqlite3.Connection:
    """The database, with a write-ahead log. Where two open a new one at once, SQLite's own patience does not hold for the switch."""
    deadline = time.monotonic() + PATIENCE
    while True:
        db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return db
        except sqlite3.Error as error:
            db.close()
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def is_current(db: sqlite3.Connection) -> bool:
    """Whether nothing needs to be done."""
    return _version(db) == VERSION


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring them up to date, inside the transaction at hand. Raises InputError for a newer version."""
    version = _version(db)  # read again: another process may have been first
    if version > VERSION:
        raise InputError(f"{path}: written by a newer version (schema {version}, this one knows {VERSION}); update the program")
    if version == 0:
        _script(db, SCHEMA)
        db.execute("INSERT INTO secrets VALUES ('salt', ?)", (secrets.token_bytes(16),))
    elif version == 1:
        migrate.from_1(db, lambda statements: _script(db, statements), SCHEMA)
    db.execute(f"PRAGMA user_version={VERSION}")


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]


def _script(db: sqlite3.Connection, statements: str) -> None:
    """Several statements (`executescript` would commit the transaction first)."""
    for statement in statements.split(";\n"):
        db.execute(statement)

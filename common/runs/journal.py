"""What has happened, written before and after each outside step: events appended, current state folded, in SQLite.

One transaction holds an event and what it changes, so neither is ever there without the other. `synchronous=FULL`:
an event that was committed survives a power cut. Other processes may read while one writes (WAL); each run has one
writer, held by a lock that dies with its process.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import orjson

from common.errors import InputError
from common.nouns import Quota, Run, Shard, State
from common.runs import claims, schema, spending
from common.runs.lock import check_own, hold
from common.runs.lookups import Lookups
from common.runs.spending import Caps


class QueueFull(Exception):
    """The host's queue has no room for a shard, by what the journal has there. Nothing was written."""


class Overtaken(Exception):
    """Another run has sent something since this one looked at what others ask: it looks again first. Nothing was written."""


class Terms(NamedTuple):
    """On what an intent may be written; all of it is asked inside the transaction, when nobody else can write."""

    caps: Caps  # OverCap where run or month with the shard's reserve could cost more
    as_of: int | None = None  # Overtaken where another run has `sent_since` this moment
    fits: Callable[[], bool] = lambda: True  # QueueFull where it says no


class Journal(Lookups):
    """The journal of one results folder; `path`: a copy of it elsewhere. Raises InputError when it cannot be opened or is too new."""

    def __init__(self, results: Path, clock: Callable[[], float] = time.time, path: Path | None = None) -> None:
        self._clock = clock
        self._tokens: dict[str, str] = {}  # by run that this process is at work on
        path = path or results / "journal.db"
        try:
            results.mkdir(parents=True, exist_ok=True)
            super().__init__(schema.connected(path), results)
            self._db.execute("PRAGMA synchronous=FULL")
            if not schema.is_current(self._db):
                with self._transaction():
                    schema.prepare(self._db, path)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"{path}: the journal cannot be opened or written ({error}); choose another folder with --results or RESULTS_DIR"
            ) from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

    # ---- runs

    def save_run(self, run: Run, kind: str, **data: object) -> Run:
        """Commit an event of a run together with its new state; returns the run."""
        with self._transaction():
            self._check_writer(run.key)
            self._event(run.key, None, kind, data)
            self._put_run(run)
        return run

    def _put_run(self, run: Run) -> None:
        body = orjson.dumps({**asdict(run), "folder": str(run.folder.relative_to(self.results))})
        self._db.execute(
            "INSERT INTO runs (key, provider, name, host, account, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET account = excluded.account, body = excluded.body",
            (run.key, run.provider, run.name, run.host, run.account, body),
        )

    def forget(self, run: Run, about: Mapping[str, object] | None = None) -> None:
        """Let go of a run and all that was noted of it, but for whose its batches were, and what it has cost.

        `about`: that in parts, as `forgotten` gives it back, beside the journal's own sum of it ("committed"); None where
        nothing of the run was ever sent.
        """
        with self._transaction():
            self._check_writer(run.key)
            committed = spending.of_runs(self._db, [run.key]).total
            left = [] if run.imported else spending.left_behind(self._db, run.key)  # it stays in its month
            self._db.execute("DELETE FROM shards WHERE run = ?", (run.key,))
            self._db.execute("DELETE FROM events WHERE run = ? AND kind != 'forgotten'", (run.key,))
            about = {"simulated": run.local, **(about or {})}
            self._event(run.key, None, "forgotten", {**about, "requests": run.planned, "committed": committed, "left": left})
            self._db.execute("DELETE FROM runs WHERE key = ?", (run.key,))

    # ---- shards

    def plan(self, run: Run, shards: Iterable[Shard]) -> Run:
        """Commit a run's complete plan, once all its shards are on disk; returns the planned run."""
        shards = list(shards)  # written here, before the transaction: other runs must not wait for our disk
        run = replace(run, planned=sum(shard.count for shard in shards))
        planned = run.planned
        with self._transaction():
            for shard in shards:
                self._put(shard)
            self._event(run.key, None, "planned", {"requests": planned})
            self._put_run(run)
        return run

    def replan(self, run: Run, gone: Iterable[Shard], instead: Iterable[Shard], kind: str = "taken over") -> None:
        """Commit other shards for the requests of some that were never accepted; `kind` of event says why."""
        instead = list(instead)
        with self._transaction():
            self._check_writer(run.key)
            for shard in gone:
                self._db.execute("DELETE FROM shards WHERE run = ? AND n = ? AND state IN ('planned', 'uploaded')", (run.key, shard.n))
            for shard in instead:
                self._put(shard)
            self._event(run.key, None, kind, {"requests": sum(shard.count for shard in instead if shard.taken_from)})

    def record(
        self, shard: Shard, kind: str, more: Iterable[Shard] = (), about: Mapping[str, object] | None = None,
        terms: Terms | None = None, **changes: object,
    ) -> Shard:  # fmt: skip
        """Commit one event of a shard with the changes it makes, and new shards that follow from it; returns the shard.

        Where `terms` are not kept, their error is raised and nothing is written. An event that brings a batch id claims it:
        raises Claimed and writes nothing where it has an owner.
        """
        before, shard = shard.batch_id, replace(shard, **changes)
        with self._transaction():
            self._check_writer(shard.run)
            if terms:
                self._check(terms, shard)
            self._event(shard.run, shard.n, kind, {**(about or {}), **{k: v for k, v in changes.items() if k != "problems"}})
            self._put(shard)
            if changes.get("batch_id"):
                claims.claim(self._db, shard, kind)
            elif kind == "disowned":
                claims.disown(self._db, before, shard)
            for follower in more:
                self._event(follower.run, follower.n, "planned", {"root": follower.root, "attempt": follower.attempt})
                self._put(follower)
        return shard

    def _put(self, shard: Shard) -> None:
        body = orjson.dumps({**asdict(shard), "path": shard.path.name})
        self._db.execute(
            "INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?, (SELECT account FROM runs WHERE key = ?), ?, ?, ?, ?, ?, ?)",
            (
                shard.run, shard.n, shard.state, shard.batch_id, shard.run, shard.model, shard.count, shard.tokens,
                shard.reserve, (shard.most if shard.spent is None else shard.spent) if shard.state == State.COLLECTED else None, body,
            ),
        )  # fmt: skip

    def _event(self, run: str, n: int | None, kind: str, data: dict) -> None:
        self._db.execute(
            "INSERT INTO events (at, run, n, kind, data) VALUES (?, ?, ?, ?, ?)",
            (self._clock(), run, n, kind, orjson.dumps(data, default=str)),
        )

    def notify_once(self, key: str, what: str) -> bool:
        """Note that a person is being told of something of a run; False where that was noted before. Whoever gets True tells it."""
        data = {"what": what}
        with self._transaction():
            query = "SELECT 1 FROM events WHERE run = ? AND n IS NULL AND kind = 'notified' AND data = ?"
            if self._db.execute(query, (key, orjson.dumps(data))).fetchone():
                return False
            self._event(key, None, "notified", data)
        return True

    def _check(self, terms: Terms, shard: Shard) -> None:
        if terms.as_of is not None and self.sent_since(shard.run, terms.as_of):
            raise Overtaken
        self._check_caps(terms.caps, shard)
        if not terms.fits():
            raise QueueFull

    def _check_caps(self, caps: Caps, shard: Shard) -> None:
        spending.check("run", caps.run, self.money(shard.run), shard.reserve)
        if caps.month < math.inf:
            simulated = self.run(shard.run).local
            spending.check("month", caps.month, self.month(shard.intent_at, simulated), shard.reserve)

    def note_quota(self, queue: str, quota: Quota) -> None:
        """Note what a host has said of a queue (an account's, of a model): an event of no run."""
        with self._transaction():
            self._event(queue, None, "queue", {"tokens": quota.tokens, "requests": quota.requests})

    def take_in(
        self, run: Run, shards: Iterable[Shard], events: Iterable[tuple[float, int | None, str, dict]],
        claims: Iterable[tuple[str, int, str]],
    ) -> None:  # fmt: skip
        """Commit a run that was made elsewhere, with all that happened to it. Raises InputError where its name is taken."""
        with self._transaction():
            if self._db.execute("SELECT 1 FROM runs WHERE key = ?", (run.key,)).fetchone():
                raise InputError(f"run {run.key} is here already")
            self._put_run(run)
            for shard in shards:
                self._put(shard)
            rows = ((at, run.key, n, kind, orjson.dumps(data)) for at, n, kind, data in events if kind != "forgotten")
            self._db.executemany("INSERT INTO events (at, run, n, kind, data) VALUES (?, ?, ?, ?, ?)", rows)
            had = ((batch_id, run.key, n, how) for batch_id, n, how in claims)
            self._db.executemany("INSERT OR IGNORE INTO batches VALUES (?, ?, ?, ?)", had)
            self._event(run.key, None, "imported", {})

    # ---- the one writer

    @contextmanager
    def lock(self, run: Run) -> Iterator[None]:
        """Be the one writer of a run. Raises InputError while another process is at work on it, and for one that was imported.

        Beside the lock file, which can be deleted, a token in the run's row: whoever comes later turns the earlier one away.
        """
        check_own(run)
        with hold(run):
            self._tokens[run.key] = token = secrets.token_hex(8)
            self._db.execute("UPDATE runs SET writer = ? WHERE key = ?", (token, run.key))
            try:
                yield
            finally:
                del self._tokens[run.key]

    def _check_writer(self, run: str) -> None:
        if (mine := self._tokens.get(run)) is None:
            return
        row = self._db.execute("SELECT writer FROM runs WHERE key = ?", (run,)).fetchone()
        if row and row[0] not in (mine, ""):
            raise InputError(f"run {run}: another process has taken it over; this one stops")

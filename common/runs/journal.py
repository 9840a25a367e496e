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
from common.nouns import Batch, Quota, Run, Shard, State
from common.runs import claims, schema, spending
from common.runs.bodies import run_of, shard_of
from common.runs.lock import check_own, hold
from common.runs.spending import Caps, Committed

_SENDING = ("submitting", "adopted", "witnessed", "suspected", "imported", "rebuilt")  # events after which there is more to take over

_IN_BATCHES = "coalesce(cast(body AS TEXT) ->> '$.way', '') = ''"  # what is asked row by row waits in no queue


class Enqueued(NamedTuple):
    """A shard that may stand in its host's queue; `intent_at`: unix seconds."""

    run: str
    n: int
    batch_id: str
    requests: int
    tokens: int
    intent_at: float


class QueueFull(Exception):
    """The host's queue has no room for a shard, by what the journal has there. Nothing was written."""


class Overtaken(Exception):
    """Another run has sent something since this one looked at what others ask: it looks again first. Nothing was written."""


def _connected(path: Path, patience: float = 60) -> sqlite3.Connection:
    """The database, with a write-ahead log. Where two open a new one at once, SQLite's own patience does not hold for the switch."""
    deadline = time.monotonic() + patience
    while True:
        db = sqlite3.connect(path, timeout=patience, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return db
        except sqlite3.Error as error:
            db.close()
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Journal:
    """The journal of one results folder; `path`: a copy of it elsewhere. Raises InputError when it cannot be opened or is too new."""

    def __init__(self, results: Path, clock: Callable[[], float] = time.time, path: Path | None = None) -> None:
        self.results = results
        self._clock = clock
        self._tokens: dict[str, str] = {}  # by run that this process is at work on
        self.garbled: dict[str, str] = {}  # by run whose row could not be read, why
        path = path or results / "journal.db"
        try:
            results.mkdir(parents=True, exist_ok=True)
            self._db = _connected(path)
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

    @property
    def salt(self) -> bytes:
        """Random bytes of this journal, for digests of keys."""
        return self._db.execute("SELECT value FROM secrets WHERE name = 'salt'").fetchone()[0]

    def close(self) -> None:
        self._db.close()

    def select(self, query: str, *values: object) -> list[tuple]:
        """The rows of a query that only reads, for sums over all runs."""
        return self._db.execute(query, values).fetchall()

    # ---- runs

    def run(self, key: str) -> Run | None:
        row = self._db.execute("SELECT body FROM runs WHERE key = ?", (key,)).fetchone()
        return run_of(key, row[0], self.results) if row else None

    def runs(self, provider: str | None = None) -> list[Run]:
        """All runs, oldest first; of one results folder's provider if named. One that is garbled is noted in `garbled`, and left out."""
        where, args = ("WHERE provider = ?", (provider,)) if provider else ("", ())
        found = []
        for key, body in self._db.execute(f"SELECT key, body FROM runs {where} ORDER BY rowid", args):
            try:
                found.append(run_of(key, body, self.results))
            except InputError as error:
                self.garbled[key] = str(error)
        return found

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
            committed = self.committed_by_run().get(run.key, 0.0)
            left = [] if run.imported else spending.left_behind(self._db, run.key)  # it stays in its month
            self._db.execute("DELETE FROM shards WHERE run = ?", (run.key,))
            self._db.execute("DELETE FROM events WHERE run = ? AND kind != 'forgotten'", (run.key,))
            about = {"simulated": not _is_paid(run), **(about or {})}
            self._event(run.key, None, "forgotten", {**about, "requests": run.planned, "committed": committed, "left": left})
            self._db.execute("DELETE FROM runs WHERE key = ?", (run.key,))

    # ---- shards

    def shards(self, run: Run, *states: str) -> list[Shard]:
        """The shards of a run in order; only those in the given states if any are given."""
        marks = f"AND state IN ({','.join('?' * len(states))})" if states else ""
        rows = self._db.execute(f"SELECT body FROM shards WHERE run = ? {marks} ORDER BY n", (run.key, *states))
        return [shard_of(run.key, row[0], run.folder) for row in rows]

    def states(self, run: Run) -> dict[str, int]:
        """How many shards are in which state."""
        return dict(self._db.execute("SELECT state, count(*) FROM shards WHERE run = ? GROUP BY state", (run.key,)))

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
        self, shard: Shard, kind: str, more: Iterable[Shard] = (), caps: Caps | None = None,
        about: Mapping[str, object] | None = None, as_of: int | None = None, fits: Callable[[], bool] | None = None, **changes: object,
    ) -> Shard:  # fmt: skip
        """Commit one event of a shard with the changes it makes, and new shards that follow from it; returns the shard.

        `fits` is asked inside the transaction, when nobody else can write: raises QueueFull and writes nothing if it says no.

        With `as_of`, raises Overtaken and writes nothing if another run has `sent_since` then.

        With `caps`, raises OverCap and writes nothing if run or month with this shard's reserve could cost more. An event
        that brings a batch id claims it: raises Claimed and writes nothing where it has an owner.
        """
        before, shard = shard.batch_id, replace(shard, **changes)
        with self._transaction():
            self._check_writer(shard.run)
            if as_of is not None and self.sent_since(shard.run, as_of):
                raise Overtaken
            if caps is not None:
                self._check_caps(caps, shard)
            if fits is not None and not fits():
                raise QueueFull
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

    def events(self, run: Run, n: int | None = None) -> list[tuple[float, int | None, str, dict]]:
        """What has happened in a run (or to one of its shards), oldest first: (unix time, shard, kind, data)."""
        where, args = ("AND n = ?", (run.key, n)) if n is not None else ("", (run.key,))
        rows = self._db.execute(f"SELECT at, n, kind, data FROM events WHERE run = ? {where} ORDER BY id", args)
        return [(at, n, kind, orjson.loads(data)) for at, n, kind, data in rows]

    def event_count(self, run: Run) -> int:
        """How much has happened in a run; that somebody was told of it changes nothing."""
        return self._db.execute("SELECT count(*) FROM events WHERE run = ? AND kind != 'notified'", (run.key,)).fetchone()[0]

    def notify_once(self, key: str, what: str) -> bool:
        """Note that a person is being told of something of a run; False where that was noted before. Whoever gets True tells it."""
        data = {"what": what}
        with self._transaction():
            query = "SELECT 1 FROM events WHERE run = ? AND n IS NULL AND kind = 'notified' AND data = ?"
            if self._db.execute(query, (key, orjson.dumps(data))).fetchone():
                return False
            self._event(key, None, "notified", data)
        return True

    def last_event(self, run: Run, kind: str) -> float:
        """When something of a kind last happened in a run, unix seconds; 0.0 if never."""
        row = self._db.execute("SELECT max(at) FROM events WHERE run = ? AND kind = ?", (run.key, kind)).fetchone()
        return row[0] or 0.0

    def moment(self) -> int:
        """The number of the newest event."""
        return self._db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]

    def sent_since(self, key: str, moment: int) -> bool:
        """Whether another run at the same address has sent something, or was found to have, since a moment."""
        query = f"SELECT DISTINCT run FROM events WHERE id > ? AND run != ? AND kind IN ({','.join('?' * len(_SENDING))})"
        others = [row[0] for row in self._db.execute(query, (moment, key, *_SENDING))]
        address = self.run(key).address if others else ""
        return any((other := self.run(one)) is not None and other.address == address for one in others)

    def was_sent(self, run: Run) -> bool:
        """Whether anything of a run was sent, or was found to have been."""
        query = f"SELECT 1 FROM events WHERE run = ? AND n IS NOT NULL AND kind IN ({','.join('?' * len(_SENDING))}) LIMIT 1"
        return self._db.execute(query, (run.key, *_SENDING)).fetchone() is not None

    def told(self, run: Run) -> dict:
        """The options with which a person last sent something of a run, by name; empty if nothing was sent."""
        query = "SELECT data FROM events WHERE run = ? AND kind = 'submitting' ORDER BY id DESC LIMIT 1"
        row = self._db.execute(query, (run.key,)).fetchone()
        return orjson.loads(row[0]).get("told", {}) if row else {}

    def noted(self, kind: str) -> list[dict]:
        """What was noted of all runs with events of a kind, oldest first."""
        return [orjson.loads(data) for (data,) in self._db.execute("SELECT data FROM events WHERE kind = ? ORDER BY id", (kind,))]

    # ---- money

    def money(self, *keys: str) -> Committed:
        """What the collected batches of runs have cost and those in flight may cost at most; of all their studies, if they have any."""
        return spending.of_runs(self._db, {one for key in keys for one in self._together(key)})

    def committed(self, key: str) -> float:
        """USD that count against the cap of a run or its study: see `money`."""
        return self.money(key).total

    def month(self, at: float, simulated: bool) -> Committed:
        """The same of all runs of this results folder in the month of a moment, unix seconds; `simulated` money is counted apart."""
        return spending.of_month(self._db, at, simulated)

    def _together(self, key: str) -> list[str]:
        run = self.run(key)
        return [one.key for one in self.runs() if one.study == run.study and _is_paid(one) == _is_paid(run)] if run and run.study else [key]

    def _check_caps(self, caps: Caps, shard: Shard) -> None:
        spending.check("run", caps.run, self.money(shard.run), shard.reserve)
        if caps.month < math.inf:
            simulated = not _is_paid(self.run(shard.run))
            spending.check("month", caps.month, self.month(shard.intent_at, simulated), shard.reserve)

    def committed_by_run(self) -> dict[str, float]:
        """The same of each run alone."""
        return dict(self._db.execute("SELECT run, total(committed) FROM money GROUP BY run"))

    def forgotten(self) -> list[tuple[str, dict]]:
        """(run, what was noted of it) for each time that a run was forgotten whose cost was noted, and is not here again."""
        rows = self._db.execute("SELECT run, data FROM events WHERE kind = 'forgotten' ORDER BY id")
        found = [(key, about) for key, data in rows if "cost" in (about := orjson.loads(data))]
        here = {run.key: run.created_at for run in self.runs()}
        return [(key, about) for key, about in found if here.get(key) != about["created_at"]]

    # ---- queues

    def enqueued(self, account: str, model: str | None = None) -> list[Enqueued]:
        """What an account has in its host's queue, as far as this folder knows: all of it, or a model's."""
        of_model, args = ("AND model = ?", (account, model)) if model is not None else ("", (account,))
        query = (
            "SELECT run, n, batch_id, requests, tokens, cast(body AS TEXT) ->> '$.intent_at' FROM shards"
            f" WHERE state IN ('submitting', 'submitted') AND run IN (SELECT key FROM runs WHERE account = ? AND {_IN_BATCHES}) {of_model}"
        )
        return [Enqueued(*row) for row in self._db.execute(query, args)]

    def note_quota(self, queue: str, quota: Quota) -> None:
        """Note what a host has said of a queue (an account's, of a model): an event of no run."""
        with self._transaction():
            self._event(queue, None, "queue", {"tokens": quota.tokens, "requests": quota.requests})

    def noted_quota(self, queue: str) -> tuple[float, Quota] | None:
        """What a host has last said of a queue, and when, unix seconds."""
        query = "SELECT at, data FROM events WHERE run = ? AND kind = 'queue' ORDER BY id DESC LIMIT 1"
        row = self._db.execute(query, (queue,)).fetchone()
        return row and (row[0], Quota(**orjson.loads(row[1])))

    # ---- batches

    def owner(self, batch_id: str) -> tuple[Run, Shard] | None:
        """The run and shard whose batch this is now."""
        first = "ORDER BY (SELECT rowid FROM runs WHERE key = run) LIMIT 1"  # before its copy that was imported under another name
        row = self._db.execute(f"SELECT run, n FROM shards WHERE batch_id = ? {first}", (batch_id,)).fetchone()
        if row is None:
            return None
        run = self.run(row[0])
        body = self._db.execute("SELECT body FROM shards WHERE run = ? AND n = ?", row).fetchone()[0]
        return run, shard_of(run.key, body, run.folder)

    def is_known(self, batch_id: str) -> bool:
        """Whether any shard ever had this batch, also one that turned out to be somebody else's."""
        return self._db.execute("SELECT 1 FROM batches WHERE batch_id = ?", (batch_id,)).fetchone() is not None

    def claims(self, run: Run) -> list[tuple[str, int, str]]:
        """Every batch that a run's shards ever had: (batch id, shard, how it came)."""
        return self._db.execute("SELECT batch_id, n, how FROM batches WHERE run = ? ORDER BY n, batch_id", (run.key,)).fetchall()

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

    def standing(self, shard: Shard, found: Iterable[Batch]) -> tuple[list[Batch], claims.Holder | None]:
        """Which of these batches a shard may take, and who else holds an unproven one of its size."""
        return claims.standing(self._db, shard, found)

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


def _is_paid(run: Run) -> bool:
    return run.address != "local"

"""What of a journal is only looked at: runs, shards, events, whose a batch is, and sums of money. Nothing is written here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from common.errors import InputError
from common.nouns import Batch, Run, Shard
from common.runs import claims, spending
from common.runs.bodies import facts_of, run_of, shard_of
from common.runs.spending import Committed

_SENDING = ("submitting", "adopted", "witnessed", "suspected", "imported", "rebuilt")  # events after which there is more to take over


class Lookups:
    """What a journal's database knows. `garbled`: by run whose row could not be read, why."""

    def __init__(self, db: sqlite3.Connection, results: Path) -> None:
        self.results = results
        self._db = db
        self.garbled: dict[str, str] = {}

    @property
    def salt(self) -> bytes:
        """Random bytes of this journal, for digests of keys."""
        return self._db.execute("SELECT value FROM secrets WHERE name = 'salt'").fetchone()[0]

    def select(self, query: str, *values: object) -> list[tuple]:
        """The rows of a query that only reads, for sums over all runs."""
        return self._db.execute(query, values).fetchall()

    # ---- runs and shards

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

    def shards(self, run: Run, *states: str) -> list[Shard]:
        """The shards of a run in order; only those in the given states if any are given."""
        folder = run.folder / "shards"
        return [shard_of(run.key, body, folder) for (body,) in self._bodies(run, states)]

    def facts(self, run: Run, *states: str) -> Iterator[dict]:
        """The same as the journal notes them, for who only counts. Raises InputError where one is garbled."""
        return (facts_of(run.key, body) for (body,) in self._bodies(run, states))

    def _bodies(self, run: Run, states: Sequence[str]) -> Iterable[tuple[bytes]]:
        marks = f"AND state IN ({','.join('?' * len(states))})" if states else ""
        return self._db.execute(f"SELECT body FROM shards WHERE run = ? {marks} ORDER BY n", (run.key, *states))

    def states(self, run: Run) -> dict[str, int]:
        """How many shards are in which state."""
        return dict(self._db.execute("SELECT state, count(*) FROM shards WHERE run = ? GROUP BY state", (run.key,)))

    # ---- events

    def events(self, run: Run, n: int | None = None) -> list[tuple[float, int | None, str, dict]]:
        """What has happened in a run (or to one of its shards), oldest first: (unix time, shard, kind, data)."""
        where, args = ("AND n = ?", (run.key, n)) if n is not None else ("", (run.key,))
        rows = self._db.execute(f"SELECT at, n, kind, data FROM events WHERE run = ? {where} ORDER BY id", args)
        return [(at, n, kind, orjson.loads(data)) for at, n, kind, data in rows]

    def event_count(self, run: Run) -> int:
        """How much has happened in a run; that somebody was told of it changes nothing."""
        return self._db.execute("SELECT count(*) FROM events WHERE run = ? AND kind != 'notified'", (run.key,)).fetchone()[0]

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
        if not run or not run.study:
            return [key]
        return [one.key for one in self.runs() if (one.study, one.local) == (run.study, run.local)]

    # ---- batches

    def owner(self, batch_id: str) -> tuple[Run, Shard] | None:
        """The run and shard whose batch this is now."""
        first = "ORDER BY (SELECT rowid FROM runs WHERE key = run) LIMIT 1"  # before its copy that was imported under another name
        row = self._db.execute(f"SELECT run, n FROM shards WHERE batch_id = ? {first}", (batch_id,)).fetchone()
        if row is None:
            return None
        run = self.run(row[0])
        body = self._db.execute("SELECT body FROM shards WHERE run = ? AND n = ?", row).fetchone()[0]
        return run, shard_of(run.key, body, run.folder / "shards")

    def is_known(self, batch_id: str) -> bool:
        """Whether any shard ever had this batch, also one that turned out to be somebody else's."""
        return self._db.execute("SELECT 1 FROM batches WHERE batch_id = ?", (batch_id,)).fetchone() is not None

    def claims(self, run: Run) -> list[tuple[str, int, str]]:
        """Every batch that a run's shards ever had: (batch id, shard, how it came)."""
        return self._db.execute("SELECT batch_id, n, how FROM batches WHERE run = ? ORDER BY n, batch_id", (run.key,)).fetchall()

    def standing(self, shard: Shard, found: Iterable[Batch]) -> tuple[list[Batch], claims.Holder | None]:
        """Which of these batches a shard may take, and who else holds an unproven one of its size."""
        return claims.standing(self._db, shard, found)

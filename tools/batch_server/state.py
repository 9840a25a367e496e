"""Owns what survives a restart: files, batches, finished chunks, row memory and the ledger, in one SQLite file."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from .edits import number_of

MOST = "most enqueued "  # what the names of those numbers begin with
FINAL = frozenset({"failed", "completed", "expired", "cancelled"})
SCHEMA = """
create table if not exists files(seq integer primary key, id text unique, account text, purpose text, gone int, doc blob);
create index if not exists files_by_account on files(account, seq);
create table if not exists batches(seq integer primary key, id text unique, account text, final int, gone int, doc blob);
create index if not exists batches_by_account on batches(account, seq);
create index if not exists batches_running on batches(seq) where final = 0;
create table if not exists chunks(batch text, first int, last int, primary key(batch, first)) without rowid;
create table if not exists rows(hash blob primary key, failed int, cap int) without rowid;
create table if not exists answers(batch text, row int, doc blob, primary key(batch, row)) without rowid;
create table if not exists asked(batch text, row int, air int, lost int, primary key(batch, row)) without rowid;
create table if not exists attempts(seq integer primary key, doc blob);
create table if not exists meta(key text primary key, value) without rowid;
"""


@dataclass
class File:
    """An uploaded or produced file; its bytes are `blobs/<blob>`."""

    id: str
    account: str
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created: float
    expires: int | None
    blob: str
    seq: int = 0
    gone: bool = False


@dataclass
class Batch:
    """A batch of either API. `status` uses OpenAI's words; the Anthropic shape is derived from it."""

    id: str
    account: str
    profile: str
    created: float
    created_real: float
    jumped: float
    status: str
    blob: str
    sha256: str
    window: float = 86400.0
    window_name: str = "24h"
    input_file: str | None = None
    endpoint: str = "/v1/messages"
    metadata: dict | None = None
    version: str = ""
    keep: int | None = None
    model: str | None = None
    total: int = 0
    prompt_tokens: int = 0
    ok: int = 0
    failed: int = 0
    usage: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)
    times: dict = field(default_factory=dict)
    outcome: str = ""
    output_file: str | None = None
    error_file: str | None = None
    fate: dict = field(default_factory=dict)
    seq: int = 0
    gone: bool = False
    asked_again: int = 0  # http backend: how often one of its rows was in the air when a service or a connection died

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in FINAL


class State:
    """The database and folders of one service. Every write is on disk before the call returns."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("blobs", "work", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        (folder / "tmp").mkdir(exist_ok=True)
        self.path = folder / "state.db"
        self.lock = threading.RLock()
        self.db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        self.db.execute("pragma journal_mode=wal")
        self.db.execute("pragma synchronous=full")
        self.db.executescript(SCHEMA)
        self.kind = "sim"  # "std" where a model server answers
        self.again: list[str] = []  # ids of the time before a reset that are to be given once more
        self.live: dict[str, Batch] = {b.id: b for b in self._batches("final = 0 and gone = 0 order by seq", ())}
        self._sweep()

    def _sweep(self) -> None:
        """Remove what a kill left between its making and its commit: bytes and folders that nothing refers to."""
        used = {blob for (blob,) in self.read("select json_extract(doc, '$.blob') from files where gone = 0")}
        used |= {batch.blob for batch in self.live.values()}
        for path in (self.folder / "blobs").iterdir():
            if path.name not in used and not path.name.startswith("billed-"):
                path.unlink()
        for path in (self.folder / "work").iterdir():
            if path.name not in self.live:
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Close the database; nothing is pending by design."""
        with self.lock:
            self.db.close()

    def write(self, *statements: tuple[str, tuple]) -> int:
        """Run statements as one transaction; returns the last row id."""
        with self.lock:
            self.db.execute("begin immediate")
            try:
                for sql, values in statements:
                    last = self.db.execute(sql, values).lastrowid
                self.db.execute("commit")
            except sqlite3.Error:
                self.db.execute("rollback")
                raise
            return last

    def read(self, sql: str, values: tuple = ()) -> list[tuple]:
        """All rows of a query."""
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    # -- places ---------------------------------------------------------------------------------
    def blob(self, name: str) -> Path:
        """Where the bytes of a file are; names are made here, never taken from a client."""
        return self.folder / "blobs" / name

    def new_id(self, prefix: str) -> str:
        """An id that nobody can mistake for a real provider's; after a reset that asked for it, one that was given before."""
        known = next((place for place, old in enumerate(self.again) if old.startswith(prefix)), None)
        return f"{prefix}{self.kind}{secrets.token_hex(13)}" if known is None else self.again.pop(known)

    def new_blob(self) -> str:
        """A fresh blob name."""
        return secrets.token_hex(16)

    def work(self, batch: Batch) -> Path:
        """The folder of a batch's index and finished parts."""
        folder = self.folder / "work" / batch.id  # our own id, read from the database
        folder.mkdir(exist_ok=True)
        return folder

    # -- files ----------------------------------------------------------------------------------
    def add_files(self, *files: File, extra: tuple = ()) -> None:
        """Commit new files, together with other statements that belong to the same fact."""
        statements = [("insert into files(id, account, purpose, gone, doc) values(?,?,?,0,?)",
                       (f.id, f.account, f.purpose, orjson.dumps(asdict(f)))) for f in files]
        self.write(*statements, *extra)

    def file(self, account: str, file_id: str, now: float) -> File | None:
        """A file of an account, if it is there, not deleted and not past its date."""
        file_id = self._true_id("files", account, file_id)
        rows = self.read("select doc, seq from files where id = ? and account = ? and gone = 0", (file_id, account))
        found = File(**orjson.loads(rows[0][0])) if rows else None
        if found is None or (found.expires is not None and found.expires <= now):
            return None
        found.seq = rows[0][1]
        return found

    def files(self, account: str, where: str, values: tuple, order: str, limit: int) -> list[File]:
        """Files of an account in order of creation."""
        rows = self.read(f"select doc, seq from files where account = ? and gone = 0 {where} order by seq {order} limit ?",
                         (account, *values, limit))
        return [File(**{**orjson.loads(doc), "seq": seq}) for doc, seq in rows]

    def drop_file(self, file: File) -> None:
        """Forget a file. Its bytes go too, unless a running batch still reads them."""
        self.write(("update files set gone = 1 where id = ?", (file.id,)))
        self.drop_blob(file.blob)

    def drop_blob(self, blob: str) -> None:
        """Remove bytes that neither a file nor a running batch needs any more."""
        needed = any(batch.blob == blob for batch in self.live.values()) or self.read(
            "select 1 from files where gone = 0 and json_extract(doc, '$.blob') = ? limit 1", (blob,))
        if blob and not needed:
            self.blob(blob).unlink(missing_ok=True)

    def stored_bytes(self, account: str) -> int:
        """Bytes of all files that an account keeps."""
        rows = self.read("select sum(json_extract(doc, '$.bytes')) from files where account = ? and gone = 0", (account,))
        return rows[0][0] or 0

    # -- batches --------------------------------------------------------------------------------
    def _batches(self, where: str, values: tuple) -> list[Batch]:
        rows = self.read(f"select doc, seq from batches where {where}", values)
        return [Batch(**{**orjson.loads(doc), "seq": seq}) for doc, seq in rows]

    def add_batch(self, batch: Batch) -> None:
        """Accept a batch: once this returns, it exists whatever happens."""
        batch.seq = self.write(("insert into batches(id, account, final, gone, doc) values(?,?,?,0,?)",
                                (batch.id, batch.account, int(batch.final), orjson.dumps(asdict(batch)))))
        self.live[batch.id] = batch

    def save(self, batch: Batch, *extra: tuple, files: tuple[File, ...] = ()) -> None:
        """Commit a batch as it is now."""
        update = ("update batches set doc = ?, final = ?, gone = ? where id = ?",
                  (orjson.dumps(asdict(batch)), int(batch.final), int(batch.gone), batch.id))
        self.add_files(*files, extra=(update, *extra))
        if batch.final or batch.gone:
            self.live.pop(batch.id, None)

    def batch(self, account: str, batch_id: str) -> Batch | None:
        """A batch of an account; the running ones are shared objects."""
        batch_id = self._true_id("batches", account, batch_id)
        found = self.live.get(batch_id) or next(iter(self._batches("id = ? and gone = 0", (batch_id,))), None)
        return found if found is not None and found.account == account else None

    def _true_id(self, table: str, account: str, given: str) -> str:
        """The id behind a number, where a fault shows ids as numbers; any other id is itself."""
        if not (given.isascii() and given.isdigit() and len(given) < 16):
            return given
        known = (row[0] for row in self.read(f"select id from {table} where account = ? and gone = 0", (account,)))
        return next((one for one in known if number_of(one) == int(given)), given)

    def batches(self, account: str, where: str, values: tuple, order: str, limit: int) -> list[Batch]:
        """Batches of an account in order of creation."""
        found = self._batches(f"account = ? and gone = 0 {where} order by seq {order} limit ?", (account, *values, limit))
        return [self.live.get(batch.id, batch) for batch in found]

    def batches_like(self, where: str, values: tuple) -> list[Batch]:
        """Batches of all accounts by a condition, deleted ones too."""
        return [self.live.get(b.id, b) for b in self._batches(where, values)]

    def all_batches(self) -> list[Batch]:
        """Every batch ever accepted, newest first, deleted ones too: the ledger forgets nothing."""
        return [self.live.get(b.id, b) for b in self._batches("1 order by seq desc", ())]

    # -- chunks and rows ------------------------------------------------------------------------
    def chunks(self, batch: Batch) -> list[tuple[int, int]]:
        """The ranges of rows that have been answered."""
        return self.read("select first, last from chunks where batch = ? order by first", (batch.id,))

    def add_chunk(self, batch: Batch, first: int, last: int, seen: list, keep: tuple = ()) -> None:
        """Commit a finished chunk, the batch's new counters and what is to be remembered or kept of its rows."""
        chunk = ("insert or ignore into chunks values(?,?,?)", (batch.id, first, last))
        self.save(batch, chunk, *keep, *[_memory(*row) for row in seen])

    def remember(self, seen: list) -> None:
        """Keep row memory of a single call."""
        if seen:
            self.write(*[_memory(*row) for row in seen])

    # -- the rest -------------------------------------------------------------------------------
    def attempt(self, doc: dict) -> None:
        """Note an attempt to create a batch, whatever came of it."""
        self.write(("insert into attempts(doc) values(?)", (orjson.dumps({"time": time.time(), **doc}),)))

    def attempts(self) -> list[dict]:
        """Every attempt to create a batch, oldest first."""
        return [orjson.loads(doc) for (doc,) in self.read("select doc from attempts order by seq")]

    def meta(self, key: str) -> float:
        """A number kept under a name; 0.0 if none is."""
        rows = self.read("select value from meta where key = ?", (key,))
        return rows[0][0] if rows else 0.0

    def set_meta(self, key: str, value: float) -> None:
        """Keep a number under a name."""
        self.write(("insert or replace into meta values(?,?)", (key, value)))

    def note_most(self, account: str, model: str | None, tokens: int) -> None:
        """Keep the most that an account ever had in a model's queue."""
        key = f"{MOST}{orjson.dumps([account, model]).decode()}"
        if tokens > self.meta(key):
            self.set_meta(key, tokens)

    def most_enqueued(self) -> list[dict]:
        """The most that ever stood in each queue."""
        found = self.read("select key, value from meta where substr(key, 1, ?) = ? order by key", (len(MOST), MOST))
        names = [(*orjson.loads(key[len(MOST) :]), int(value)) for key, value in found]
        return [{"account": account, "model": model, "tokens": tokens} for account, model, tokens in names]

    def wipe(self, reuse_ids: bool = False) -> None:
        """Forget everything; on demand all ids are given again, in their order, as a host does that starts counting anew."""
        old = [row[0] for table in ("batches", "files") for row in self.read(f"select id from {table} order by seq")]
        self.again = old + self.again if reuse_ids else []
        self.live.clear()
        tables = ("files", "batches", "chunks", "rows", "answers", "asked", "attempts", "meta")
        self.write(*[(f"delete from {table}", ()) for table in tables])
        for name in ("blobs", "work", "tmp"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(exist_ok=True)


def _memory(key: str, failed: int, cap: int) -> tuple[str, tuple]:
    sql = "insert into rows values(?,?,?) on conflict(hash) do update set failed = failed + excluded.failed, cap = max(cap, excluded.cap)"
    return sql, (bytes.fromhex(key), failed, cap)


def sync_file(path: Path) -> None:
    """Make sure that a file's bytes and its name are on disk."""
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

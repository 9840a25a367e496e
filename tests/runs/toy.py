"""A batch API in memory, with its own clock: real answers to every call, and trouble where a script of chances says so."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from common.errors import Busy, Refused, Unknown, Unreached
from common.files import file_sha256
from common.nouns import Batch, Condition, Result, Shard, Usage
from common.outcomes import SUCCEEDED
from common.providers.base import Holding, Provider
from common.providers.shared import alike
from common.retry import Clock


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Time:
    """A clock in memory: sleeping is all that lets time pass; the wall clock may jump."""

    def __init__(self) -> None:
        self.at, self.jump = 1_000_000.0, 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds

    @property
    def clock(self) -> Clock:
        """As the product takes it."""
        return Clock(lambda: self.at + self.jump, lambda: self.at, self.sleep)


@dataclass
class Host:
    """What the provider knows: the truth that the product is judged by."""

    time: Time
    chance: random.Random
    trouble: float  # share of calls that go wrong
    killing: float  # share of calls around which the process dies …
    tags: bool = True  # whether its batches show the tags that they were made with
    lives: int = 10  # … so often at most, so that every run ends
    batches: dict[str, dict] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)  # request id → how often it was answered, and paid

    def create(self, shard: Shard) -> str:
        """Accept a batch: money is spent from here on."""
        ids = [orjson.loads(line)["id"] for line in shard.path.read_bytes().splitlines()]
        batch_id = f"b{len(self.batches)}"
        seen_at = self.time.at + self.chance.choice((0, 0, 5, 20))  # lists lag
        self.batches[batch_id] = {
            "ids": ids, "tag": shard.tag, "at": self.time.at, "seen": seen_at, "ends": self.time.at + self.chance.choice((0, 30, 300)),
            "rows": None, "cancelled": False,
        }  # fmt: skip
        return batch_id

    def rows(self, batch_id: str) -> list[dict]:
        """The rows of an ended batch, decided once."""
        batch = self.batches[batch_id]
        if batch["rows"] is None:
            batch["rows"] = []
            for sent in batch["ids"]:
                ok = self.chance.random() > 0.15
                batch["rows"].append({"id": sent, "ok": ok})
                self.answered[sent] = self.answered.get(sent, 0) + ok
            self.chance.shuffle(batch["rows"])
        return batch["rows"]


class Toy(Provider):
    """One process's way to the host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def _weather(self, *kinds: type[Exception]) -> None:
        chance = self._host.chance
        if chance.random() < self._host.killing and self._host.lives:
            self._host.lives -= 1
            raise Killed
        if kinds and chance.random() < self._host.trouble:
            raise chance.choice(kinds)("trouble")

    def encode(self, condition: Condition, *asked: object) -> tuple[bytes, bytes]:
        return b'{"id":"', b'"}\n'

    def decode(self, line: dict) -> Result:
        outcome = SUCCEEDED if line["ok"] else "server_error"
        return Result(line["id"], outcome, "text" if line["ok"] else "", usage=Usage(1, 0, 1))

    @staticmethod
    def claims(line: dict) -> bool:
        return "ok" in line

    @staticmethod
    def with_cap(line: bytes, cap: int) -> bytes:
        return line

    def upload(self, shard: Shard) -> str:
        self._weather(Unknown, Unreached, Busy)
        return f"f{shard.n}-{shard.tries}"

    def submit(self, shard: Shard, *more: object) -> str:
        self._weather(Unknown, Unreached, Busy)  # never arrived, or was turned away
        batch_id = self._host.create(shard)
        self._weather(Unknown)  # arrived, and the answer was lost
        return batch_id

    def _look(self, batch_id: str) -> Batch:
        host, batch = self._host, self._host.batches[batch_id]
        ended = host.time.at >= batch["ends"]
        rows = host.rows(batch_id) if ended else []
        ok = sum(row["ok"] for row in rows)
        return Batch(
            batch_id, "completed" if ended else "in_progress", ended, total=len(batch["ids"]), succeeded=ok, errored=len(rows) - ok,
            output="o" if ended else "", created_at=batch["at"], tag=batch["tag"] if host.tags else "",
        )  # fmt: skip

    def find(self, shard: Shard) -> Iterable[Batch]:
        if not self._host.tags:
            return alike(reversed([*self.listing()]), shard)
        return [batch for batch in self.listing() if batch.tag == shard.tag]

    def status(self, batch_ids: Iterable[str]) -> Iterable[Batch]:
        self._weather(Unknown, Unreached, Busy)
        return [self._look(batch_id) for batch_id in batch_ids]

    def cancel(self, batch_id: str) -> None:
        self._weather(Unknown)
        if self._host.time.at >= self._host.batches[batch_id]["ends"]:
            raise Refused("it has ended", 409)

    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        self._weather(Unknown, Unreached)
        rows = self._host.rows(batch.id)
        output.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return {output: file_sha256(output)}

    def listing(self) -> Iterable[Batch]:
        self._weather(Unknown, Unreached, Busy)
        seen = [name for name, batch in self._host.batches.items() if batch["seen"] <= self._host.time.at]
        return [replace(self._look(name)) for name in reversed(seen)]

    def holdings(self, batch: Batch) -> list[Holding]:
        return []

    def remove(self, ref: str) -> None:
        raise Refused("nothing here is deleted", 404)

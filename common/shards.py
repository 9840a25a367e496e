"""Cells → shard files within a host's limits, and failed rows → new shards. A shard never changes once it is there.

Beside each `shard-00001.jsonl` lies `shard-00001.ids`: one line per request, `id on the wire TAB custom_id TAB
temperature`, the custom_id empty where it is the same. So what comes back can be matched without the prompts.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import orjson

from common.costs import ceiling
from common.errors import Usage
from common.ids import id_parts
from common.jsonl import sync_folder
from common.providers.base import Provider
from common.records import Cell, Limits, Model, Shard
from common.tokens import PER_MESSAGE, estimate

BLOCK = 1 << 20
UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


@lru_cache
def _legal(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).fullmatch


def wire_id(custom_id: str, limits: Limits) -> str:
    """The id that a host accepts for a custom_id: itself where legal, else cleaned and told apart by 64 hash bits."""
    if _legal(limits.custom_id)(custom_id):
        return custom_id
    return f"{UNSAFE.sub('-', custom_id)[:47]}-{hashlib.sha256(custom_id.encode()).hexdigest()[:16]}"


class _Writer:
    """One open shard: lines in, a finished pair of files and their figures out."""

    def __init__(self, folder: Path, n: int) -> None:
        self.path = folder / f"shard-{n:05d}.jsonl"
        self._part = self.path.with_suffix(".jsonl.part")
        self._file = open(self._part, "wb", buffering=0)
        self._ids_file = open(self.path.with_suffix(".ids"), "wb")
        self._sha = hashlib.sha256()
        self._lines: list[bytes] = []
        self._ids: list[str] = []
        self._flushed = 0  # bytes
        self.n, self.count, self.bytes, self.tokens, self.reserve = n, 0, 0, 0, 0.0

    def add(self, line: bytes, id_line: str) -> None:
        self._lines.append(line)
        self._ids.append(id_line)
        self.count += 1
        self.bytes += len(line)
        if self.bytes - self._flushed >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        block = b"".join(self._lines)
        self._sha.update(block)
        _write_all(self._file, block)
        self._ids_file.write("".join(self._ids).encode())
        self._lines.clear()
        self._ids.clear()
        self._flushed = self.bytes

    def finish(self) -> str:
        """Sync both files and put the shard under its name; returns its sha256."""
        self._flush()
        for file in (self._ids_file, self._file):
            file.flush()
            os.fsync(file.fileno())
            file.close()
        os.replace(self._part, self.path)
        sync_folder(self.path.parent)
        return self._sha.hexdigest()

    def abandon(self) -> None:
        self._file.close()
        self._ids_file.close()
        self._part.unlink(missing_ok=True)
        self.path.with_suffix(".ids").unlink(missing_ok=True)


def _write_all(file, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


@dataclass
class Plan:
    """How a run's cells become shards, and what was found wrong on the way."""

    run: str
    folder: Path
    limits: Limits
    provider: Provider
    trials: int
    effort: str = ""
    headers: Callable[[Model], dict[str, str]] = lambda model: {}
    invalid: list[tuple[str, str]] = field(default_factory=list)  # (custom_id, why), the first 1,000
    skipped: int = 0

    def cut(self, cells: Iterable[Cell], cap: int, first: int, at_most: int | None) -> Iterator[Shard]:
        """Shards of one model's cells, numbered from `first`; at most `at_most` requests. One shard is open at a time."""
        writer = model = None
        left = at_most if at_most is not None else -1
        most_requests = math.inf if self.limits.requests is None else self.limits.requests
        most_bytes = math.inf if self.limits.bytes is None else self.limits.bytes
        count = lru_cache(64)(estimate)  # of system prompts, which a data set repeats
        try:
            for cell in cells:
                if left == 0:
                    break
                if cell.model is not model:
                    model = cell.model
                    most_of = lru_cache(4096)(partial(ceiling, model, max_tokens=cap))
                trials = self.trials if left < 0 else min(self.trials, left)
                left -= trials if left > 0 else 0
                head, tail = self.provider.encode(cell, cap, self.effort)
                tokens = count(cell.system) + estimate(cell.user) + 2 * PER_MESSAGE
                most = most_of(tokens)
                before, after = id_parts(cell.persona, model.alias, cell.text)
                for trial in range(1, trials + 1):
                    custom_id = f"{before}{trial:02d}{after}"
                    wire = wire_id(custom_id, self.limits)
                    id_line = f"{wire}\t{'' if wire == custom_id else custom_id}\t{cell.temperature}\n"
                    line = head + orjson.dumps(wire)[1:-1] + tail
                    if len(line) > most_bytes:
                        self._reject(custom_id, f"{len(line):,} bytes; one batch may hold {most_bytes:,}")
                        continue
                    if writer and (writer.count >= most_requests or writer.bytes + len(line) > most_bytes):
                        yield self._shard(writer, model, cap)
                        first, writer = first + 1, None
                    if writer is None:
                        writer = _Writer(self.folder, first)
                    writer.add(line, id_line)
                    writer.tokens += tokens
                    writer.reserve = None if most is None or writer.reserve is None else writer.reserve + most
            if writer:
                yield self._shard(writer, model, cap)
                writer = None
        finally:
            if writer:
                writer.abandon()

    def _reject(self, custom_id: str, why: str) -> None:
        self.skipped += 1
        if len(self.invalid) < 1000:
            self.invalid.append((custom_id, why))

    def _shard(self, writer: _Writer, model: Model, cap: int) -> Shard:
        return Shard(
            run=self.run,
            n=writer.n,
            root=writer.n,
            attempt=1,
            path=writer.path,
            sha256=writer.finish(),
            count=writer.count,
            bytes=writer.bytes,
            tokens=writer.tokens,
            reserve=writer.reserve,
            model=model.alias,
            max_tokens=cap,
            tag=new_tag(self.run, writer.n),
            headers=self.headers(model),
        )


def new_tag(run: str, n: int) -> str:
    """A name for a shard's batch that no other batch of any run ever has (OpenAI metadata: at most 512 characters)."""
    return f"{run}#{n}#{secrets.token_hex(8)}"


def ids(shard: Shard) -> dict[str, str]:
    """A shard's ids on the wire → `custom_id TAB temperature` (custom_id empty where the same). One shard's worth."""
    found, shared = {}, {}
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as lines:
        for line in lines:
            wire, _, rest = line.rstrip("\n").partition("\t")
            found[wire] = shared.setdefault(rest, rest)
    return found


def check(shard: Shard) -> None:
    """Make sure that a shard's file is still what was planned. Raises Usage."""
    try:
        with open(shard.path, "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256
    except FileNotFoundError:
        raise Usage(f"{shard.path}: the shard is gone; plan anew with --run NAME") from None
    if not same:
        raise Usage(f"{shard.path}: the shard was changed after planning; plan anew with --run NAME")


def id_at_line(shard: Shard, line: int) -> str:
    """The custom_id of the request in a line (counted from 1) of a shard; "" if there is none."""
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as lines:
        for number, row in enumerate(lines, 1):
            if number == line:
                wire, custom_id, _ = row.rstrip("\n").split("\t")
                return custom_id or wire
    return ""


def again(
    shard: Shard, n: int, keep: Container[str], *, attempt: int, longer: int | None = None, not_before: float = 0.0
) -> Shard | None:
    """A new shard of those requests of a shard whose ids on the wire are in `keep`; None when there are none.

    `longer` replaces their max_tokens. The lines are copied byte by byte otherwise.
    """
    writer = _Writer(shard.path.parent, n)
    change = partial(_raise_cap, cap=longer) if longer else bytes
    try:
        with (
            open(shard.path, "rb") as lines,
            open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows,
        ):
            for line, row in zip(lines, rows, strict=True):
                if row.partition("\t")[0] in keep:
                    writer.add(change(line), row)
        if not writer.count:
            writer.abandon()
            return None
        share = writer.count / shard.count
        factor = longer / shard.max_tokens if longer else 1.0
        return Shard(
            run=shard.run,
            n=n,
            root=shard.root,
            attempt=attempt,
            path=writer.path,
            sha256=writer.finish(),
            count=writer.count,
            bytes=writer.bytes,
            tokens=-int(-shard.tokens * share),
            reserve=None if shard.reserve is None else shard.reserve * share * factor,
            model=shard.model,
            max_tokens=longer or shard.max_tokens,
            tag=new_tag(shard.run, n),
            headers=shard.headers,
            not_before=not_before,
        )
    except BaseException:
        writer.abandon()
        raise


def _raise_cap(line: bytes, cap: int) -> bytes:
    row = orjson.loads(line)
    body = row.get("body") or row["params"]
    body["max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"] = cap
    return orjson.dumps(row) + b"\n"


def line_of_error(message: str) -> int:
    """The line of the request that an Anthropic error names as `requests.<index>.…`; 0 if it names none."""
    found = re.search(r"\brequests\.(\d+)\b", message)
    return int(found[1]) + 1 if found else 0

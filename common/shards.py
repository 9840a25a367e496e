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
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import accumulate
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
IN_CACHE = 4  # shards of a run that stay in the system's page cache; 1,000,000 requests take half the time if the others do not
GROUP = 64  # requests that are packed at a time
UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


@lru_cache
def _legal(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).fullmatch


def wire_id(custom_id: str, limits: Limits) -> str:
    """The id that a host accepts for a custom_id: itself where legal, else cleaned and told apart by 64 hash bits."""
    if _legal(limits.custom_id)(custom_id):
        return custom_id
    return f"{UNSAFE.sub('-', custom_id)[:47]}-{hashlib.sha256(custom_id.encode()).hexdigest()[:16]}"


# A request on its way into a shard: its line, its line of the ids file, its prompt tokens, and USD at most.
_Request = tuple[bytes, str, int, float | None]


class _Writer:
    """One open shard: requests in, a finished pair of files and their figures out."""

    def __init__(self, folder: Path, n: int, limits: Limits | None = None) -> None:
        self.path = folder / f"shard-{n:05d}.jsonl"
        self._part = self.path.with_suffix(".jsonl.part")
        self._file = open(self._part, "wb", buffering=0)
        self._ids_file = open(self.path.with_suffix(".ids"), "wb")
        self._sha = hashlib.sha256()
        self._lines: list[bytes] = []
        self._ids: list[str] = []
        self._flushed = 0  # bytes
        self._most_requests = limits.requests if limits and limits.requests is not None else math.inf
        self._most_bytes = limits.bytes if limits and limits.bytes is not None else math.inf
        self.n, self.count, self.bytes, self.tokens, self.reserve = n, 0, 0, 0, 0.0

    def add(self, requests: list[_Request]) -> list[_Request]:
        """Take as many of the first requests as fit; returns the others."""
        lines, id_lines, tokens, most = zip(*requests)
        size = sum(map(len, lines))
        if self.count + len(lines) > self._most_requests or self.bytes + size > self._most_bytes:
            sizes = accumulate(map(len, lines), initial=self.bytes)
            fit = min(self._most_requests - self.count, sum(size <= self._most_bytes for size in sizes) - 1)
            if fit < len(lines):
                if fit:
                    self.add(requests[:fit])
                return requests[fit:]
        self._lines += lines
        self._ids += id_lines
        self.count += len(lines)
        self.bytes += size
        self.tokens += sum(tokens)
        self.reserve = None if self.reserve is None or None in most else self.reserve + sum(most)
        if self.bytes - self._flushed >= BLOCK:
            self._flush()
        return []

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
            if self.n > IN_CACHE:
                with suppress(AttributeError, OSError):  # an advice, which not every system takes
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.close()
        os.replace(self._part, self.path)
        sync_folder(self.path.parent)
        _own[self.path] = _stamp(self.path)
        return self._sha.hexdigest()

    def abandon(self) -> None:
        self._file.close()
        self._ids_file.close()
        self._part.unlink(missing_ok=True)
        self.path.with_suffix(".ids").unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes about a file when anybody writes to it, or puts another one in its place."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


# The shards that this very process has written, with their stamps: they need no second reading before they are sent.
_own: dict[Path, tuple[int, ...]] = {}


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
        writer, model = None, None
        try:
            for model, requests in self._groups(cells, cap, at_most):
                while requests:
                    writer = writer or _Writer(self.folder, first, self.limits)
                    requests = writer.add(requests)
                    if requests:
                        yield self._shard(writer, model, cap)
                        first, writer = first + 1, None
            if writer:
                yield self._shard(writer, model, cap)
                writer = None
        finally:
            if writer:
                writer.abandon()

    def _groups(self, cells: Iterable[Cell], cap: int, at_most: int | None) -> Iterator[tuple[Model, list[_Request]]]:
        """The requests of one model's cells that fit into a batch at all, at most GROUP and about BLOCK bytes at a time."""
        left = math.inf if at_most is None else at_most
        most_bytes = math.inf if self.limits.bytes is None else self.limits.bytes
        legal, encode, escaped = _legal(self.limits.custom_id), self.provider.encode, orjson.dumps
        count = lru_cache(64)(estimate)  # of system prompts, which a data set repeats
        rest_of = lru_cache(64)("{}\n".format)
        model, group, size = None, [], 0
        for cell in cells:
            if left <= 0:
                break
            of_model, persona, text, system, user, heat = cell
            if of_model is not model:
                model = of_model
                most_of = lru_cache(4096)(partial(ceiling, model, max_tokens=cap))
            trials = min(self.trials, left)
            left -= trials
            head, tail = encode(cell, cap, self.effort)  # all trials ask the same
            tokens = count(system) + estimate(user) + 2 * PER_MESSAGE
            most = most_of(tokens)
            before, after = id_parts(persona, model.alias, text)
            rest = rest_of(heat)
            for trial in range(1, trials + 1):
                custom_id = f"{before}{trial:02d}{after}"
                if legal(custom_id):
                    wire, id_line = custom_id, f"{custom_id}\t\t{rest}"
                else:
                    wire = wire_id(custom_id, self.limits)
                    id_line = f"{wire}\t{custom_id}\t{rest}"
                line = head + escaped(wire)[1:-1] + tail
                if len(line) > most_bytes:
                    self._reject(custom_id, f"{len(line):,} bytes; one batch may hold {most_bytes:,}")
                    continue
                group.append((line, id_line, tokens, most))
                size += len(line)
                if len(group) == GROUP or size >= BLOCK:
                    yield model, group
                    group, size = [], 0
        if group:
            yield model, group

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
    found, share = {}, {}.setdefault
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as lines:
        for line in lines:
            wire, _, rest = line.rstrip("\n").partition("\t")
            found[wire] = share(rest, rest)
    return found


def check(shard: Shard) -> None:
    """Make sure that a shard's file is still what was planned. Raises Usage."""
    try:
        if _own.get(shard.path) == _stamp(shard.path):
            return
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
                    writer.add([(change(line), row, 0, 0.0)])
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

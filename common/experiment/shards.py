"""Requests → shard files within a host's limits, and failed rows → new shards. A shard never changes once it is there.

Beside each `shard-00001.jsonl` lies `shard-00001.ids`: one line per request, `request id TAB custom_id TAB
temperature …`, the custom_id empty where it is the same. So what comes back can be matched without the prompts. A shard
with a mark sends each id with it.
"""

from __future__ import annotations

import hashlib
import math
import os
import secrets
from collections.abc import Callable, Collection, Container
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path

from common.experiment.ids_file import bounds
from common.experiment.marks import mark_of, moved, suffix
from common.files import sync_folder
from common.nouns import Limits, Shard, State
from common.providers.sealed import changed, gone

BLOCK = 1 << 20


IN_CACHE = 4  # shards of a run that stay in the system's page cache; 1,000,000 requests take half the time if the others do not


# A request on its way into a shard: its line, its line of the ids file, its prompt tokens, and USD at most.
Request = tuple[bytes, str, int, float | None]


class Writer:
    """One open shard: requests in, a finished pair of files and their figures out."""

    def __init__(self, folder: Path, n: int, limits: Limits | None = None) -> None:
        self.path = folder / f"shard-{n:05d}.jsonl"
        self._part = self.path.with_suffix(".jsonl.part")
        self._file = open(self._part, "wb", buffering=0)
        self._ids_file = open(self.path.with_suffix(".ids"), "wb")
        self._sha, self._ids_sha = hashlib.sha256(), hashlib.sha256()
        self._lines: list[bytes] = []
        self._ids: list[str] = []
        self._flushed = 0  # bytes
        self._most_requests = limits.requests if limits and limits.requests is not None else math.inf
        self._most_bytes = limits.bytes if limits and limits.bytes is not None else math.inf
        self._most_tokens = limits.tokens if limits and limits.tokens is not None else math.inf
        self.n, self.count, self.bytes, self.tokens, self.reserve = n, 0, 0, 0, 0.0

    def add(self, requests: list[Request]) -> list[Request]:
        """Take as many of the first requests as fit; returns the others."""
        lines, id_lines, tokens, most = zip(*requests)
        size, more = sum(map(len, lines)), sum(tokens)
        if self.count + len(lines) > self._most_requests or self.bytes + size > self._most_bytes or self.tokens + more > self._most_tokens:
            sizes, counts = accumulate(map(len, lines), initial=self.bytes), accumulate(tokens, initial=self.tokens)
            fit = min(self._most_requests - self.count, sum(size <= self._most_bytes for size in sizes) - 1)
            fit = min(fit, max(sum(count <= self._most_tokens for count in counts) - 1, not self.count))  # one at least
            if fit < len(lines):
                if fit:
                    self.add(requests[:fit])
                return requests[fit:]
        self._lines += lines
        self._ids += id_lines
        self.count += len(lines)
        self.bytes += size
        self.tokens += more
        self.reserve = None if self.reserve is None or None in most else self.reserve + sum(most)
        if self.bytes - self._flushed >= BLOCK:
            self._flush()
        return []

    def _flush(self) -> None:
        block = b"".join(self._lines)
        self._sha.update(block)
        _write_all(self._file, block)
        id_lines = "".join(self._ids).encode()
        self._ids_sha.update(id_lines)
        self._ids_file.write(id_lines)
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
        return self._sha.hexdigest()

    @property
    def ids_sha256(self) -> str:
        """The digest of the ids file, once finished."""
        return self._ids_sha.hexdigest()

    def abandon(self) -> None:
        self._file.close()
        self._ids_file.close()
        self._part.unlink(missing_ok=True)
        self.path.with_suffix(".ids").unlink(missing_ok=True)


def _write_all(file, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def new_tag(run: str, n: int) -> str:
    """A name for a shard's batch that no other batch of any run ever has (OpenAI metadata: at most 512 characters)."""
    return f"{run}#{n}#{secrets.token_hex(8)}"


def next_tag(tag: str) -> str:
    """A tag for another try at the same shard, which shows that it is one."""
    return f"{first_tag(tag)}.{secrets.token_hex(4)}"


def first_tag(tag: str) -> str:
    """The tag that a shard was planned with: that of all its tries, in copies of its results folder too."""
    run, _, own = tag.rpartition("#")
    return f"{run}#{own.partition('.')[0]}"


def retry(
    shard: Shard,
    n: int,
    keep: Container[str],
    *,
    attempt: int,
    longer: int | None = None,
    with_cap: Callable[[bytes, int], bytes] | None = None,
    not_before: float = 0.0,
) -> Shard | None:
    """A new shard of those requests of a shard whose request ids are in `keep`; None when there are none.

    `longer` replaces their max_tokens, as the provider's `with_cap` does it. The lines are copied byte by byte otherwise.
    """
    mark, change = mark_of(shard.mark, n, attempt), partial(with_cap, cap=longer) if longer else bytes
    made = _copied(shard, n, keep, mark, change, longer / shard.max_tokens if longer else 1.0)
    return made and Shard(
        run=shard.run, n=n, root=shard.root, attempt=attempt, **made,
        model=shard.model, max_tokens=longer or shard.max_tokens, tag=new_tag(shard.run, n), mark=mark,
        headers=shard.headers, endpoint=shard.endpoint, not_before=not_before,
    )  # fmt: skip


def part(shard: Shard, n: int, keep: Collection[str], secret: str) -> Shard:
    """A shard of its own, of those requests of a shard that was not accepted yet whose request ids are in `keep`.

    `secret` is what the marks of its run's first attempts follow from. The lines are copied byte by byte otherwise.
    """
    is_first = shard.n == shard.root
    mark = mark_of(secret if is_first else shard.mark, n, shard.attempt)
    is_whole = len(keep) == shard.count and not mark
    made = is_whole and _linked(shard, n) or _copied(shard, n, keep, mark, bytes, 1.0)
    new = {"n": n, "root": n if is_first else shard.root, "tag": _tag_of_part(shard, n, made["ids_sha256"]), "mark": mark}
    return replace(shard, state=State.PLANNED, ref="", note="", intent_at=0.0, tries=0, **new, **made)


def _tag_of_part(shard: Shard, n: int, ids_sha256: str) -> str:
    """Follows from the whole's, so that copies of a results folder which divide it alike know each other's batches."""
    return f"{shard.run}#{n}#{hashlib.sha256(f'{first_tag(shard.tag)} {ids_sha256}'.encode()).hexdigest()[:16]}"


def _linked(shard: Shard, n: int) -> dict[str, object] | None:
    """The figures of a new shard of all requests of a shard, whose files it has too; None on a disk that knows no links."""
    path = shard.path.with_name(f"shard-{n:05d}.jsonl")
    try:
        for suffix_of in (".ids", ".jsonl"):
            os.link(shard.path.with_suffix(suffix_of), path.with_suffix(suffix_of))
    except OSError:
        path.with_suffix(".ids").unlink(missing_ok=True)
        return None
    sync_folder(path.parent)
    return {"path": path, "ids_sha256": shard.ids_sha256}


def _copied(
    shard: Shard, n: int, keep: Container[str], mark: str, change: Callable[[bytes], bytes], dearer: float
) -> dict[str, object] | None:  # fmt: skip
    """The figures of a new shard of some of a shard's requests; None where there are none, and then no file is left."""
    writer = Writer(shard.path.parent, n)
    try:
        _copy(shard, keep, writer, mark, change, dearer)
        if not writer.count:
            writer.abandon()
            return None
        return {
            "path": writer.path, "sha256": writer.finish(), "ids_sha256": writer.ids_sha256, "count": writer.count,
            "bytes": writer.bytes, "tokens": writer.tokens, "reserve": writer.reserve,
        }  # fmt: skip
    except BaseException:
        writer.abandon()
        raise


def _copy(shard: Shard, keep: Container[str], writer: Writer, mark: str, change: Callable[[bytes], bytes], dearer: float) -> None:
    dearer *= _above_first(shard)
    block: list[Request] = []
    with open(shard.path, "rb") as lines, open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows:
        for line, row in zip(lines, rows, strict=True):
            if row.partition("\t")[0] in keep:
                tokens, most = bounds(row, shard)
                line, row = with_mark(line, row, shard.mark, mark)
                block.append((change(line), row, tokens, None if most is None else most * dearer))
                if len(block) == 100:
                    writer.add(block)
                    block = []
    if block:
        writer.add(block)


def with_mark(line: bytes, row: str, before: str, mark: str) -> tuple[bytes, str]:
    """A request's line and its line of the ids file under another mark, as long as the one `before`."""
    if before == mark:
        return line, row
    request_id, _, rest = row.partition("\t")
    # ids stand in front of all that a person has written, so the first such quote ends the id
    line = line.replace(b'%b"' % suffix(before).encode(), b'%b"' % suffix(mark).encode(), 1)
    return line, f"{moved(request_id, before, mark)}\t{rest}"


def _above_first(shard: Shard) -> float:
    """How many times dearer a shard's requests are than their lines of the ids file say: those keep the first cap's price."""
    if shard.attempt == 1 or not shard.reserve:
        return 1.0
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows:
        first = sum(bounds(row, shard)[1] or 0.0 for row in rows)
    return max(1.0, shard.reserve / first) if first else 1.0


def check(shard: Shard) -> None:
    """A quick look at whether a shard's file is there as planned; its bytes are checked as they are sent. Raises InputError."""
    try:
        size = os.stat(shard.path).st_size
    except FileNotFoundError:
        raise gone(shard.path) from None
    if size != shard.bytes:
        raise changed(shard.path)

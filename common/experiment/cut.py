"""Conditions → shard files within a host's limits, and failed requests → new shards."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import orjson

from common.catalog.tokens import Meter
from common.experiment.grid import Asked, first_requests
from common.experiment.ids import id_parts, make_id
from common.experiment.ids_file import ids_rest
from common.experiment.marks import mark_of, suffix
from common.experiment.shards import BLOCK, Request, Writer, new_tag, with_mark
from common.experiment.weighing import Weigher
from common.nouns import Ask, Condition, Limits, Model, Shard
from common.providers.base import Provider

GROUP = 64  # requests that are packed at a time
UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")

_rest = lru_cache(4096)(ids_rest)


@lru_cache
def _legal(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).fullmatch


def sent_id(custom_id: str, limits: Limits, mark: str = "") -> str:
    """The id that a host accepts for a custom_id, with its shard's mark: itself where that is legal, else cleaned and told
    apart by 64 hash bits. Without the mark it is the same whatever the mark."""
    end = suffix(mark)
    if _legal(limits.custom_id)(custom_id + end):
        return custom_id + end
    return f"{UNSAFE.sub('-', custom_id)[: 47 - len(end)]}-{hashlib.sha256(custom_id.encode()).hexdigest()[:16]}{end}"


@dataclass
class Cutter:
    """How a run's conditions become shards, and what was found wrong on the way."""

    run: str
    folder: Path
    limits: Limits
    provider: Provider
    window: str = ""  # that its batches are asked to be done in; "" = as the host has it
    secret: str = ""  # of which the marks of its shards follow; "": ids are sent without one
    invalid: list[tuple[str, str]] = field(default_factory=list)  # (custom_id, why), the first 1,000
    skipped: int = 0
    identical: Counter[str] = field(default_factory=Counter)  # by model: requests that ask word for word what others of it ask
    meter: Meter = field(default_factory=Meter)
    _mark: str = ""  # of the shard that is open …
    _end: str = ""  # … and what its ids end in
    _weigher: Weigher | None = None  # of the model whose shards are made

    def cut(self, conditions: Iterable[Asked], cap: int, first: int, at_most: int | None) -> Iterator[Shard]:
        """Shards of one model's conditions, numbered from `first`; at most `at_most` requests. One shard is open at a time."""
        writer, self._weigher = None, None
        self._open(first)
        try:
            for requests in _groups(self._requests(first_requests(conditions, at_most))):
                while requests:
                    writer = writer or Writer(self.folder, first, self.limits)
                    requests = writer.add(requests)
                    if requests:
                        yield self._shard(writer, self._weigher.model, cap)
                        first, writer = first + 1, None
                        requests = self._marked(requests, first)
            if writer:
                yield self._shard(writer, self._weigher.model, cap)
                writer = None
        finally:
            if writer:
                writer.abandon()

    def _open(self, n: int) -> None:
        self._mark = mark_of(self.secret, n, 1)
        self._end = suffix(self._mark)

    def _marked(self, requests: list[Request], n: int) -> list[Request]:
        """Requests that were encoded for the shard before, as shard `n` asks them."""
        before = self._mark
        self._open(n)
        return [(*with_mark(line, row, before, self._mark), tokens, most) for line, row, tokens, most in requests]

    def _requests(self, conditions: Iterable[Asked]) -> Iterator[Request]:
        """What fits into a batch at all, each as the shard asks it that is open when it is taken; what does not is noted."""
        legal, most_bytes = _legal(self.limits.custom_id), math.inf if self.limits.bytes is None else self.limits.bytes
        for asked in conditions:
            if (common := self._common(asked)) is None:
                continue
            before, after, head, tail, rest, tokens, most = common
            for trial in asked.trials:
                custom_id = f"{before}{trial:02d}{after}"
                request_id = custom_id + self._end
                if not legal(request_id):
                    request_id = sent_id(custom_id, self.limits, self._mark)
                line = head + orjson.dumps(request_id)[1:-1] + tail
                if len(line) > most_bytes:
                    self._reject(custom_id, f"{len(line):,} bytes; one batch may hold {most_bytes:,}")
                    continue
                yield line, f"{request_id}\t{'' if request_id == custom_id else custom_id}\t{rest}", tokens, most

    def _common(self, asked: Asked) -> tuple[str, str, bytes, bytes, str, int, float | None] | None:
        """What a condition's requests have in common: what stands around the trial in their ids, what around the id in their lines, the
        rest of their lines of the ids file, prompt tokens, USD at most. None, and noted, where they cannot be sent."""
        condition, ask, trials, place, problem, again, _, marks, _ = asked
        if problem := problem or self._problem(condition, ask):
            return self._reject_all(asked, problem)
        if again:
            self.identical[condition.model.alias] += len(trials)
        self._weigher = self._weigher or Weigher(condition.model, ask.max_tokens, self.provider, self.meter)
        head, tail = self.provider.encode(condition, ask)
        tokens, most = self._weigher.weigh(condition, ask, marks, tail)
        queue = self.limits.request_tokens
        if queue is not None and tokens > queue:
            return self._reject_all(asked, f"{tokens:,} tokens; the host's queue holds {queue:,}")
        if marks:
            tail = self.provider.marked(tail, marks)
        before, after = id_parts(condition.persona, condition.model.alias, condition.text, condition.levels)
        rest = _rest(condition.temperature, tokens, most)
        return before, after, head, tail, f"{rest}\n" if place is None else f"{rest}\t{place}\n", tokens, most

    def _problem(self, condition: Condition, ask: Ask) -> str:
        """Why a condition cannot be sent; "" if it can."""
        if (not condition.user or condition.user.isspace()) and not condition.attachments:
            return "the prompt is empty"
        if not (condition.turns or condition.attachments or ask.parameters):
            return ""
        if any(not text or text.isspace() for _, text in condition.turns):
            return "a message before the prompt is empty"
        heat = condition.temperature if ask.parameters else None
        if heat is not None and (problem := self.provider.temperature_problem(heat, condition.model, ask)):
            return problem
        for attachment in condition.attachments:
            if problem := self.provider.attachment_problem(attachment, condition.model):
                return problem
        return ""

    def _reject_all(self, asked: Asked, why: str) -> None:
        model, persona, text, _, _, _, levels, _, _ = asked.condition
        self._reject(make_id(persona, model.alias, asked.trials[0], text, levels), why, len(asked.trials))

    def _reject(self, custom_id: str, why: str, count: int = 1) -> None:
        self.skipped += count
        if len(self.invalid) < 1000:
            self.invalid.append((custom_id, why))

    def _shard(self, writer: Writer, model: Model, cap: int) -> Shard:
        return Shard(
            run=self.run,
            n=writer.n,
            root=writer.n,
            attempt=1,
            path=writer.path,
            sha256=writer.finish(),
            ids_sha256=writer.ids_sha256,
            count=writer.count,
            bytes=writer.bytes,
            tokens=writer.tokens,
            reserve=writer.reserve,
            model=model.alias,
            max_tokens=cap,
            tag=new_tag(self.run, writer.n),
            mark=mark_of(self.secret, writer.n, 1),
            headers=self.provider.headers(model),
            endpoint=self.provider.endpoint(model),
            window=self.window,
        )


def _groups(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Requests, at most GROUP and about BLOCK bytes at a time."""
    group, size = [], 0
    for request in requests:
        group.append(request)
        size += len(request[0])
        if len(group) == GROUP or size >= BLOCK:
            yield group
            group, size = [], 0
    if group:
        yield group

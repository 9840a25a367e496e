"""Conditions → shard files within a host's limits, and failed requests → new shards."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import orjson

from common.catalog.prices import ceiling
from common.catalog.tokens import PER_MESSAGE, estimate
from common.experiment.ids import id_parts
from common.experiment.shards import BLOCK, Request, Writer, ids_rest, new_tag
from common.nouns import Ask, Condition, Limits, Model, Shard
from common.providers.base import Provider

GROUP = 64  # requests that are packed at a time


UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


@lru_cache
def _legal(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).fullmatch


def sent_id(custom_id: str, limits: Limits) -> str:
    """The id that a host accepts for a custom_id: itself where legal, else cleaned and told apart by 64 hash bits."""
    if _legal(limits.custom_id)(custom_id):
        return custom_id
    return f"{UNSAFE.sub('-', custom_id)[:47]}-{hashlib.sha256(custom_id.encode()).hexdigest()[:16]}"


@dataclass
class Plan:
    """How a run's conditions become shards, and what was found wrong on the way."""

    run: str
    folder: Path
    limits: Limits
    provider: Provider
    trials: int
    effort: str = ""
    invalid: list[tuple[str, str]] = field(default_factory=list)  # (custom_id, why), the first 1,000
    skipped: int = 0

    def cut(self, conditions: Iterable[Condition], cap: int, first: int, at_most: int | None) -> Iterator[Shard]:
        """Shards of one model's conditions, numbered from `first`; at most `at_most` requests. One shard is open at a time."""
        writer, model = None, None
        try:
            for model, requests in self._groups(conditions, cap, at_most):
                while requests:
                    writer = writer or Writer(self.folder, first, self.limits)
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

    def _groups(self, conditions: Iterable[Condition], cap: int, at_most: int | None) -> Iterator[tuple[Model, list[Request]]]:
        """The requests of one model's conditions that fit into a batch at all, at most GROUP and about BLOCK bytes at a time."""
        left = math.inf if at_most is None else at_most
        most_bytes = math.inf if self.limits.bytes is None else self.limits.bytes
        legal, encode, escaped = _legal(self.limits.custom_id), self.provider.encode, orjson.dumps
        count = lru_cache(64)(estimate)  # of system prompts, which a data set repeats
        rest_of = lru_cache(64)(ids_rest)
        ask = Ask(cap, self.effort)
        model, group, size = None, [], 0
        for condition in conditions:
            if left <= 0:
                break
            of_model, persona, text, system, user, temperature = condition
            if of_model is not model:
                model = of_model
                most_of = lru_cache(4096)(partial(ceiling, model, max_tokens=cap))
            trials = min(self.trials, left)
            left -= trials
            head, tail = encode(condition, ask)  # all trials ask the same
            tokens = count(system) + estimate(user) + 2 * PER_MESSAGE
            most = most_of(tokens)
            before, after = id_parts(persona, model.alias, text)
            rest = rest_of(temperature, tokens, most)
            for trial in range(1, trials + 1):
                custom_id = f"{before}{trial:02d}{after}"
                if legal(custom_id):
                    request_id, id_line = custom_id, f"{custom_id}\t\t{rest}"
                else:
                    request_id = sent_id(custom_id, self.limits)
                    id_line = f"{request_id}\t{custom_id}\t{rest}"
                line = head + escaped(request_id)[1:-1] + tail
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
            headers=self.provider.headers(model),
        )

"""Conditions → shard files within a host's limits, and failed requests → new shards."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import orjson

from common.catalog.prices import ceiling
from common.catalog.tokens import FRAME, PER_FORM_AT_MOST, PER_MESSAGE, PER_MESSAGE_AT_MOST, Meter, Tokens
from common.experiment.grid import Asked
from common.experiment.ids import id_parts
from common.experiment.ids_file import ids_rest
from common.experiment.marks import mark_of, suffix
from common.experiment.shards import BLOCK, Request, Writer, new_tag, with_mark
from common.nouns import Ask, Condition, Limits, Model, Shard
from common.providers.base import Provider
from common.providers.caching import OWN

GROUP = 64  # requests that are packed at a time


UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


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
    _mark: str = ""  # of the shard that is open

    def cut(self, conditions: Iterable[Asked], cap: int, first: int, at_most: int | None) -> Iterator[Shard]:
        """Shards of one model's conditions, numbered from `first`; at most `at_most` requests. One shard is open at a time."""
        writer, model = None, None
        self._mark = mark_of(self.secret, first, 1)
        try:
            for model, requests in self._groups(conditions, at_most):
                while requests:
                    writer = writer or Writer(self.folder, first, self.limits)
                    requests = writer.add(requests)
                    if requests:
                        yield self._shard(writer, model, cap)
                        first, writer = first + 1, None
                        requests = self._marked(requests, first)
            if writer:
                yield self._shard(writer, model, cap)
                writer = None
        finally:
            if writer:
                writer.abandon()

    def _marked(self, requests: list[Request], n: int) -> list[Request]:
        """Requests that were encoded for the shard before, as shard `n` asks them."""
        before, self._mark = self._mark, mark_of(self.secret, n, 1)
        return [(*with_mark(line, row, before, self._mark), tokens, most) for line, row, tokens, most in requests]

    def _groups(self, conditions: Iterable[Asked], at_most: int | None) -> Iterator[tuple[Model, list[Request]]]:
        """The requests of one model's conditions that fit into a batch at all, at most GROUP and about BLOCK bytes at a time."""
        left = math.inf if at_most is None else at_most
        most_bytes = math.inf if self.limits.bytes is None else self.limits.bytes
        most_tokens = math.inf if self.limits.request_tokens is None else self.limits.request_tokens
        legal, encode, escaped = _legal(self.limits.custom_id), self.provider.encode, orjson.dumps
        rest_of = lru_cache(4096)(ids_rest)
        model, group, size, end = None, [], 0, suffix(self._mark)
        for condition, ask, trials, place, problem, again, _, marks, _ in conditions:
            if left <= 0:
                break
            of_model, persona, text, system, user, temperature, levels, turns, attachments = condition
            if of_model is not model:
                model = of_model
                most_of = lru_cache(4096)(partial(ceiling, model, max_tokens=ask.max_tokens))
                count = self.meter.of(model)
            if len(trials) > left:
                trials = trials[: int(left)]
            left -= len(trials)
            before, after = id_parts(persona, model.alias, text, levels)
            if not problem and (attachments or turns or ask.parameters or not user or user.isspace()):
                problem = self._problem(condition, ask)
            if problem:
                self._reject(f"{before}{trials[0]:02d}{after}", problem, len(trials))
                continue
            if again:
                self.identical[model.alias] += len(trials)
            head, tail = encode(condition, ask)  # all trials ask the same
            first, second = count(system), count(user)
            tokens, at_most = first[0] + second[0] + 2 * PER_MESSAGE + FRAME, first[1] + second[1] + 2 * PER_MESSAGE_AT_MOST
            if ask.schema:
                form = count(ask.schema)
                tokens, at_most = tokens + form.expected, at_most + len(ask.schema.encode()) + PER_FORM_AT_MOST
            if turns or attachments or ask.parameters:
                further = self._further_tokens(condition, ask, count)
                tokens, at_most = tokens + further.expected, at_most + further.most
            if tokens > most_tokens:
                self._reject(f"{before}{trials[0]:02d}{after}", f"{tokens:,} tokens; the host's queue holds {most_tokens:,}", len(trials))
                continue
            kept = 0
            if marks:
                tail = self.provider.marked(tail, marks)
                kept = at_most if marks.whole else at_most - second[1]
            elif ask.parameters and OWN in tail:  # a person has written marks
                kept = at_most
            most = most_of(at_most, kept=kept) if kept else most_of(at_most)
            rest = rest_of(temperature, tokens, most) + ("\n" if place is None else f"\t{place}\n")
            for trial in trials:
                custom_id = f"{before}{trial:02d}{after}"
                request_id = custom_id + end
                if not end and legal(request_id):
                    id_line = f"{custom_id}\t\t{rest}"
                else:
                    request_id = request_id if legal(request_id) else sent_id(custom_id, self.limits, self._mark)
                    id_line = f"{request_id}\t{custom_id}\t{rest}"
                line = head + escaped(request_id)[1:-1] + tail
                if len(line) > most_bytes:
                    self._reject(custom_id, f"{len(line):,} bytes; one batch may hold {most_bytes:,}")
                    continue
                group.append((line, id_line, tokens, most))
                size += len(line)
                if len(group) == GROUP or size >= BLOCK:
                    yield model, group
                    group, size, end = [], 0, suffix(self._mark)  # another shard may be open now
        if group:
            yield model, group

    def _problem(self, condition: Condition, ask: Ask) -> str:
        """Why a condition with more than a plain prompt, or with a blank one, cannot be sent; "" if it can."""
        if (not condition.user or condition.user.isspace()) and not condition.attachments:
            return "the prompt is empty"
        if any(not text or text.isspace() for _, text in condition.turns):
            return "a message before the prompt is empty"
        heat = condition.temperature if ask.parameters else None
        if heat is not None and (problem := self.provider.temperature_problem(heat, condition.model, ask)):
            return problem
        for attachment in condition.attachments:
            if problem := self.provider.attachment_problem(attachment, condition.model):
                return problem
        return ""

    def _further_tokens(self, condition: Condition, ask: Ask, count: Callable[[str], Tokens]) -> Tokens:
        """Tokens of what most requests do not have. How an API words a schema or a tool to its model, nobody says."""
        texts = [count(text) for _, text in condition.turns]
        forms = [orjson.dumps(ask.parameters).decode()] if ask.parameters else []
        files = sum(self.provider.attachment_tokens(attachment, condition.model) for attachment in condition.attachments)
        return Tokens(
            files + sum(text.expected + PER_MESSAGE for text in texts) + sum(count(form).expected for form in forms),
            files + sum(text.most + PER_MESSAGE_AT_MOST for text in texts) + sum(len(form.encode()) + PER_FORM_AT_MOST for form in forms),
        )

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

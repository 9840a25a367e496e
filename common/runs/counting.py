"""Prompt tokens as the provider counts them, asked before anything is sent: each condition once, and of many a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from common.experiment.ids_file import bounds
from common.nouns import Model, Shard
from common.providers.base import Provider
from common.runs.identity import BEFORE_ID

CALLS = 200  # for one model; at 100 a minute it takes two minutes


class AskedPrompt(NamedTuple):
    """What several requests ask that differ in the number of their trial."""

    line: bytes  # of the first of them
    requests: int
    tokens: int  # that all of them are expected to have


class PromptTokens(NamedTuple):
    """Prompt tokens of all requests, from so many `asked` of the conditions that there are."""

    tokens: int
    asked: int
    conditions: int


def count_prompts(provider: Provider, model: Model, shards: Iterable[Shard], patiently: Callable[[Callable[[], int]], int]) -> PromptTokens:
    """The prompt tokens of shards that are to be sent; of more than CALLS conditions every nth is asked, the rest is taken to be alike.

    `patiently` makes each call. Raises what a call raises, and OSError.
    """
    shards = [*shards]
    there = sum(1 for _ in conditions(shards))
    step = -(-there // CALLS)
    asked = real = estimated = whole = 0
    for n, condition in enumerate(conditions(shards)):
        whole += condition.tokens
        if n % step == 0:
            asked += 1
            real += condition.requests * patiently(lambda line=condition.line: provider.count_tokens(line, model))
            estimated += condition.tokens
    return PromptTokens(round(real * whole / estimated) if estimated else 0, asked, there)


def conditions(shards: Iterable[Shard]) -> Iterator[AskedPrompt]:
    """What is asked, in order; trials stand together."""
    last, first, requests, tokens = b"", b"", 0, 0
    for shard in shards:
        with open(shard.path, "rb") as lines, open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows:
            for line, row in zip(lines, rows, strict=True):
                asked = line[line.index(b'"', len(BEFORE_ID)) :]
                if asked != last:
                    if requests:
                        yield AskedPrompt(first, requests, tokens)
                    last, first, requests, tokens = asked, line, 0, 0
                requests += 1
                tokens += bounds(row, shard)[0]
    if requests:
        yield AskedPrompt(first, requests, tokens)

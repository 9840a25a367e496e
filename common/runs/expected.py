"""What a plan will cost: expected, from what the same model has used in this results folder; at most; and both without batch.

Only what the same provider counted for the same experiment says how long answers will be: without that, what is expected is
unknown. What it counted for any experiment corrects an estimate of prompt tokens. Neither changes what is reserved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from common.catalog.prices import at_list, pricing
from common.errors import InputError
from common.nouns import TO_SUBMIT, Model, Run, Shard, State, Usage
from common.results.scan import Used
from common.runs.journal import Journal

EXACT, BY_PROVIDER, BY_USE = "exact", "counted by the provider", "corrected by use"  # how prompt tokens are known
SUFFICIENT = 0.9  # share of a shard's requests that must have a usage, so that the rest can be taken to be like them


@dataclass(frozen=True)
class Cost:
    """What the requests of one model that are still to be sent will cost. USD; None: unknown."""

    model: str
    requests: int  # in all; those that are taken over or sent already included
    taken_over: int
    to_send: int
    prompt_tokens: int  # of those to send, as they are expected
    prompt_tokens_counted: str  # how that is known
    expected_usd: float | None
    max_usd: float | None
    expected_without_batch_usd: float | None
    max_without_batch_usd: float | None
    earlier_answers: int = 0  # that the expected cost rests on
    output_tokens: float | None = None  # in each of those, on average
    output_tokens_spread: float | None = None  # standard deviation

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)


def expected_costs(
    journal: Journal, run: Run, models: Iterable[Model], shards: Sequence[Shard], kinds: Mapping[str, str], counts: Mapping[str, int]
) -> list[Cost]:  # fmt: skip
    """What is still to be sent of a run, by model.

    `kinds`: by alias, how the plan has counted prompt tokens; `counts`: those that the provider has counted for this command.
    """
    earlier = [*_earlier(journal, run)]
    return [_cost(model, [s for s in shards if s.model == model.alias], run, earlier, kinds, counts) for model in models]


def total(values: Iterable[float | None]) -> float | None:
    """The sum; unknown where any of them is."""
    values = list(values)
    return None if None in values else sum(values)


def _earlier(journal: Journal, run: Run) -> Iterator[tuple[Run, Shard]]:
    """What was collected at a run's address and has its usage noted; rehearsals have an address of their own."""
    for one in journal.runs():
        if one.address == run.address:
            try:
                if any(shard.get("used") for shard in journal.facts(one, State.COLLECTED)):
                    yield from ((one, shard) for shard in journal.shards(one, State.COLLECTED) if shard.used)
            except InputError:  # garbled: whoever works on that run is told
                continue


def _cost(
    model: Model, shards: Sequence[Shard], run: Run, earlier: Sequence[tuple[Run, Shard]],
    kinds: Mapping[str, str], counts: Mapping[str, int],
) -> Cost:  # fmt: skip
    waiting = [shard for shard in shards if shard.state in TO_SUBMIT]
    count, tokens, kind = sum(s.count for s in waiting), sum(s.tokens for s in waiting), kinds.get(model.alias, "")
    of_model = [(one, shard) for one, shard in earlier if shard.used.get("model") == model.id]
    alike = [shard for one, shard in of_model if one.experiment == run.experiment]
    if model.alias in counts:
        tokens, kind = counts[model.alias], BY_PROVIDER
    elif kind != EXACT and (ratio := _ratio(alike) or _ratio(shard for _, shard in of_model)):
        tokens, kind = round(tokens * ratio), BY_USE
    most = total(shard.reserve for shard in waiting)
    cap = max((shard.max_tokens for shard in waiting), default=0)
    used = _sum([shard for shard in alike if shard.max_tokens == cap]) or _sum(alike)
    usage = _each(used, tokens / count) if used and count else None
    list_most = None if most is None or model.batch_discount >= 1 else most / (1 - model.batch_discount)
    return Cost(
        model.alias, sum(s.count for s in shards if s.attempt == 1), sum(s.count for s in shards if s.taken_from), count, tokens, kind,
        _expected(model, usage, count, most), most, _expected(at_list(model), usage, count, list_most), list_most,
        *_spread(used),
    )  # fmt: skip


def _ratio(shards: Iterable[Shard]) -> float | None:
    """How many prompt tokens were counted for each that was estimated; None where nothing tells."""
    known = [shard for shard in shards if shard.tokens and shard.used["answers"] >= SUFFICIENT * shard.count]
    estimated = sum(shard.tokens * shard.used["answers"] / shard.count for shard in known)
    return sum(shard.used["input"] for shard in known) / estimated if estimated else None


def _sum(shards: Iterable[Shard]) -> Used | None:
    """What the answers of several shards used in all; None without any."""
    shards = list(shards)
    found = Used(*(sum(shard.used[f.name] for shard in shards) for f in fields(Used)))
    return found if found.answers else None


def _each(used: Used, tokens: float) -> Usage:
    """One request of so many prompt tokens, otherwise like those before it."""
    share = tokens / used.input
    return Usage(tokens, used.cached * share, used.output / used.answers, 0, used.written * share, used.written_1h * share)


def _expected(model: Model, usage: Usage | None, count: int, most: float | None) -> float | None:
    if not count:
        return 0.0
    each = pricing(model)(usage)
    return None if each is None else min(each * count, math.inf if most is None else most)


def _spread(used: Used | None) -> tuple[int, float | None, float | None]:
    """(answers, mean output tokens, their standard deviation)."""
    if used is None:
        return 0, None, None
    mean = used.output / used.answers
    return used.answers, round(mean, 1), round(math.sqrt(max(0.0, used.squares / used.answers - mean * mean)), 1)

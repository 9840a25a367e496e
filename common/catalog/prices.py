"""Money: what an answer cost, and what a request may cost at most. USD; None wherever a price is unknown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from common.nouns import Model, Usage

MILLION = 1_000_000


def rates(model: Model) -> tuple[float | None, float | None, float | None]:
    """(input, cached input, output) in USD per 1M tokens inside a batch. An unknown cached rate counts as input."""
    if model.input is None or model.output is None:
        return None, None, None
    share = 1 - model.batch_discount
    cached = model.cached_input if model.batch_cached_discount and model.cached_input is not None else model.input
    told = model.batch_cached_input
    return model.input * share, cached * share if told is None else told, model.output * share


def pricing(model: Model) -> Callable[[Usage | None], float | None]:
    """A function usage → USD of one answer at batch price; None where the price or the usage is unknown.

    Cached tokens, read or written, are part of the input and reasoning is part of the output, each at its own price, whatever
    became of the row. Beyond a model's long-context limit the whole request costs more, by the factors of its row.
    """
    into, cached, out = rates(model)
    if into is None:
        return lambda usage: None
    limit = math.inf if model.long_context_over is None else model.long_context_over
    write, write_1h = into * (model.cache_write_factor - 1), into * (model.cache_write_1h_factor - 1)  # beside the price of input
    more_in, more_out = model.long_context_input_factor, model.long_context_output_factor

    def price(usage: Usage | None) -> float | None:
        if usage is None:
            return None
        read, from_cache, said, _, kept, kept_1h = usage
        paid = (read - from_cache) * into + from_cache * cached
        if kept or kept_1h:
            paid += kept * write + kept_1h * write_1h
        if read > limit:
            return (paid * more_in + said * out * more_out) / MILLION
        return (paid + said * out) / MILLION

    return price


def as_sent(model: Model, way: str) -> Model:
    """A model at the prices of the way in which a run is sent; see `Run.way`. Own models cost nothing for each token."""
    if way == "own":
        return replace(at_list(model), input=0.0, cached_input=0.0, output=0.0)
    return at_list(model) if way else model


def cost(model: Model, usage: Usage | None) -> float | None:
    """What one answer cost in USD at batch price, from the tokens that the provider counted."""
    return pricing(model)(usage)


def at_list(model: Model) -> Model:
    """The model as it costs without batch: nothing off, and cached input at its own price."""
    return replace(model, batch_discount=0.0, batch_cached_discount=True, batch_cached_input=None)


def ceiling(model: Model, prompt_tokens: int, max_tokens: int, kept: int = 0) -> float | None:
    """The most that one request can cost in USD: no cache hit, all written into a cache where that is done unasked, else the
    `kept` tokens that it marks for an hour, and an answer as long as its cap."""
    written = prompt_tokens if model.caches_unasked else 0
    return cost(model, Usage(input=prompt_tokens, output=max_tokens, written=written, written_1h=kept))


def caching(model: Model) -> tuple[float, float] | None:
    """What one token costs that is written into a cache for an hour, and one that is read from it, as multiples of plain input in
    a batch; None where that or the least that is cached is unknown."""
    into, cached, _ = rates(model)
    if not into or model.cached_input is None or model.cache_minimum is None:
        return None
    return model.cache_write_1h_factor, cached / into

"""Money: what an answer cost, and what a request may cost at most. USD; None wherever a price is unknown."""

from __future__ import annotations

from common.records import Model, Usage

MILLION = 1_000_000


def rates(model: Model) -> tuple[float | None, float | None, float | None]:
    """(input, cached input, output) in USD per 1M tokens inside a batch. An unknown cached rate counts as input."""
    if model.input is None or model.output is None:
        return None, None, None
    share = 1 - model.batch_discount
    cached = model.cached_input if model.batch_cached_discount and model.cached_input is not None else model.input
    return model.input * share, cached * share, model.output * share


def _long_context(model: Model, prompt_tokens: int) -> tuple[float, float]:
    """The factors on input and output price beyond the model's long-context limit (api facts, E.1 and E.3)."""
    if model.long_context_over is None or prompt_tokens <= model.long_context_over:
        return 1.0, 1.0
    return (5.0, 5.0) if model.provider == "anthropic" else (2.0, 1.5)


def cost(model: Model, usage: Usage) -> float | None:
    """What one answer cost in USD at batch price, from the tokens that the provider counted."""
    into, cached, out = rates(model)
    if into is None:
        return None
    more_in, more_out = _long_context(model, usage.input)
    paid = (usage.input - usage.cached) * into + usage.cached * cached
    return (paid * more_in + usage.output * out * more_out) / MILLION


def ceiling(model: Model, prompt_tokens: int, max_tokens: int) -> float | None:
    """The most that one request can cost in USD: no cache hit, and an answer as long as its cap."""
    return cost(model, Usage(input=prompt_tokens, output=max_tokens))

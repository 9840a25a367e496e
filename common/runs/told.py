"""What a plan tells before anything is sent: its grid, requests that ask the same, parameters that nobody here knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod

from common.errors import InputError
from common.experiment.experiment import Experiment
from common.experiment.grid import Grid
from common.nouns import Model
from common.providers.base import Provider


def grid_facts(experiment: Experiment, every: Sequence[Grid], texts: int, planned: int, rejected: int) -> dict[str, object]:
    """The size of each factor in order, what their crossing makes before rules, samples and limits, and all of it in one line.

    `texts`: those that can be asked; `rejected`: requests of them that cannot be sent. A factor may be called like ours, such as
    "models", so the sizes are pairs.
    """
    further = ((factor.name, len(factor.levels)) for factor in experiment.factors)
    sizes = [("personas", len(experiment.personas)), ("texts", texts), *further, ("models", len(every)), ("trials", experiment.trials)]
    crossed = prod(size for _, size in sizes)
    line = " × ".join(f"{size:,} {name.removesuffix('s') if size == 1 else name}" for name, size in sizes) + f" = {crossed:,}"
    facts = {"factors": sizes, "crossed": crossed, "sample": experiment.sample, "limit": experiment.limit}
    return {**facts, "line": line + "".join(f"; {part}" for part in _left(experiment, crossed, planned, rejected))}


def _left(experiment: Experiment, crossed: int, planned: int, rejected: int) -> Iterator[str]:
    """What of the whole crossing is asked, and why not all of it."""
    asked, part = planned + rejected, experiment.sample or experiment.limit
    if asked < crossed and (experiment.only or experiment.skip):
        yield "only and skip leave some of it" if part else f"only and skip leave {asked:,}"
    if asked < crossed and part:
        yield f"a sample of {asked:,}" if experiment.sample else f"the first {asked:,}"
    if rejected:
        yield f"{planned:,} of these can be sent"


def check_parameters(provider: Provider, every: Iterable[Grid]) -> list[str]:
    """What is told of request parameters that are not known here, or whose price is not.

    Raises InputError for one that a model does not take.
    """
    told: dict[str, None] = {}
    for grid in every:
        for way in grid.ways:
            given = dict(way.ask.parameters)
            if way.ask.effort and grid.model.reasoning and provider.knows_parameter("reasoning_effort"):
                given["reasoning_effort"] = way.ask.effort
            for name, value in given.items():
                if problem := provider.parameter_problem(name, value, grid.model, way.ask):
                    raise InputError(f"{grid.experiment.path}: request.{name}: {problem}")
                if not provider.knows_parameter(name):
                    told[f"request.{name} is not known here and is sent as it stands"] = None
                elif provider.costs_unknown(name, value):
                    told[f"request.{name} may cost more than tokens do: what it adds is unknown here, and no cap counts it"] = None
    return [*told]


def told_of_texts(experiment: Experiment) -> list[str]:
    """What is told of texts that are an earlier run's answers."""
    texts = experiment.texts
    if not texts.chained:
        return []
    told = [f"the texts are the answers of run {texts.chained}"]
    told += [f"{texts.left_out:,} of its rows have no answer and are not asked about"] if texts.left_out else []
    return told + ["these answers are simulated, so all that is made of them is marked as simulated"] * texts.simulated


def told_of_models(experiment: Experiment, models: Sequence[Model]) -> list[str]:
    """What is told of request parameters that no model here has."""
    levels = [level.parameters for factor in experiment.factors for level in factor.levels]
    named = dict.fromkeys(name for parameters in (experiment.parameters, *levels) for name in parameters.models)
    return [f"request.model.{name}: no model called {name} is asked" for name in named if name not in [m.alias for m in models]]


def told_of(every: Iterable[Grid], identical: Mapping[str, int]) -> list[str]:
    """What is told of levels that are not sent, and of requests that ask the same; `identical`: how many, by model."""
    told = []
    for grid in every:
        experiment, model = grid.experiment, grid.model
        warm = any(level.temperature is not None for factor in experiment.factors for level in factor.levels)
        if warm and all(way.base is None for way in grid.ways):
            told.append(f"{model.alias} takes no temperature: the levels that set one ask it the same")
        if not model.reasoning and any(level.effort for factor in experiment.factors for level in factor.levels):
            told.append(f"{model.alias} takes no reasoning effort: the levels that set one ask it the same")
        if count := identical.get(model.alias):
            told.append(f"{model.alias}: {count:,} requests ask word for word what others of them ask; they count as more trials")
    return told

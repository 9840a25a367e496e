"""What a plan tells before anything is sent: its grid, requests that ask the same, parameters that nobody here knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from common.errors import InputError
from common.experiment.experiment import Experiment
from common.experiment.grid import Grid
from common.providers.base import Provider


def grid_facts(experiment: Experiment, every: Sequence[Grid], texts: int) -> dict[str, object]:
    """The size of each factor, and what their crossing makes before rules, samples and limits."""
    sizes = {"personas": len(experiment.personas), "texts": texts, **{factor.name: len(factor.levels) for factor in experiment.factors}}
    sizes |= {"models": len(every), "trials": experiment.trials}
    product = 1
    for size in sizes.values():
        product *= size
    return {"factors": sizes, "crossed": product, "sample": experiment.sample, "limit": experiment.limit}


def grid_line(grid: Mapping, planned: int, skipped: int) -> str:
    """The grid in words: "4 personas × 3 texts × 2 wording × 2 models × 10 trials = 480"."""
    sizes, crossed = grid["factors"], grid["crossed"]
    line = " × ".join(f"{size:,} {name.removesuffix('s') if size == 1 else name}" for name, size in sizes.items()) + f" = {crossed:,}"
    if planned + skipped == crossed:
        return line
    if grid.get("sample"):
        return f"{line}; a sample of {planned + skipped:,}"
    if grid.get("limit"):
        return f"{line}; the first {planned + skipped:,}"
    return f"{line}; only and skip leave {planned + skipped:,}"


def check_parameters(provider: Provider, every: Iterable[Grid]) -> list[str]:
    """What is told of request parameters that are not known here. Raises InputError for one that a model does not take."""
    unknown: dict[str, None] = {}
    for grid in every:
        for way in grid.ways:
            given = dict(way.ask.parameters)
            if way.ask.effort and grid.model.reasoning and provider.knows_parameter("reasoning_effort"):
                given["reasoning_effort"] = way.ask.effort
            for name, value in given.items():
                if problem := provider.parameter_problem(name, value, grid.model, way.ask):
                    raise InputError(f"{grid.experiment.path}: request.{name}: {problem}")
                if not provider.knows_parameter(name):
                    unknown[name] = None
    return [f"request.{name} is not known here and is sent as it stands" for name in unknown]


def told_of_texts(experiment: Experiment) -> list[str]:
    """What is told of texts that are an earlier run's answers."""
    texts = experiment.texts
    if not texts.chained:
        return []
    told = [f"the texts are the answers of run {texts.chained}"]
    told += [f"{texts.left_out:,} of its rows have no answer and are not asked about"] if texts.left_out else []
    return told + ["these answers are simulated, so all that is made of them is marked as simulated"] * texts.simulated


def told_of(every: Iterable[Grid]) -> list[str]:
    """What is told of requests that ask the same, and of temperatures that are not sent."""
    told = []
    for grid in every:
        experiment, model = grid.experiment, grid.model
        warm = any(level.temperature is not None for factor in experiment.factors for level in factor.levels)
        if warm and all(way.base is None for way in grid.ways):
            told.append(f"{model.alias} takes no temperature: the levels that set one ask it the same")
        if grid.identical:
            told.append(f"{model.alias}: {grid.identical:,} × word for word what another request asks; they count as more trials")
    return told

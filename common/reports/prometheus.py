"""Figures of runs as a file for Prometheus (node_exporter's textfile collector). Names are OpenTelemetry's for GenAI where it has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from common.nouns import State
from common.outcomes import PENDING, POLICY, SUCCEEDED
from common.text import one_line

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Values = Callable[[Mapping], Iterable[tuple]]  # of a run: its further labels and the value
LABELS = ("run", "gen_ai_provider_name", "simulated")
MOST_RUNS = 100  # the newest; each is some dozens of series
TOKENS = ("input", "output")
OUTCOMES = {SUCCEEDED, PENDING, *POLICY}


def write(runs: Iterable[Mapping], path: Path) -> None:
    """Write the figures of runs (see figures.py), of the newest at most, whole or not at all. Raises OSError."""
    from prometheus_client import CollectorRegistry, write_to_textfile  # only needed here

    class Collector:
        def collect(self) -> Iterator[Metric]:
            return _families([*runs][-MOST_RUNS:])

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    write_to_textfile(str(path), registry)


def _families(runs: list[Mapping]) -> Iterator[Metric]:
    yield from _tokens(runs)
    yield _gauge("batch_requests", "Requests by model and outcome", runs, ("gen_ai_request_model", "outcome"), _rows)
    yield _gauge("batch_success_ratio", "Share of rows that came and are clean", runs, ("gen_ai_request_model",), _of("success_rate"))
    yield _gauge("batch_error_ratio", "Share of rows that came, by class of error", runs, ("gen_ai_request_model", "error_type"), _errors)
    yield _gauge("batch_answers_checked", "Answers by what their check said", runs, ("status",), _checked)
    yield _gauge("batch_cost_usd", "What was paid", runs, ("gen_ai_request_model",), _of("cost_usd"))
    per_answer = _of("cost_per_clean_answer_usd")
    yield _gauge("batch_cost_per_clean_answer_usd", "Paid for each clean answer", runs, ("gen_ai_request_model",), per_answer)
    yield _gauge("batch_committed_usd", "Paid, and reserved for what is in flight", runs, (), lambda run: [((), run["committed_usd"])])
    yield _gauge("batch_run_seconds", "From the plan to the last answer", runs, (), lambda run: [((), run["seconds"])])
    yield _gauge("batch_seconds", "From sent to collected, of a batch", runs, ("which",), _times)
    yield _gauge("batch_batches", "Batches by state", runs, ("state",), lambda run: [((s,), run["states"].get(s, 0)) for s in State])
    yield _gauge("batch_run_paused", "1 while a run waits for a person", runs, (), lambda run: [((), bool(run["paused"]))])


def _tokens(runs: list[Mapping]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    for key in TOKENS:
        family = CounterMetricFamily(f"gen_ai_client_inference_usage_{key}_tokens", "Tokens of a run's answers", labels=LABELS)
        for run in runs:
            if key in run["tokens"]:
                family.add_metric(_labels(run), run["tokens"][key])
        yield family


def _gauge(name: str, text: str, runs: list[Mapping], labels: tuple[str, ...], values: Values) -> Metric:
    """One family: `values` gives of a run its further labels and the value; what is not known is left out."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text, labels=(*LABELS, *labels))
    for run in runs:
        for more, value in values(run):
            if value is not None:
                family.add_metric([*_labels(run), *map(_label, more)], value)
    return family


def _labels(run: Mapping) -> list[str]:
    return [_label(f"{run['provider']}/{run['run']}"), _label(run["host"]), "true" if run["simulated"] else "false"]


def _label(text: object) -> str:
    return one_line(text, 120)


def _of(key: str) -> Values:
    return lambda run: [((model,), found[key]) for model, found in run["by_model"].items()]


def _rows(run: Mapping) -> Iterator[tuple]:
    for model, found in run["by_model"].items():
        for outcome, count in found["rows"].items():
            if outcome in OUTCOMES:
                yield (model, outcome), count


def _errors(run: Mapping) -> Iterator[tuple]:
    for model, found in run["by_model"].items():
        for outcome, share in found["error_rate"].items():
            if outcome in OUTCOMES:
                yield (model, outcome), share


def _checked(run: Mapping) -> list[tuple]:
    return [((status,), count) for status, count in run["answers_checked"].items()]


def _times(run: Mapping) -> list[tuple]:
    return [((which,), run["batch_seconds"][which]) for which in ("median", "longest")]

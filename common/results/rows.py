"""One row per request: what a raw result becomes once its id is described, its answer checked and its price known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from common.catalog.prices import pricing
from common.experiment.columns import BACK, FRONT
from common.experiment.questions import question_columns
from common.nouns import Model, Question, Result, Usage
from common.results.answers import Checker
from common.results.checked import Checked
from common.results.fields import field_cells
from common.results.json_answers import JsonChecker
from common.results.origin import UNKNOWN, Meta, Origin
from common.text import iso

T = TypeVar("T")
_TRIAL = FRONT.index(("trial", int))  # what an experiment keeps stands before it
BLOCK = 100  # columns of 100 answers still fit into the processor's cache


class Row(NamedTuple):
    """One row of every output format. `cost` is USD, None if unknown; `checked` is None without questions."""

    meta: Meta
    result: Result
    checked: Checked | None
    attempts: int = 1
    cost: float | None = None
    batch_id: str = ""
    provider: str = ""
    experiment: str = ""
    run: str = ""
    taken_from: str = ""  # the run that paid for it, where its answer was taken over


class RowMaker:
    """Makes rows of results: `RowMaker(origin)(result, batch_id, attempts) -> Row`; the only place that does."""

    def __init__(self, origin: Origin) -> None:
        self._origin, self._of_rehearsed = origin, origin.of_rehearsed
        self._taken = origin.taken
        kind = JsonChecker if any(q.form == "json" for q in origin.questions) else Checker
        self._check = kind(origin.questions).check if origin.questions else lambda text: None
        # not a cached method: that would be a circle, which holds the ids of a whole shard until it is looked for
        self._price = lru_cache(1024)(partial(_pricing, origin.model))
        self._asked_by = origin.provider, origin.experiment, origin.run

    def __call__(self, result: Result, batch_id: str, attempts: int) -> Row:
        if self._of_rehearsed:
            result = result._replace(simulated=True)
        meta = self._origin.describe(result.custom_id)
        taken_from = self._taken.get(batch_id, "")
        price = 0.0 if taken_from else self._price(meta.model, result.model)(result.usage)  # it is paid already, and counted there
        return Row(meta, result, self._check(result.text), attempts, price, batch_id, *self._asked_by, taken_from)


def _pricing(model_of: Callable[[str], Model | None], alias: str, reported: str) -> Callable[[Usage | None], float | None]:
    model = model_of(alias or reported) or (model_of(reported) if reported else None)
    return pricing(model) if model else lambda usage: None


def columns(questions: Sequence[Question], kept: Sequence[str] = ()) -> tuple[tuple[str, type], ...]:
    """(name, type) of each column in order; for each question its value, reason, the form that matched, and its fields.

    `kept`: the headers of what an experiment keeps of its factors, personas and data.
    """
    of_questions = chain.from_iterable(map(question_columns, questions))
    return (*FRONT[:_TRIAL], *((name, str) for name in kept), *FRONT[_TRIAL:], *of_questions, ("problems", str), *BACK)


def by_column(block: Sequence[Row], questions: Sequence[Question]) -> list[Sequence]:
    """A block of rows as the values of each column, in the order of `columns`; None is an empty cell."""
    metas, results, checks, attempts, costs, batch_ids, providers, experiments, runs, taken_from = zip(*block)
    ids, models, model_ids, personas, persona_names, trials, texts, titles, temperatures, kept = zip(*metas)
    _, outcomes, answers, reported, finishes, usages, codes, messages, simulated, created = zip(*results)
    found = [
        experiments, runs, providers, models, [told or known for told, known in zip(reported, model_ids)], personas,
        persona_names, texts, titles, *zip(*kept), trials, [None if t == UNKNOWN else t for t in temperatures], ids, outcomes,
    ]  # fmt: skip
    n = len(questions)
    statuses, values, reasons, patterns, problems = zip(*[checked or ("", (None,) * n, ("",) * n, ("",) * n, ()) for checked in checks])
    found.append(statuses)
    for question, *of_question in zip(questions, zip(*values), zip(*reasons), zip(*patterns)):
        found += _cells(question, *of_question)
    found.append(["; ".join(all_of_row) if all_of_row else "" for all_of_row in problems] if any(problems) else [""] * len(block))
    if None in usages:
        usages = [usage or (None,) * len(Usage._fields) for usage in usages]
    return [
        *found, finishes, attempts, *[*zip(*usages)][:4], costs, codes, messages, [*map(iso, created)], batch_ids, taken_from, simulated,
        answers,
    ]  # fmt: skip


def _cells(question: Question, values: Sequence, reasons: Sequence[str], patterns: Sequence[str]) -> list[Sequence]:
    """A question's columns, as `question_columns` names them."""
    fields = field_cells(question, values) if question.fields else ()
    return [values, *([reasons] if question.reason != "no" else ()), patterns, *fields]


def blocks(items: Iterable[T], size: int = BLOCK) -> Iterator[list[T]]:
    """At most `size` items at a time."""
    items = iter(items)
    while block := list(islice(items, size)):
        yield block

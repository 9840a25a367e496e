"""One row per request: what a raw result becomes once its id is described, its answer checked and its price known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from common.catalog.prices import pricing
from common.nouns import Model, Question, Result, Usage, new
from common.outcomes import SUCCEEDED
from common.results.answers import Checked, Checker
from common.text import iso

T = TypeVar("T")
UNKNOWN = "unknown"
BLOCK = 100  # columns of 100 answers still fit into the processor's cache


class Meta(NamedTuple):
    """What an id stands for. `temperature`: as sent, None = left out, "unknown" = nobody has written it down."""

    custom_id: str
    model: str = ""  # the alias
    model_id: str = ""
    persona: str = ""
    persona_name: str = ""
    trial: int | None = None
    text: str = ""
    text_title: str = ""
    temperature: float | str | None = UNKNOWN


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


class Origin(Protocol):
    """What is known about a raw file beside its lines. `folder`: that of the run, None if the file is of no run."""

    folder: Path | None
    questions: Sequence[Question]
    provider: str
    experiment: str
    run: str
    batch_id: str
    attempts: int

    def describe(self, custom_id: str) -> Meta:
        """What an id of this file stands for; never fails, an unknown id describes itself."""

    def model(self, name: str) -> Model | None:
        """The catalog's row of an alias or id, None if there is none."""


class RowMaker:
    """Makes the records of one file: `RowMaker(context)(result) -> Row`."""

    def __init__(self, context: Origin) -> None:
        self.context = context
        self._check = Checker(context.questions).check if context.questions else lambda text: None
        self._price = lru_cache(1024)(self._pricing)
        self._attempts = context.attempts
        self._rest = (context.batch_id, context.provider, context.experiment, context.run)

    def _pricing(self, alias: str, reported: str) -> Callable[[Usage], float | None]:
        model = self.context.model(alias or reported) or (self.context.model(reported) if reported else None)
        return pricing(model) if model else lambda usage: None

    def __call__(self, result: Result) -> Row:
        meta = self.context.describe(result.custom_id)
        price = self._price(meta.model, result.model)(result.usage)
        return new(Row, (meta, result, self._check(result.text), self._attempts, price, *self._rest))


class Kind(NamedTuple):
    """What is counted of a row. `answer`: its `Checked.status`, "" without questions."""

    model: str
    outcome: str
    answer: str
    simulated: bool
    again: bool  # sent more than once


class Census(Counter[Kind]):
    """Rows by kind (keys are plain tuples in the order of `Kind`): counted once on their way, every sum comes from it."""

    def add(self, records: Iterable[Row]) -> None:
        """Count rows."""
        self.update(
            (r.meta.model, r.result.outcome, r.checked.status if r.checked else "", r.result.simulated, r.attempts > 1) for r in records
        )

    def by(self, field: str, where: Callable[[Kind], object] = lambda kind: True) -> Counter:
        """Rows by one field, of those kinds that `where` takes."""
        found = Counter()
        for kind, count in ((Kind(*key), count) for key, count in self.items()):
            if where(kind):
                found[getattr(kind, field)] += count
        return found


_FRONT = (
    ("experiment", str), ("run", str), ("provider", str), ("model", str), ("model_id", str), ("persona", str),
    ("persona_name", str), ("text", str), ("text_title", str), ("trial", int), ("temperature", float),
    ("custom_id", str), ("outcome", str), ("validation", str),
)  # fmt: skip
_BACK = (
    ("finish_reason", str), ("attempts", int), ("input_tokens", int), ("cached_tokens", int), ("output_tokens", int),
    ("reasoning_tokens", int), ("cost_usd", float), ("error_code", str), ("error_message", str), ("created", str),
    ("batch_id", str), ("simulated", bool), ("answer", str),
)  # fmt: skip


def columns(questions: Sequence[Question]) -> tuple[tuple[str, type], ...]:
    """(name, type) of each column in order; three for each question: value, reason, and the form that matched."""
    names = [f"{q.id}_{q.name}" for q in questions]
    asked = chain.from_iterable(((n, float), (f"{n}_reason", str), (f"{n}_pattern", str)) for n in names)
    return (*_FRONT, *asked, *_BACK)


def by_column(block: Sequence[Row], questions: Sequence[Question]) -> list[Sequence]:
    """A block of records as the values of each column, in the order of `columns`; None is an empty cell."""
    metas, results, checks, attempts, costs, batch_ids, providers, experiments, runs = zip(*block)
    ids, models, model_ids, personas, persona_names, trials, texts, titles, temperatures = zip(*metas)
    _, outcomes, answers, reported, finishes, usages, codes, messages, simulated, created = zip(*results)
    found = [
        experiments, runs, providers, models, [told or known for told, known in zip(reported, model_ids)], personas,
        persona_names, texts, titles, trials, [None if t == UNKNOWN else t for t in temperatures], ids, outcomes,
    ]  # fmt: skip
    n = len(questions)
    statuses, *asked, _ = zip(*[checked or ("", (None,) * n, ("",) * n, ("",) * n, ()) for checked in checks])
    found.append(statuses)
    found += chain.from_iterable(zip(*(zip(*of_row) for of_row in asked)))  # value, reason, pattern; question by question
    failures = [message if outcome != SUCCEEDED else "" for message, outcome in zip(messages, outcomes)]
    return [
        *found, finishes, attempts, *zip(*usages), costs, codes, failures, [*map(iso, created)], batch_ids, simulated, answers,
    ]  # fmt: skip


def blocks(items: Iterable[T], size: int = BLOCK) -> Iterator[list[T]]:
    """At most `size` items at a time."""
    items = iter(items)
    while block := list(islice(items, size)):
        yield block


def counted(records: Iterable[Row], add: Callable[[list[Row]], None]) -> Iterator[Row]:
    """Pass records on, each block of them told to `add` first."""
    for block in blocks(records):
        add(block)
        yield from block

"""One row per request: what a raw result becomes once its id is described, its answer checked and its price known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol

from common.answers import Checked, Checker, Question
from common.costs import cost
from common.records import Model, Result

UNKNOWN = "unknown"
_EPOCH = date(1970, 1, 1).toordinal()
_FAR = 62_000_000_000  # seconds; within the years 5 to 3934


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


class Record(NamedTuple):
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


class Context(Protocol):
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


class Recorder:
    """Makes the records of one file: `Recorder(context)(result) -> Record`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._check = Checker(context.questions).check if context.questions else lambda text: None
        self._model = lru_cache(1024)(context.model)
        c = context
        self._rest = (c.batch_id, c.provider, c.experiment, c.run)

    def __call__(self, result: Result) -> Record:
        meta = self.context.describe(result.custom_id)
        model = self._model(meta.model or result.model) or (self._model(result.model) if result.model else None)
        price = cost(model, result.usage) if model else None
        return Record(meta, result, self._check(result.text), self.context.attempts, price, *self._rest)


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


def cells(record: Record, questions: int) -> list:
    """The row of a record, in the order of `columns` for that many questions; None is an empty cell."""
    meta, result, checked, attempts, price, batch_id, provider, experiment, run = record
    custom_id, model, model_id, persona, persona_name, trial, text, text_title, temperature = meta
    row = [experiment, run, provider, model, result.model or model_id, persona, persona_name, text, text_title, trial]
    row += (None if temperature == UNKNOWN else temperature, custom_id, result.outcome, checked.status if checked else "")
    if checked:
        for of_question in zip(checked.values, checked.reasons, checked.patterns):
            row += of_question
    else:
        row += (None, "", "") * questions
    row.append(result.finish_reason)
    row.append(attempts)
    row += result.usage
    row += (price, result.code, "" if result.outcome == "succeeded" else result.message, iso(result.created))
    row += (batch_id, result.simulated, result.text)
    return row


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC; "" for 0 or for a time that no calendar has."""
    if not -_FAR < seconds < _FAR or not seconds:
        return ""
    day, second = divmod(int(seconds), 86_400)
    return f"{_day(day)}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


@lru_cache(64)
def _day(number: int) -> str:
    return str(date.fromordinal(number + _EPOCH))


def blocks(records: Iterable[Record], size: int, questions: int) -> Iterator[list[list]]:
    """Rows of cells in lists of at most `size`."""
    block: list[list] = []
    for record in records:
        block.append(cells(record, questions))
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block

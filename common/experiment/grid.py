"""A person's experiment, its digest, and the conditions of its grid; where it comes from is experiment_file.py's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.prompt import Prompt
from common.experiment.questions import asked_of
from common.nouns import Condition, Limits, Model, Question


@dataclass(frozen=True, slots=True)
class Persona:
    """Who answers: `id` as in custom_id (p1_…), base temperature, and all keys that the prompt may name."""

    id: str
    name: str
    temperature: float | None
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Texts:
    """What is answered about: columns, and a way to read the rows again and again.

    `rows()` yields (where, values in the order of `columns`); the id is the value at `id_column`.
    """

    source: Path
    columns: tuple[str, ...]
    id_column: int
    modifier_column: int | None
    rows: Callable[[], Iterator[tuple[int, Sequence[str]]]]
    digest: str
    former_digests: tuple[str, ...] = ()  # as they were when line ends or marks still counted: a run of then is not bought again


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as read and checked, narrowed to the personas and texts that the command names."""

    path: Path
    name: str
    title: str
    trials: int
    max_tokens: int
    cut_off_factor: float | None
    reasoning_max_tokens: int
    reasoning_effort: str
    system: str
    user: str
    personas: tuple[Persona, ...]
    texts: Texts
    questions: tuple[Question, ...]
    only_texts: frozenset[str] | None = None
    limit: int | None = None

    def cap(self, model: Model) -> int:
        """The most tokens that one answer of a model may have; models that think by themselves do so within it."""
        return self.reasoning_max_tokens if model.reasoning and not model.thinks_only_when_asked else self.max_tokens

    def digest(self, **binding: object) -> str:
        """Hex digest of everything that decides what is asked, plus what the caller binds the run to."""
        asked = {
            "name": self.name,
            "trials": self.trials,
            "caps": [self.max_tokens, self.cut_off_factor, self.reasoning_max_tokens, self.reasoning_effort],
            "prompt": [self.system, self.user],
            "personas": [[p.id, p.temperature, sorted(p.keys.items())] for p in self.personas],
            "texts": self.texts.digest,
            "only": sorted(self.only_texts) if self.only_texts is not None else None,
            "limit": self.limit,
            "questions": [asked_of(q) for q in self.questions],
            **binding,
        }
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def conditions(self, model: Model, limits: Limits) -> Iterator[Condition]:
        """All conditions of one model, texts first, then personas. Flat memory: a data set is read row by row."""
        columns = self.texts.columns
        readers = [
            (
                persona,
                render := Prompt(self.system, persona.keys, columns, self.path, "prompt.system"),
                render(()) if not render.columns else None,
                Prompt(self.user, persona.keys, columns, self.path, "prompt.user"),
                self._heat(model, persona, limits, 0.0),
            )
            for persona in self.personas
        ]
        modified = self.texts.modifier_column is not None
        for where, row in self.texts.rows():
            text_id = row[self.texts.id_column]
            if self.only_texts is not None and text_id not in self.only_texts:
                continue
            modifier = self._modifier(where, row) if modified else 0.0
            for persona, system, constant, user, temperature in readers:
                if modifier:
                    temperature = self._heat(model, persona, limits, modifier)
                yield Condition(model, persona.id, text_id, system(row) if constant is None else constant, user(row), temperature)

    def _heat(self, model: Model, persona: Persona, limits: Limits, modifier: float) -> float | None:
        """base + modifier, clipped to what the API takes; None where the model takes no temperature."""
        takes = model.supports_temperature or (model.temperature_with_effort_none and self.reasoning_effort == "none")
        if not takes or persona.temperature is None:
            return None
        return min(max(round(persona.temperature + modifier, 4), 0.0), limits.temperature_max)

    def _modifier(self, where: int, row: Sequence[str]) -> float:
        value = row[self.texts.modifier_column]
        try:
            if isfinite(number := float(value or 0)):
                return number
            raise ValueError("inf and nan are no temperatures")
        except ValueError:
            column = self.texts.columns[self.texts.modifier_column]
            raise InputError(f"{self.texts.source}, row {where}: {column} is {value!r}; expected a number") from None


def narrow(
    experiment: Experiment,
    trials: int | None,
    limit: int | None,
    personas: Sequence[str] | None,
    texts: Sequence[str] | None,
) -> Experiment:
    """The part of an experiment that the command asks for. Raises InputError for a persona that it does not have."""
    chosen = experiment.personas
    if personas:
        known = [p.id for p in chosen]
        for name in personas:
            if name not in known:
                raise InputError(f"{experiment.path}: no persona {name!r}; --persona names ids of {', '.join(known)}")
        chosen = tuple(p for p in chosen if p.id in personas)
    return replace(
        experiment,
        trials=trials or experiment.trials,
        limit=limit,
        personas=chosen,
        only_texts=frozenset(texts) if texts else None,
    )

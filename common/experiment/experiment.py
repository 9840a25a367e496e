"""A person's experiment as read and checked: everything that decides what is asked, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.factors import Factor, Persona
from common.experiment.parameters import Parameters
from common.experiment.questions import asked_of
from common.experiment.rules import Rules
from common.experiment.schema import schema_of
from common.experiment.wording import in_words
from common.nouns import Model, Question


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
    chained: str = ""  # the earlier run whose answers these are
    left_out: int = 0  # of its rows, because they have no answer
    simulated: bool = False  # its answers are rehearsed


@dataclass(frozen=True)
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
    turns: tuple[tuple[str, str], ...] = ()  # (role, prompt) between system and user
    files: tuple[str, ...] = ()  # prompts, each of which names an image or a PDF
    factors: tuple[Factor, ...] = ()
    parameters: Parameters = Parameters()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    prompt_caching: str = "off"  # one of caching.WAYS
    columns: tuple[str, ...] | None = None  # names whose values become columns of the results; None: the usual ones
    only_texts: frozenset[str] | None = None
    limit: int | None = None
    sample: int | None = None
    seed: str = ""

    def cap(self, model: Model) -> int:
        """The most tokens that one answer of a model may have; models that think by themselves do so within it."""
        return self.reasoning_max_tokens if model.reasoning and not model.thinks_only_when_asked else self.max_tokens

    @property
    def sources(self) -> list[str]:
        """All prompts with holes."""
        return [self.system, self.user, *(text for _, text in self.turns), *self.files]

    @cached_property
    def schema(self) -> str:
        """The JSON Schema that answers must fit, as JSON text; "" where they are text."""
        asked = self.questions and self.questions[0].form == "json"
        return orjson.dumps(schema_of(self.questions)).decode() if asked else ""

    @cached_property
    def words(self) -> dict[str, str]:
        """What prompts may name whatever the persona, level or text: `questions`, unless a column or factor is called so."""
        taken = {*self.texts.columns, *(factor.name for factor in self.factors)}
        return {"questions": in_words(self.questions)} if self.questions and "questions" not in taken else {}

    @cached_property
    def rules(self) -> Rules:
        """What leaves combinations out."""
        keys = {f"persona.{key}": None for persona in self.personas for key in persona.keys}
        for factor in self.factors:
            keys[factor.name] = None
            keys |= {f"{factor.name}.{key}": None for level in factor.levels for key in level.keys}

        def fail(key: str, message: str) -> InputError:
            return InputError(f"{self.path}: {key}: {message}")

        return Rules(self.only, self.skip, ("model", "persona", *keys), self.texts.columns, fail)

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
            **self._further(),
            **binding,
        }
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def _further(self) -> dict[str, object]:
        """What came later, where it is used: runs of before keep their digests."""
        levels = [[factor.name, [level.listed() for level in factor.levels]] for factor in self.factors]
        found = {
            "turns": self.turns,
            "files": self.files,
            "factors": levels,
            "request": self.parameters.listed() if self.parameters else None,
            "rules": self.rules.identity if self.only or self.skip else None,
            "columns": self.columns,
            "sample": [self.sample, self.seed] if self.sample else None,
            "prompt_caching": self.prompt_caching if self.prompt_caching != "off" else None,
        }
        return {key: value for key, value in found.items() if value}


def narrow(
    experiment: Experiment,
    trials: int | None,
    limit: int | None,
    personas: Sequence[str] | None,
    texts: Sequence[str] | None,
    sample: int | None = None,
    seed: str = "",
    primed: bool = False,
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
        sample=sample,
        seed=seed,
        personas=chosen,
        only_texts=frozenset(texts) if texts else None,
        prompt_caching="primed" if primed else experiment.prompt_caching,
    )

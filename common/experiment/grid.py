"""The grid of an experiment: all conditions of one model, each with how it is asked and which of its trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import isfinite
from typing import NamedTuple

import orjson

from common.errors import InputError
from common.experiment.attachments import Attachments
from common.experiment.experiment import Experiment
from common.experiment.factors import Level, Persona
from common.experiment.prompt import Prompt
from common.experiment.rules import Keeps, none_left
from common.experiment.sample import Chosen
from common.nouns import Ask, Attachment, Condition, Host, Marks, Model


class Asked(NamedTuple):
    """A condition, how it is asked, the numbers of its trials, where its text's columns are kept, and why it cannot be sent."""

    condition: Condition
    ask: Ask
    trials: Sequence[int]
    place: int | None = None
    problem: str = ""
    again: bool = False  # word for word what the same model is asked of this text already
    shared: bool = False  # its system prompt is the same for all texts
    marks: Marks | None = None  # what of it the host is to keep in its prompt cache …
    opens_system: bool = False  # … and whether it is the first with its system prompt


def first_requests(conditions: Iterable[Asked], limit: int | None) -> Iterator[Asked]:
    """Conditions up to so many requests; None: all of them."""
    if limit is None:
        return iter(conditions)
    return _first_requests(conditions, limit)


def _first_requests(conditions: Iterable[Asked], left: int) -> Iterator[Asked]:
    for asked in conditions:
        if left <= 0:
            return
        if len(asked.trials) > left:
            asked = asked._replace(trials=asked.trials[:left])
        left -= len(asked.trials)
        yield asked


class _Way(NamedTuple):
    """One combination of persona and levels, for one model, ready to be filled with rows."""

    number: int  # over all models of a run
    name: str
    persona: str
    levels: tuple[str, ...]
    ask: Ask
    base: float | None  # temperature before a text's modifier; None: the model takes none
    system: Prompt
    constant: str | None  # the system prompt where no row changes it
    user: Prompt
    turns: tuple[tuple[str, Prompt], ...]
    files: tuple[Prompt, ...]
    keeps: Keeps | None  # None: every row
    same: int  # equal for ways that differ, if at all, in temperature


class Grid:
    """All that is asked of one model at a host. Raises InputError where a rule is wrong or leaves nothing."""

    def __init__(self, experiment: Experiment, model: Model, host: Host, first: int = 0) -> None:
        self.experiment, self.model, self._host, self.texts = experiment, model, host, experiment.texts
        self._attachments = Attachments(experiment.path.parent)
        self.ways: list[_Way] = []
        seen: dict[tuple, int] = {}
        for persona, *levels in product(experiment.personas, *(factor.levels for factor in experiment.factors)):
            way = self._way(persona, levels, first + len(self.ways), seen)
            self.ways += [way] if way else []
        self._twins = len(seen) < len(self.ways)

    def _way(self, persona: Persona, levels: Sequence[Level], number: int, seen: dict[tuple, int]) -> _Way | None:
        experiment, model, path = self.experiment, self.model, self.experiment.path
        known = _known(experiment, model, persona, levels)
        keeps = experiment.rules.of(known)
        if keeps is False:
            return None
        parameters, effort = self._parameters(levels)
        ask = Ask(experiment.cap(model), effort if model.reasoning else "", experiment.schema, parameters)
        prompts = experiment.words | {name: value for name, value in known.items() if name not in ("model", "persona")}
        make = lambda source, key: Prompt(source, prompts, self.texts.columns, path, key)  # noqa: E731
        system, user = make(experiment.system, "prompt.system"), make(experiment.user, "prompt.user")
        turns = tuple((role, make(text, "prompt.message")) for role, text in experiment.turns)
        files = tuple(make(text, "prompt.files") for text in experiment.files)
        temperatures = [persona.temperature, *(level.temperature for level in levels if level.temperature is not None)]
        base = temperatures[-1] if self._takes_temperature(effort) else None
        same = (system.identity, user.identity, *((r, p.identity) for r, p in turns), *(p.identity for p in files), orjson.dumps(ask))
        ids = tuple(level.id for level in levels)
        return _Way(
            number, "\x1f".join((model.alias, persona.id, *ids)), persona.id, ids, ask, base, system,
            None if system.columns else system(()), user, turns, files, None if keeps is True else keeps,
            seen.setdefault(same, len(seen)),
        )  # fmt: skip

    def _parameters(self, levels: Sequence[Level]) -> tuple[dict, str]:
        """The further parameters of requests, and their reasoning effort."""
        parameters = self.experiment.parameters.of(self.model, self._host)
        for level in levels:
            parameters |= level.parameters.of(self.model, self._host)
        effort = next((level.effort for level in reversed(levels) if level.effort), self.experiment.reasoning_effort)
        if self.model.reasoning and isinstance(parameters.get("reasoning_effort"), str):
            effort = parameters.pop("reasoning_effort")  # it may bring a temperature with it
        return parameters, effort

    def _takes_temperature(self, effort: str) -> bool:
        model = self.model
        return model.supports_temperature or (model.temperature_with_effort_none and effort == "none")

    def allowed(self, where: object, row: Sequence[str]) -> list[int]:
        """The numbers of the ways in which a row is asked."""
        return [way.number for way in self.ways if way.keeps is None or way.keeps(row, where)]

    def conditions(self, chosen: Chosen | None = None, places: Sequence[int] | None = None) -> Iterator[Asked]:
        """All conditions, texts first, then personas, then further factors. Flat memory: a data set is read row by row."""
        every, texts, only = range(1, self.experiment.trials + 1), self.texts, self.experiment.only_texts
        modified, plain = texts.modifier_column is not None, self._heated(0.0)
        for at, (where, row) in enumerate(texts.rows()):
            text_id = row[texts.id_column]
            if only is not None and text_id not in only:
                continue
            place = places[at] if places else None
            done: set[tuple[int, float | None]] = set()
            for way, heat in self._heated(self._modifier(where, row)) if modified else plain:
                if way.keeps is not None and not way.keeps(row, where):
                    continue
                trials = every if chosen is None else chosen.trials(way.number, text_id)
                if not trials:
                    continue
                again = self._twins and _is_in(done, (way.same, heat))
                condition, problem = self._condition(way, text_id, row, heat)
                yield Asked(condition, way.ask, trials, place, problem, again, way.constant is not None)

    def _heated(self, modifier: float) -> list[tuple[_Way, float | None]]:
        return [(way, self._heat(way.base, modifier)) for way in self.ways]

    def _condition(self, way: _Way, text_id: str, row: Sequence[str], heat: float | None) -> tuple[Condition, str]:
        """A way filled with a row, and why it cannot be sent."""
        system = way.system(row) if way.constant is None else way.constant
        if not (way.turns or way.files or way.levels):
            return Condition(self.model, way.persona, text_id, system, way.user(row), heat), ""
        turns = tuple((role, prompt(row)) for role, prompt in way.turns)
        files, problem = self._files(way.files, row) if way.files else ((), "")
        return Condition(self.model, way.persona, text_id, system, way.user(row), heat, way.levels, turns, files), problem

    def _files(self, prompts: Sequence[Prompt], row: Sequence[str]) -> tuple[tuple[Attachment, ...], str]:
        """What goes with the prompt, and why it cannot; a name that is empty in a row is no file."""
        try:
            return tuple(self._attachments.of(name) for prompt in prompts if (name := prompt(row).strip())), ""
        except InputError as error:
            return (), str(error)

    def _heat(self, base: float | None, modifier: float) -> float | None:
        """base + modifier, clipped to what the API takes; None where the model takes no temperature."""
        return None if base is None else min(max(round(base + modifier, 4), 0.0), self._host.limits.temperature_max)

    def _modifier(self, where: int, row: Sequence[str]) -> float:
        value = row[self.texts.modifier_column]
        try:
            if isfinite(number := float(value or 0)):
                return number
            raise ValueError("inf and nan are no temperatures")
        except ValueError:
            column = self.texts.columns[self.texts.modifier_column]
            raise InputError(f"{self.texts.source}, row {where}: {column} is {value!r}; expected a number") from None


def _known(experiment: Experiment, model: Model, persona: Persona, levels: Sequence[Level]) -> dict[str, str]:
    """What rules and prompts may name, beside the columns of a row."""
    known = {"model": model.alias, "persona": persona.id} | {f"persona.{key}": value for key, value in persona.keys.items()}
    for factor, level in zip(experiment.factors, levels):
        known[factor.name] = level.id
        known |= {f"{factor.name}.{key}": value for key, value in level.keys.items()}
    return known


def _is_in(done: set, new: object) -> bool:
    """Whether it was there already; now it is."""
    size = len(done)
    done.add(new)
    return len(done) == size


def grids(experiment: Experiment, models: Sequence[Model], host: Host) -> list[Grid]:
    """The grid of each model. Raises InputError where rules leave nothing at all."""
    found: list[Grid] = []
    for model in models:
        found.append(Grid(experiment, model, host, sum(len(grid.ways) for grid in found)))
    if not any(grid.ways for grid in found):
        raise none_left(experiment.path)
    return found

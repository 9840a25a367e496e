"""What is written in an experiment and would never be asked: said before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from common.errors import InputError
from common.experiment.columns import kept, taken_names
from common.experiment.experiment import Experiment
from common.experiment.factors import check_names
from common.experiment.prompt import DOUBLED, Prompt, names_in

_HINT = "name it in a prompt, in only or skip, or in columns = [\"*\", …]; request parameters stand in [request]"


def check_experiment(experiment: Experiment) -> None:
    """Raise InputError for an unknown name in a prompt, rule or column, and for a factor's clash."""
    check_names(experiment.factors, {**taken_names(experiment), "persona": "the personas", "request": "[request]"}, experiment.path)
    for where, name in _lacking(experiment, names_in(experiment.sources)):
        raise InputError(f"{experiment.path}: {where}: has no key {name.partition('.')[2]!r}, which a prompt names as {{{name}}}")
    _known_names(experiment)
    kept(experiment)


def check_asked(experiment: Experiment) -> None:
    """Raise InputError for what is written and would not be asked. Of a new run only: one of before may be gone on with."""
    named = names_in(experiment.sources)
    _refuse_doubled(experiment)
    _refuse_twins(experiment, named)
    used = named | experiment.rules.used | set(experiment.columns or ())
    used |= {question.gold for question in experiment.questions}
    for where, name in _to_be_used(experiment):
        if name not in used:
            raise InputError(f"{experiment.path}: {where}: is never asked: no prompt names {{{name}}}; {_HINT}")
    for factor in experiment.factors:
        names = {factor.name, *(f"{factor.name}.{key}" for level in factor.levels for key in level.keys)}
        if not (names & named or any(level.sets for level in factor.levels)):
            raise InputError(
                f"{experiment.path}: factor {factor.name}: changes nothing: no prompt names {{{factor.name}}} or a key of its levels, "
                "and no level sets anything in the request"
            )


def _refuse_twins(experiment: Experiment, named: Collection[str]) -> None:
    """A name in a prompt that could be a column, and a key of a persona or of a level."""
    keys = {f"persona.{key}": "a persona's key" for persona in experiment.personas for key in persona.keys}
    keys |= {f"{f.name}.{key}": f"a key of factor {f.name}" for f in experiment.factors for level in f.levels for key in level.keys}
    for column in experiment.texts.columns:
        if column in keys and column in named:
            raise InputError(f"{experiment.path}: {{{column}}} is a column of the data and {keys[column]}; rename one of them")


def _refuse_doubled(experiment: Experiment) -> None:
    """Other tools write `{{column}}` for a hole; here it would ask the same words of every row."""
    names = {*experiment.words, *experiment.texts.columns, *(name for names in _each_level(experiment) for name in names)}
    names |= {f"persona.{key}" for persona in experiment.personas for key in persona.keys} | {f.name for f in experiment.factors}
    for source, key in _prompts(experiment):
        for found in DOUBLED.finditer(source):
            if found[1] in names:
                told = f"is the literal text {{{found[1]}}}, the same for every row; write {{{found[1]}}} with one brace"
                raise InputError(f"{experiment.path}: {key}: {found[0]} {told}")


def check_texts_are_asked(experiment: Experiment, count: int) -> None:
    """Raise InputError where the prompts name nothing of several texts, which would all be asked the same."""
    texts = experiment.texts
    names = [name for name in texts.columns if name]
    if count > 1 and not names_in(experiment.sources).intersection(names):
        what = "the texts" if texts.source == experiment.path else texts.source.name
        raise InputError(
            f"{experiment.path}: prompt: names no column of {what}, so all {count:,} texts would be asked the same; "
            f"expected one of {', '.join(f'{{{name}}}' for name in names)}"
        )


def _to_be_used(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """(where it is written, its name in prompts) of every key that a person made up."""
    for n, persona in enumerate(experiment.personas, 1):
        yield from ((f"persona[{n}].{key}", f"persona.{key}") for key in persona.keys if key not in ("id", "name"))
    for factor in experiment.factors:
        for level in factor.levels:
            yield from ((f"factor {factor.name}, level {level.id}: {key}", f"{factor.name}.{key}") for key in level.keys if key != "id")
    if experiment.texts.source == experiment.path:
        usual = ("id", "title", "text", "modifier")
        yield from ((f"text: {name}", name) for name in experiment.texts.columns if name not in usual)


def _lacking(experiment: Experiment, named: Collection[str]) -> Iterator[tuple[str, str]]:
    """(which persona or level, name) of each name in the prompts that others of them have."""
    keys = [("persona", [(f"persona[{n}]", persona.keys) for n, persona in enumerate(experiment.personas, 1)])]
    keys += [(f.name, [(f"factor {f.name}, level {level.id}", level.keys) for level in f.levels]) for f in experiment.factors]
    for owner, rows in keys:
        for key in dict.fromkeys(key for _, keys_of in rows for key in keys_of if f"{owner}.{key}" in named):
            yield from ((where, f"{owner}.{key}") for where, keys_of in rows if key not in keys_of)


def _known_names(experiment: Experiment) -> None:
    """Make every prompt once for each persona and level: an unknown name is an error there."""
    for persona in experiment.personas:
        known = experiment.words | {f"persona.{key}": value for key, value in persona.keys.items()}
        for factor in experiment.factors:
            known[factor.name] = factor.levels[0].id
        for levels in _each_level(experiment):
            for source, key in _prompts(experiment):
                Prompt(source, known | levels, experiment.texts.columns, experiment.path, key)


def _each_level(experiment: Experiment) -> Iterator[Mapping[str, str]]:
    """Sets of names of levels such that each level is in one of them."""
    for n in range(max((len(factor.levels) for factor in experiment.factors), default=1)):
        found: dict[str, str] = {}
        for factor in experiment.factors:
            level = factor.levels[min(n, len(factor.levels) - 1)]
            found |= {f"{factor.name}.{key}": value for key, value in level.keys.items()}
        yield found


def _prompts(experiment: Experiment) -> Sequence[tuple[str, str]]:
    turns = [(text, f"prompt.message[{n}]") for n, (_, text) in enumerate(experiment.turns, 1)]
    files = [(text, "prompt.files") for text in experiment.files]
    return [(experiment.system, "prompt.system"), (experiment.user, "prompt.user"), *turns, *files]

"""Which columns the results have beside those of questions: ours, and what an experiment keeps of factors, personas and data."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from common.errors import InputError
from common.experiment.data.chained import column_name
from common.experiment.experiment import Experiment
from common.experiment.questions import Prose, question_columns

FRONT = (
    ("experiment", str), ("run", str), ("provider", str), ("model", str), ("model_id", str), ("persona", str),
    ("persona_name", str), ("text", str), ("text_title", str), ("trial", int), ("temperature", float),
    ("custom_id", str), ("outcome", str), ("validation", str),
)  # fmt: skip
BACK = (
    ("finish_reason", str), ("attempts", int), ("input_tokens", int), ("cached_tokens", int), ("output_tokens", int),
    ("reasoning_tokens", int), ("cost_usd", float), ("error_code", str), ("error_message", str), ("created", str),
    ("batch_id", str), ("taken_from", str), ("simulated", bool), ("answer", Prose),
)  # fmt: skip
_SHOWN = {"id", "name"}  # keys of a persona that have columns of ours
_OF_TEXTS = {"id", "title", "text", "modifier"}  # keys of [[text]]: ours, or too long to repeat


class KeptColumn(NamedTuple):
    """A further column of the results: its header, and what it shows: `name` as prompts name it."""

    header: str
    name: str
    kind: str  # "factor", "level", "persona" or "data"


def taken_names(experiment: Experiment) -> dict[str, str]:
    """The names that no factor may have → what they name already."""
    questions = chain.from_iterable(map(question_columns, experiment.questions))
    return {
        **dict.fromkeys(experiment.texts.columns, "a column of the data"),
        **{name: "a question's column" for name, _ in questions},
        **{name: "a column of the results" for name, _ in (*FRONT, *BACK, ("problems", str))},
    }


def kept(experiment: Experiment) -> tuple[KeptColumn, ...]:
    """The further columns in order: factors, then what `columns` names, else persona keys and the columns of the data; and gold.

    Raises InputError for a name that there is not.
    """
    usual, known = _usual(experiment), _known(experiment)
    if experiment.columns is None:
        names = usual
    else:
        names = list(dict.fromkeys(chain.from_iterable(usual if name == "*" else [name] for name in experiment.columns)))
    names = list(dict.fromkeys((*names, *_golds(experiment, known))))
    if wrong := [name for name in names if name not in known]:
        shown = ", ".join(name for name in known if name)
        raise InputError(f"{experiment.path}: columns: no {wrong[0]!r}; expected \"*\" for the usual ones, or names of {shown or 'none'}")
    factors = [factor.name for factor in experiment.factors]
    names = [*factors, *(name for name in names if name not in factors)]
    taken = {name for name in taken_names(experiment) if name not in experiment.texts.columns}
    taken |= {name for name, _ in (*FRONT, *BACK, ("problems", str))}
    found = []
    for name in names:
        kind = known[name]
        header = name if kind == "data" else name.replace(".", "_")
        if kind == "data" and experiment.texts.chained:
            header = column_name(header, taken)
        while header in taken:
            header = f"{kind}_{header}"
        taken.add(header)
        found.append(KeptColumn(header, name, known[name]))
    return tuple(found)


def _golds(experiment: Experiment, known: dict[str, str]) -> list[str]:
    """What holds the right values of questions. Raises InputError for a name that there is not."""
    for n, question in enumerate(experiment.questions, 1):
        if question.gold and question.gold not in known:
            shown = ", ".join(name for name in known if name)
            what = f"no column {question.gold!r}; expected one of {shown or 'none'}"
            raise InputError(f"{experiment.path}: question[{n}].gold: {what}")
    return [question.gold for question in experiment.questions if question.gold]


def _known(experiment: Experiment) -> dict[str, str]:
    """Every name that can be a column → its kind."""
    found = {name: "data" for name in experiment.texts.columns if name}
    found |= {f"persona.{key}": "persona" for persona in experiment.personas for key in persona.keys}
    for factor in experiment.factors:
        found[factor.name] = "factor"
        found |= {f"{factor.name}.{key}": "level" for level in factor.levels for key in level.keys}
    return found


def _usual(experiment: Experiment) -> list[str]:
    texts = experiment.texts
    keys = dict.fromkeys(f"persona.{key}" for persona in experiment.personas for key in persona.keys if key not in _SHOWN)
    ours = _OF_TEXTS if texts.source == experiment.path else {texts.columns[texts.id_column], ""}
    return [*keys, *(name for name in texts.columns if name not in ours)]

"""What is known of a raw file that no run of ours has made: what its ids, the catalog and a named experiment tell."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path

from common import catalog
from common.experiment import Experiment
from common.records import Model, new
from common.rows import UNKNOWN, Meta

_ID = re.compile(r"p(?P<persona>[^_]+)_(?P<model>.+?)_n(?P<trial>[0-9]{1,9})_(?P<text>.+)", re.DOTALL)
_TITLES = 100_000  # of a longer data set no titles are kept


class PlainContext:
    """A `Context` for a foreign file. Ids of the form p{persona}_{model}_n{trial}_{text} are taken apart.

    With an experiment, answers are checked and personas and texts have names. The temperature stays unknown:
    nobody has written down what was sent.
    """

    folder: Path | None = None
    run = ""
    attempts = 1

    def __init__(self, file: Path, provider: str, providers: tuple[str, ...] = (), experiment: Experiment | None = None) -> None:
        self.provider, self._providers = provider, providers
        self.batch_id = batch_id_of(file)
        self.experiment = experiment.name if experiment else ""
        self.questions = experiment.questions if experiment else ()
        self._personas = {p.id: p.name for p in experiment.personas} if experiment else {}
        self._titles = _titles(experiment) if experiment else {}
        self._model_id = lru_cache(1024)(self._model_id)

    def describe(self, custom_id: str) -> Meta:
        """What the id itself says."""
        match = _ID.fullmatch(custom_id)
        if not match:
            return Meta(custom_id)
        persona, model, trial, text = match.groups()
        name, title = self._personas.get(persona, ""), self._titles.get(text, "")
        return new(Meta, (custom_id, model, self._model_id(model), persona, name, int(trial), text, title, UNKNOWN))

    def _model_id(self, alias: str) -> str:
        known = _alias(alias, self._providers)
        return known.id if known else ""

    def model(self, name: str) -> Model | None:
        """The catalog's row for an alias or for the id that the API reported."""
        return _alias(name, self._providers) or catalog.find_id(name, self._providers)


@cache
def _alias(name: str, providers: tuple[str, ...]) -> Model | None:
    return next((model for provider in providers if (model := catalog.find(name, provider))), None)


def _titles(experiment: Experiment) -> dict[str, str]:
    texts = experiment.texts
    if "title" not in texts.columns:
        return {}
    title = texts.columns.index("title")
    return {row[texts.id_column]: row[title] for _, row in islice(texts.rows(), _TITLES)}


def batch_id_of(file: Path) -> str:
    """The batch id in a raw file's name: `<batch_id>_output.jsonl`, `<batch_id>_errors.jsonl`."""
    name = file.name.encode("utf-8", "replace").decode()  # a name on disk need not be text
    return name.removesuffix(".jsonl").removesuffix("_output").removesuffix("_errors")

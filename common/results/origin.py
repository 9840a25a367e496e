"""What is known of a raw file that no run of ours has made: what its ids, the catalog and a named experiment tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path

import orjson

from common import catalog
from common.experiment.grid import Experiment
from common.experiment.ids import id_parser
from common.experiment.shards import ids
from common.files import write_whole
from common.nouns import Model, Question, Run, Shard, new
from common.results.rows import UNKNOWN, Meta

_ID = re.compile(r"p(?P<persona>[^_]+)_(?P<model>.+?)_n(?P<trial>[0-9]{1,9})_(?P<text>.+)", re.DOTALL)
_TITLES = 100_000  # of a longer data set no titles are kept


class ForeignOrigin:
    """A `Origin` for a foreign file. Ids of the form p{persona}_{model}_n{trial}_{text} are taken apart.

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


def write_manifest(run: Run, experiment: Experiment, models: Iterable[Model], more: dict) -> None:
    """Keep in run.json what the rows need to be understood without the experiment's files."""
    texts = experiment.texts
    titled = "title" in texts.columns and texts.source == experiment.path
    title = texts.columns.index("title") if titled else 0
    manifest = {
        "experiment": experiment.name,
        "title": experiment.title,
        "personas": {p.id: p.name for p in experiment.personas},
        "models": {m.alias: m.id for m in models},
        "texts": {row[texts.id_column]: row[title] for _, row in texts.rows()} if titled else {},
        "questions": [[q.id, q.name, q.minimum, q.maximum, q.value_label, q.reason_label] for q in experiment.questions],
        **more,
    }
    write_whole(run.folder / "run.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


class RunOrigin:
    """What a run knows about its rows; also a `rows.Origin` for one raw file of it when `shard` is given."""

    def __init__(self, run: Run, shard: Shard | None = None) -> None:
        manifest = orjson.loads((run.folder / "run.json").read_bytes())
        self.run, self.experiment, self.provider, self.folder = run.name, run.experiment, run.provider, run.folder
        self.questions = tuple(Question(*row) for row in manifest["questions"])
        self.ids_differ_in_case_only = manifest.get("ids_differ_in_case_only", True)
        self.batch_id, self.attempts = (shard.batch_id, shard.attempt) if shard else ("", 1)
        self._personas, self._texts, self._models = manifest["personas"], manifest["texts"], manifest["models"]
        self._parse = id_parser((persona, model) for persona in self._personas for model in self._models)
        self._host = run.host
        self._ids = ids(shard) if shard else {}

    def model(self, name: str) -> Model | None:
        """The catalog's row of an alias at this run's host, else of the id that the API reported."""
        return catalog.find(name, self._host) or catalog.find_id(name)

    def describe(self, custom_id: str) -> Meta:
        """What an request id stands for."""
        return self.meta(custom_id, self._ids.get(custom_id, ""))

    @staticmethod
    @lru_cache(1024)
    def _rest(rest: str) -> tuple[str, float | str | None]:
        custom_id, _, temperature = rest.partition("\t")
        return custom_id, None if temperature == "None" else float(temperature) if temperature else "unknown"

    def meta(self, request_id: str, rest: str) -> Meta:
        """What an request id stands for, with the rest of its line in the shard's ids file."""
        custom_id, temperature = self._rest(rest)
        custom_id = custom_id or request_id
        parts = self._parse(custom_id)
        if parts is None:
            return Meta(custom_id)
        persona, model, trial, text = parts
        title = self._texts.get(text, "")
        return new(Meta, (custom_id, model, self._models[model], persona, self._personas[persona], trial, text, title, temperature))

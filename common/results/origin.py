"""What is known of raw results beside their lines: what their ids stand for, who asked, and which catalog names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from common import catalog
from common.errors import InputError
from common.experiment.experiment import Experiment
from common.experiment.ids import id_parser, text_parser
from common.experiment.ids_file import ids
from common.experiment.marks import suffix
from common.files import write_whole
from common.nouns import Model, Question, Run, Shard
from common.results.cells import Cells, kept_of
from common.text import one_line

UNKNOWN = "unknown"
_ID = re.compile(r"p(?P<persona>[^_]+)_(?P<model>.+?)_n(?P<trial>[0-9]{1,9})_(?P<text>.+)", re.DOTALL)
_TITLES = 100_000  # of a longer data set no titles are kept


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
    kept: tuple[str, ...] = ()  # what the experiment keeps of factors, personas and data, as `Origin.kept` names it


class Origin(Protocol):
    """What is known about raw results. `folder`: that of the run, None if they are of no run."""

    folder: Path | None
    questions: Sequence[Question]
    kept: Sequence[str]  # headers of the columns that Meta.kept fills
    taken: Mapping[str, str]  # batch id → the run whose answers its are a copy of, where they were taken over
    of_rehearsed: bool  # its texts are rehearsed answers of an earlier run, so all of it is simulated
    provider: str
    experiment: str
    run: str
    batch_id: str  # "" where each result has its own
    attempts: int

    def describe(self, request_id: str) -> Meta:
        """What a request id stands for; never fails, an unknown id describes itself."""

    def model(self, name: str) -> Model | None:
        """The catalog's row of an alias or id, None if there is none."""


class ForeignOrigin:
    """An `Origin` for a file that no run of ours has made. Ids of the form p{persona}_{model}_n{trial}_{text} are taken apart.

    With an experiment, answers are checked, personas and texts have names, and factors are columns. The temperature stays unknown:
    nobody has written down what was sent. `mark`: what all ids end in and what is no part of them.
    """

    folder: Path | None = None
    run = ""
    attempts = 1
    of_rehearsed = False
    taken: Mapping[str, str] = {}

    def __init__(
        self, file: Path, provider: str, providers: tuple[str, ...] = (), experiment: Experiment | None = None, mark: str = ""
    ) -> None:
        self.provider, self._providers, self._end = provider, providers, suffix(mark)
        self.batch_id = batch_id_of(file)
        self.experiment = experiment.name if experiment else ""
        self.questions = experiment.questions if experiment else ()
        self._personas = {p.id: p.name for p in experiment.personas} if experiment else {}
        self._titles = _titles(experiment) if experiment else {}
        self._model_id = lru_cache(1024)(self._model_id)
        noted = kept_of(experiment) if experiment else {}
        noted["kept"] = [column for column in noted.get("kept", ()) if column[2] != "data"]  # nobody knows where those of a text are
        self._cells = Cells(noted, file.parent)
        self.kept = self._cells.headers
        factors = noted.get("factors", {}).values()
        self._has_factors, self._parse = bool(factors), text_parser(factors)

    def describe(self, request_id: str) -> Meta:
        """What the id itself says."""
        request_id = request_id.removesuffix(self._end)
        match = _ID.fullmatch(request_id)
        if not match:
            return Meta(request_id, kept=self._cells.blank)
        persona, model, trial, end = match.groups()
        text, levels = (self._has_factors and self._parse(end)) or (end, ())
        name, title = self._personas.get(persona, ""), self._titles.get(text, "")
        kept = self._cells(persona, levels, None, text) if self.kept else ()
        return Meta(request_id, model, self._model_id(model), persona, name, int(trial), text, title, kept=kept)

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
        "questions": [asdict(q) for q in experiment.questions],
        **kept_of(experiment),
        **more,
    }
    write_whole(run.folder / "run.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def _question(row: dict | list) -> Question:
    """A question of a manifest; those of earlier versions are lists of the first six fields. Raises TypeError."""
    if isinstance(row, list):
        return Question(*row)
    choices = tuple((name, tuple(also)) for name, also in row.get("choices", ()))
    return Question(**{**row, "choices": choices, "fields": tuple(row.get("fields", ()))})


def manifest_of(path: Path) -> dict:
    """What run.json holds. Raises InputError when it is not what was written."""
    try:
        found = orjson.loads(path.read_bytes())
        tables = [found["personas"], found["models"], found["texts"]]
        [_question(row) for row in found["questions"]]
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(f"{path}: is garbled ({one_line(repr(error), 100)}); restore it from a backup of the results folder") from None
    if not all(isinstance(t, dict) for t in tables):
        raise InputError(f"{path}: is garbled (a table is none); restore it from a backup of the results folder")
    return found


class RunOrigin:
    """An `Origin` for a run's results, as its run.json tells; `of(shard)` is that of one shard's requests."""

    batch_id, attempts = "", 1

    def __init__(self, run: Run) -> None:
        manifest = manifest_of(run.folder / "run.json")
        self.run, self.experiment, self.provider, self.folder = run.name, run.experiment, run.provider, run.folder
        self.questions = tuple(map(_question, manifest["questions"]))
        self.ids_differ_in_case_only = manifest.get("ids_differ_in_case_only", True)
        self.asked: dict[str, str] = {}  # request id → the rest of its line in the shard's ids file
        self._end = ""  # of the shard's request ids at a host without metadata
        self.taken: Mapping[str, str] = {}
        self._personas, self._texts, self._models = manifest["personas"], manifest["texts"], manifest["models"]
        factors = manifest.get("factors", {}).values()
        self._parse = id_parser(((persona, model) for persona in self._personas for model in self._models), factors)
        self._host, self._way, self._window = run.host, run.way, run.window
        self._cells = Cells(manifest, run.folder)
        self.kept, self.kept_names = self._cells.headers, self._cells.names
        self.of_rehearsed = bool(manifest.get("simulated_texts"))

    def of(self, shard: Shard) -> RunOrigin:
        """The same, knowing the requests of a shard. Memory: their ids. Raises OSError."""
        found = copy(self)
        found.batch_id, found.attempts, found.asked = shard.batch_id, shard.attempt, ids(shard)
        found._end, found.taken = suffix(shard.mark), taken_of([shard])
        return found

    def trial(self, request_id: str) -> int:
        """The number of a request's trial, 0 where its id tells none: as `describe` has it, without the rest."""
        custom_id = self.asked.get(request_id, "").partition("\t")[0] or request_id.removesuffix(self._end)
        parts = self._parse(custom_id)
        return parts[2] if parts else 0

    def model(self, name: str) -> Model | None:
        """The catalog's row of an alias at this run's host, else of the id that the API reported."""
        return catalog.of_run(name, self._host, self._way, self._window)

    def describe(self, request_id: str) -> Meta:
        """What a request id stands for."""
        custom_id, temperature, place = _taken_apart(self.asked.get(request_id, ""))
        custom_id = custom_id or request_id.removesuffix(self._end)
        parts = self._parse(custom_id)
        if parts is None:
            return Meta(custom_id, kept=self._cells.blank)
        persona, model, trial, text, levels = parts
        title, kept = self._texts.get(text, ""), self._cells(persona, levels, place, text) if self.kept else ()
        return Meta(custom_id, model, self._models[model], persona, self._personas[persona], trial, text, title, temperature, kept)


def taken_of(shards: Iterable[Shard]) -> dict[str, str]:
    """Of shards whose answers were taken over: the run that had asked them, by their batch id."""
    return {shard.batch_id: shard.taken_from for shard in shards if shard.taken_from}


@lru_cache(1024)
def _taken_apart(rest: str) -> tuple[str, float | str | None, int | None]:
    """(custom_id, temperature, place of the text's columns) of what `ids` says of a request."""
    custom_id, temperature, place, *_ = (*rest.split("\t"), "", "")
    return custom_id, None if temperature == "None" else float(temperature) if temperature else UNKNOWN, int(place) if place else None

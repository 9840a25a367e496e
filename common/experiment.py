"""A person's experiment: experiment.toml and its texts → the cells of the grid, their ids, and its digest."""

from __future__ import annotations

import csv
import hashlib
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import orjson

from common.answers import Question
from common.errors import Usage
from common.records import Cell, Limits, Model
from common.unique import Repeats

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}")
csv.field_size_limit(sys.maxsize >> 32)


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
        thinks_when_asked = model.provider == "anthropic" and model.supports_temperature  # Claude up to 4.6
        return self.reasoning_max_tokens if model.reasoning and not thinks_when_asked else self.max_tokens

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
            "questions": [[q.id, q.name, q.minimum, q.maximum, q.value_label, q.reason_label] for q in self.questions],
            **binding,
        }
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def cells(self, model: Model, limits: Limits) -> Iterator[Cell]:
        """All cells of one model, texts first, then personas. Flat memory: a data set is read row by row."""
        columns = self.texts.columns
        readers = [
            (
                persona,
                render := _template(self.system, persona, columns, self.path, "prompt.system"),
                render(()) if not render.columns else None,
                _template(self.user, persona, columns, self.path, "prompt.user"),
            )
            for persona in self.personas
        ]
        takes = model.supports_temperature or (model.temperature_with_effort_none and self.reasoning_effort == "none")
        for where, row in self.texts.rows():
            text_id = row[self.texts.id_column]
            if self.only_texts is not None and text_id not in self.only_texts:
                continue
            modifier = self._modifier(where, row)
            for persona, system, constant, user in readers:
                heat = None
                if takes and persona.temperature is not None:
                    heat = min(max(round(persona.temperature + modifier, 4), 0.0), limits.temperature_max)
                yield Cell(model, persona.id, text_id, system(row) if constant is None else constant, user(row), heat)

    def _modifier(self, where: int, row: Sequence[str]) -> float:
        if self.texts.modifier_column is None:
            return 0.0
        value = row[self.texts.modifier_column]
        try:
            return float(value or 0)
        except ValueError:
            column = self.texts.columns[self.texts.modifier_column]
            raise Usage(f"{self.texts.source}, row {where}: {column} is {value!r}; expected a number") from None


class _template:
    """A prompt with its persona filled in: call it with a row to get the text."""

    def __init__(self, source: str, persona: Persona, columns: Sequence[str], path: Path, key: str) -> None:
        self._parts: list[str] = []
        self._holes: list[tuple[int, int]] = []  # (index in parts, column)
        known = {f"persona.{name}": value for name, value in persona.keys.items()}
        end = 0
        for found in PLACEHOLDER.finditer(source):
            self._parts.append(source[end : found.start()])
            end, name = found.end(), found[1]
            if name is None:
                self._parts.append(found[0][0])
            elif name in known:
                self._parts.append(known[name])
            elif name in columns:
                self._holes.append((len(self._parts), columns.index(name)))
                self._parts.append("")
            else:
                names = ", ".join(f"{{{n}}}" for n in (*columns, *known) if n)
                raise Usage(f"{path}: {key}: unknown name {{{name}}}; expected one of {names} ({{{{ is a literal brace)")
        self._parts.append(source[end:])

    @property
    def columns(self) -> bool:
        """Whether the text depends on the row."""
        return bool(self._holes)

    def __call__(self, row: Sequence[str]) -> str:
        parts = self._parts
        for hole, column in self._holes:
            parts[hole] = row[column]
        return "".join(parts).strip("\n")


# ---- ids -------------------------------------------------------------------------------------------------------------


def id_parts(persona: str, model: str, text: str) -> tuple[str, str]:
    """What stands before and after the trial number in the custom_ids of a cell."""
    return f"p{persona}_{model}_n", f"_{text}"


def make_id(persona: str, model: str, trial: int, text: str) -> str:
    """The custom_id of a request: `p{persona}_{model}_n{trial}_{text}`, e.g. `p1_gpt-4.1_n01_t1`."""
    before, after = id_parts(persona, model, text)
    return f"{before}{trial:02d}{after}"


def parse_id(custom_id: str, pairs: Iterable[tuple[str, str]]) -> tuple[str, str, int, str] | None:
    """A custom_id → (persona, model, trial, text), against the experiment's own (persona, model) pairs.

    None for an id that none of them made. Unambiguous because `check_ids` refuses pairs whose beginnings collide.
    """
    for persona, model in pairs:
        before = f"p{persona}_{model}_n"
        if custom_id.startswith(before):
            trial, _, text = custom_id[len(before) :].partition("_")
            if trial.isascii() and trial.isdigit() and text:
                return persona, model, int(trial), text
    return None


def check_ids(experiment: Experiment, models: Sequence[Model]) -> bool:
    """Refuse what could give two requests the same custom_id. Reads a data set once, at flat memory. Raises Usage.

    Returns whether some ids may differ in case only, which some file systems cannot tell apart.
    """
    starts = sorted(id_parts(p.id, m.alias, "")[0] for p in experiment.personas for m in models)
    for one, other in zip(starts, starts[1:], strict=False):
        if other.startswith(one):
            raise Usage(f"{experiment.path}: personas and models make ids that begin alike ({one}…, {other}…); rename one")
    repeats, alike, texts = Repeats(), Repeats(), experiment.texts
    seen: set[str] = set()
    for where, row in texts.rows():
        text_id = row[texts.id_column]
        if not text_id or not text_id.isprintable() or text_id != text_id.strip():
            raise Usage(f"{texts.source}, row {where}: the text id is {text_id!r}; expected visible characters")
        repeats.add(text_id)
        alike.add(text_id.casefold())
        if experiment.only_texts and text_id in experiment.only_texts:
            seen.add(text_id)
    if missing := (experiment.only_texts or frozenset()) - seen:
        raise Usage(f"{texts.source}: no text {', '.join(sorted(missing))}; --text names ids of {_some_ids(texts)}")
    if hashes := repeats.found():
        _complain_of_repeats(texts, hashes)
    folded = [start.casefold() for start in starts]
    return bool(alike.found()) or len(set(folded)) < len(folded)


def _some_ids(texts: Texts) -> str:
    ids = [row[texts.id_column] for _, row in islice(texts.rows(), 7)]
    return ", ".join(ids[:6]) + (", …" if len(ids) > 6 else "")


def _complain_of_repeats(texts: Texts, hashes: set[int]) -> None:
    first: dict[str, int] = {}
    for where, row in texts.rows():
        text_id = row[texts.id_column]
        if hash(text_id) in hashes:
            if text_id in first:
                raise Usage(f"{texts.source}, row {where}: text id {text_id!r} is also that of row {first[text_id]}")
            first[text_id] = where


# ---- reading ---------------------------------------------------------------------------------------------------------


class _Table:
    """A TOML table whose keys are taken with their type; what is wrong or left over is said with file and key."""

    def __init__(self, path: Path, row: object, where: str) -> None:
        if not isinstance(row, dict):
            raise Usage(f"{path}: {where}: expected a table")
        self._path, self._row, self._where = path, dict(row), where

    def fail(self, key: str, message: str) -> Usage:
        return Usage(f"{self._path}: {self._where}{'.' if self._where else ''}{key}: {message}")

    def take(self, key: str, kind: type, expected: str, default: object = ...) -> object:
        if key not in self._row:
            if default is ...:
                raise self.fail(key, f"missing; expected {expected}")
            return default
        value = self._row.pop(key)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self.fail(key, f"is {value!r}; expected {expected}")
        return value

    def text(self, key: str, expected: str = "a text", default: object = ...) -> str:
        value = self.take(key, str, expected, default)
        if default is ... and not value.strip():
            raise self.fail(key, f"is empty; expected {expected}")
        return value

    def count(self, key: str, default: object = ...) -> int:
        value = self.take(key, int, "a whole number above 0", default)
        if value is not None and value < 1:
            raise self.fail(key, f"is {value}; expected a whole number above 0")
        return value

    def has(self, key: str) -> bool:
        return key in self._row

    def rest(self) -> dict[str, object]:
        rest, self._row = self._row, {}
        return rest

    def done(self) -> None:
        for key in self._row:
            raise self.fail(key, "unknown key; see docs/experiments.md for those that exist")


def load(path: Path) -> Experiment:
    """Read an experiment (a folder or its experiment.toml). Raises Usage with file, key and what was expected."""
    file = path / "experiment.toml" if path.is_dir() else path
    try:
        table = _Table(file, tomllib.loads(file.read_bytes().decode("utf-8")), "")
    except FileNotFoundError:
        raise Usage(f"{file}: no such experiment; expected a folder with an experiment.toml (see experiments/)") from None
    except OSError as error:
        raise Usage(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Usage(f"{file}: not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise Usage(f"{file}: not valid TOML: {error}") from None
    name = table.text("name", "a short name of a-z, 0-9 and -")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise table.fail("name", f"is {name!r}; expected a short name of a-z, 0-9 and -")
    prompt = _Table(file, table.take("prompt", dict, "a table with system and user"), "prompt")
    max_tokens = table.count("max_tokens")
    experiment = Experiment(
        path=file,
        name=name,
        title=table.text("title", default=name),
        trials=table.count("trials", 1),
        max_tokens=max_tokens,
        cut_off_factor=_factor(table),
        # hidden reasoning is paid from the same cap and often takes a thousand tokens alone
        reasoning_max_tokens=table.count("reasoning_max_tokens", 8 * max_tokens),
        reasoning_effort=table.text("reasoning_effort", "none, minimal, low, medium, high", default=""),
        system=prompt.text("system", default=""),
        user=prompt.text("user"),
        personas=_personas(file, table),
        questions=_questions(file, table),
        texts=_texts(file, table),
    )
    prompt.done()
    table.done()
    for persona in experiment.personas:
        _template(experiment.system, persona, experiment.texts.columns, file, "prompt.system")
        _template(experiment.user, persona, experiment.texts.columns, file, "prompt.user")
    return experiment


def narrow(
    experiment: Experiment,
    trials: int | None,
    limit: int | None,
    personas: Sequence[str] | None,
    texts: Sequence[str] | None,
) -> Experiment:
    """The part of an experiment that the command asks for. Raises Usage for a persona that it does not have."""
    chosen = experiment.personas
    if personas:
        known = [p.id for p in chosen]
        for name in personas:
            if name not in known:
                raise Usage(f"{experiment.path}: no persona {name!r}; --persona names ids of {', '.join(known)}")
        chosen = tuple(p for p in chosen if p.id in personas)
    return replace(
        experiment,
        trials=trials or experiment.trials,
        limit=limit,
        personas=chosen,
        only_texts=frozenset(texts) if texts else None,
    )


def _factor(table: _Table) -> float | None:
    factor = table.take("cut_off_factor", float, "a number above 1", None)
    if factor is not None and factor <= 1:
        raise table.fail("cut_off_factor", f"is {factor:g}; expected a number above 1")
    return factor


def _identifier(table: _Table, key: str = "id") -> str:
    value = table.text(key, "a short id")
    if not value.isprintable() or value != value.strip():
        raise table.fail(key, f"is {value!r}; expected visible characters")
    return value


def _rows(table: _Table, key: str, path: Path, default: object = ...) -> Iterator[_Table]:
    rows = table.take(key, list, f"at least one [[{key}]]", default)
    if default is ... and not rows:
        raise table.fail(key, f"is empty; expected at least one [[{key}]]")
    return (_Table(path, row, f"{key}[{n}]") for n, row in enumerate(rows or (), 1))


def _distinct(path: Path, key: str, ids: Iterable[str]) -> None:
    seen = set()
    for name in ids:
        if name in seen:
            raise Usage(f"{path}: {key}: id {name!r} is used twice")
        seen.add(name)


def _personas(path: Path, table: _Table) -> tuple[Persona, ...]:
    found = []
    for row in _rows(table, "persona", path):
        identifier, name = _identifier(row), row.text("name")
        heat = row.take("temperature", float, "a number from 0 to 2", None)
        if heat is not None and not 0 <= heat <= 2:
            raise row.fail("temperature", f"is {heat}; expected a number from 0 to 2")
        keys = {"id": identifier, "name": name, **{key: str(value) for key, value in row.rest().items()}}
        found.append(Persona(identifier, name, heat, keys))
    _distinct(path, "persona", (p.id for p in found))
    return tuple(found)


def _questions(path: Path, table: _Table) -> tuple[Question, ...]:
    answer = _Table(path, table.take("answer", dict, "a table", {}), "answer")
    value, reason = answer.text("value", default="value"), answer.text("reason", default="reason")
    answer.done()
    found = []
    for row in _rows(table, "question", path, ()):
        low = row.take("min", float, "a number", 0.0)
        high = row.take("max", float, "a number", 100.0)
        if low >= high:
            raise row.fail("max", f"is {high:g}; expected more than min ({low:g})")
        found.append(Question(_identifier(row), row.text("name"), low, high, value, reason))
        row.done()
    _distinct(path, "question", (q.id for q in found))
    return tuple(found)


def _texts(path: Path, table: _Table) -> Texts:
    data = table.take("data", dict, "a table with file and id", None)
    if data is not None:
        if table.has("text"):
            raise table.fail("data", "stands beside [[text]]; expected one of the two")
        return _data(path, _Table(path, data, "data"))
    found = []
    for row in _rows(table, "text", path):
        identifier, title = _identifier(row), row.text("title", default="")
        file = _inside(path, row)
        modifier = row.take("modifier", float, "a number", 0.0)
        extra = {key: str(value) for key, value in row.rest().items()}
        found.append({"id": identifier, "title": title or identifier, "text": _read(file), "modifier": repr(modifier), **extra})
    _distinct(path, "text", (row["id"] for row in found))
    columns = tuple(dict.fromkeys(key for row in found for key in row))
    values = [(n, tuple(row.get(column, "") for column in columns)) for n, row in enumerate(found, 1)]
    digest = hashlib.sha256(orjson.dumps([columns, values])).hexdigest()
    return Texts(path, columns, 0, columns.index("modifier"), lambda: iter(values), digest)


def _inside(path: Path, row: _Table) -> Path:
    name = row.text("file", "a path beside experiment.toml")
    file = path.parent / name
    if not file.is_file():
        raise row.fail("file", f"{name!r} does not exist in {path.parent}")
    return file


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8-sig").strip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{file}: cannot be read as UTF-8 text ({error})") from None
    if not text.strip():
        raise Usage(f"{file}: is empty; expected the text that is asked about")
    return text


def _data(path: Path, table: _Table) -> Texts:
    file = _inside(path, table)
    id_column, modifier = table.text("id", "the column of the text id", ""), table.text("modifier", "a column", "")
    table.done()
    reader = _JSONL(file) if file.suffix.lower() in (".jsonl", ".ndjson") else _CSV(file)
    for key, column in (("id", id_column), ("modifier", modifier)):
        if column and column not in reader.columns:
            raise table.fail(key, f"no column {column!r} in {file}; it has {', '.join(reader.columns)}")
    with open(file, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    columns, rows = reader.columns, reader.rows
    if not id_column:
        columns, rows = (*columns, ""), reader.numbered  # no column is called "", so no prompt can name it
    return Texts(
        file,
        columns,
        columns.index(id_column),
        columns.index(modifier) if modifier else None,
        rows,
        f"{digest} {id_column} {modifier}",
    )


class _Reader:
    """Rows of a data file, read anew at each call, as (line number, values in the order of `columns`)."""

    columns: tuple[str, ...]

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        raise TypeError("a reader of its own kind is needed")

    def numbered(self) -> Iterator[tuple[int, Sequence[str]]]:
        """The rows with a last column t1, t2, … for data that has no ids."""
        for n, (where, row) in enumerate(self.rows(), 1):
            yield where, (*row, f"t{n}")


class _CSV(_Reader):
    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with open(file, encoding="utf-8-sig", newline="") as lines:
                self.columns = tuple(next(csv.reader(lines), ()))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Usage(f"{file}: not a UTF-8 CSV file ({error})") from None
        if not self.columns:
            raise Usage(f"{file}: is empty; expected a line with the names of the columns")
        if len(set(self.columns)) != len(self.columns) or not all(self.columns):
            raise Usage(f"{file}, line 1: expected different, non-empty column names")

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        width = len(self.columns)
        with open(self._file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            next(reader, None)
            try:
                for row in reader:
                    if len(row) != width:
                        if not row:
                            continue  # an empty line
                        raise Usage(f"{self._file}, line {reader.line_num}: {len(row)} cells; expected {width}")
                    yield reader.line_num, row
            except (UnicodeDecodeError, csv.Error) as error:
                raise Usage(f"{self._file}, near line {reader.line_num}: {error}") from None


class _JSONL(_Reader):
    def __init__(self, file: Path) -> None:
        self._file = file
        first = next(self._objects(), None)
        if first is None:
            raise Usage(f"{file}: is empty; expected one JSON object a line")
        self.columns = tuple(first[1])

    def _objects(self) -> Iterator[tuple[int, dict]]:
        with open(self._file, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise Usage(f"{self._file}, line {number}: not valid JSON ({error})") from None
                if not isinstance(row, dict):
                    raise Usage(f"{self._file}, line {number}: expected a JSON object")
                yield number, row

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        for number, row in self._objects():
            try:
                values = [row[column] for column in self.columns]
            except KeyError as error:
                raise Usage(f"{self._file}, line {number}: no key {error}; the first line has it") from None
            yield number, [v if isinstance(v, str) else orjson.dumps(v).decode() for v in values]

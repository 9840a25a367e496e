"""experiment.toml → Experiment; what is wrong in it is said with file, key and what was expected."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.data.opened import reader_of
from common.experiment.data.reader import Said
from common.experiment.data.where import Where
from common.experiment.grid import Experiment, Persona, Texts
from common.experiment.prompt import Prompt
from common.experiment.questions import read_questions
from common.nouns import Question
from common.text import one_line

MOST_LONGER = 1000  # times; how much longer an answer that was cut off may be the second time
MOST = 1_000_000_000  # no count, cap or figure of an experiment is larger, and everything that is made of them stays finite


def _shown(value: object) -> str:
    """A value as a message names it; an integer may be too long even to be printed."""
    try:
        return one_line(repr(value), 60)
    except ValueError:
        return "a number of thousands of digits"


class _Table:
    """A TOML table whose keys are taken with their type; what is wrong or left over is said with file and key."""

    def __init__(self, path: Path, row: object, where: str) -> None:
        if not isinstance(row, dict):
            raise InputError(f"{path}: {where}: expected a table")
        self._path, self._row, self._where = path, dict(row), where

    def fail(self, key: str, message: str) -> InputError:
        return InputError(f"{self._path}: {self._where}{'.' if self._where else ''}{key}: {message}")

    def take(self, key: str, kind: type, expected: str, default: object = ...) -> object:
        if key not in self._row:
            if default is ...:
                raise self.fail(key, f"missing; expected {expected}")
            return default
        value = self._row.pop(key)
        if kind is float and type(value) is int and abs(value) <= MOST:
            value = float(value)
        if (type(value) is not kind and kind is not object) or (kind is float and not abs(value) <= MOST):  # nan is not below anything
            raise self.fail(key, f"is {_shown(value)}; expected {expected}")
        return value

    def text(self, key: str, expected: str = "a text", default: object = ...) -> str:
        value = self.take(key, str, expected, default)
        if default is ... and not value.strip():
            raise self.fail(key, f"is empty; expected {expected}")
        return value

    def count(self, key: str, default: object = ...) -> int:
        value = self.take(key, int, "a whole number above 0", default)
        if value is not None and not 1 <= value <= MOST:
            raise self.fail(key, f"is {_shown(value)}; expected a whole number above 0, and at most {MOST:,}")
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
    """Read an experiment (a folder or its experiment.toml). Raises InputError with file, key and what was expected."""
    file = path / "experiment.toml" if path.is_dir() else path
    try:
        table = _Table(file, tomllib.loads(file.read_bytes().decode("utf-8")), "")
    except FileNotFoundError:
        raise InputError(
            f"{file}: no such experiment; expected a folder with an experiment.toml (see experiments/)"
        ) from None
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:  # also a number or a nesting beyond Python's bounds
        raise InputError(f"{file}: not valid TOML: {one_line(error, 200)}") from None
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
        reasoning_max_tokens=table.count("reasoning_max_tokens", min(8 * max_tokens, MOST)),
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
        Prompt(experiment.system, persona.keys, experiment.texts.columns, file, "prompt.system")
        Prompt(experiment.user, persona.keys, experiment.texts.columns, file, "prompt.user")
    return experiment


def _factor(table: _Table) -> float | None:
    factor = table.take("cut_off_factor", float, f"a number above 1, at most {MOST_LONGER}", None)
    if factor is not None and not 1 < factor <= MOST_LONGER:
        raise table.fail("cut_off_factor", f"is {factor:g}; expected a number above 1, at most {MOST_LONGER}")
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
            raise InputError(f"{path}: {key}: id {name!r} is used twice")
        seen.add(name)


def _personas(path: Path, table: _Table) -> tuple[Persona, ...]:
    found = []
    for row in _rows(table, "persona", path):
        identifier, name = _identifier(row), row.text("name")
        temperature = row.take("temperature", float, "a number from 0 to 2", None)
        if temperature is not None and not 0 <= temperature <= 2:
            raise row.fail("temperature", f"is {temperature}; expected a number from 0 to 2")
        keys = {"id": identifier, "name": name, **{key: str(value) for key, value in row.rest().items()}}
        found.append(Persona(identifier, name, temperature, keys))
    _distinct(path, "persona", (p.id for p in found))
    return tuple(found)


def _questions(path: Path, table: _Table) -> tuple[Question, ...]:
    answer = _Table(path, table.take("answer", dict, "a table", {}), "answer")
    found = read_questions(answer, _rows(table, "question", path, ()), path.parent, _identifier)
    _distinct(path, "question", (q.id for q in found))
    return found


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
        found.append(
            {"id": identifier, "title": title or identifier, "text": _read(file), "modifier": repr(modifier), **extra}
        )
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
        raise InputError(f"{file}: cannot be read as UTF-8 text ({error})") from None
    if not text.strip():
        raise InputError(f"{file}: is empty; expected the text that is asked about")
    return text


def _data(path: Path, table: _Table) -> Texts:
    file = _inside(path, table)
    id_column, modifier = table.text("id", "the column of the text id", ""), table.text("modifier", "a column", "")
    said = Said(*(table.text(key, "a text", "") for key in ("delimiter", "encoding", "sheet")))
    condition = table.text("where", "a condition such as \"lang == 'ja'\"", "")
    table.done()
    reader = reader_of(file, said, table.fail)
    for key, column in (("id", id_column), ("modifier", modifier)):
        if column and column not in reader.columns:
            raise table.fail(key, f"no column {column!r} in {file}; it has {', '.join(reader.columns)}")
    columns, rows = reader.columns, reader.rows
    if not id_column:
        columns, rows = (*columns, ""), reader.numbered  # no column is called "", so no prompt can name it
    bound = f" {id_column} {modifier}{reader.identity}"
    if condition.strip():
        where, every = Where(condition, reader.columns, partial(table.fail, "where")), rows
        rows, bound = lambda: where.narrow(every()), f"{bound} where {where.identity}"
    digest, former = reader.digests()
    return Texts(
        file,
        columns,
        columns.index(id_column),
        columns.index(modifier) if modifier else None,
        rows,
        digest + bound,
        tuple(earlier + bound for earlier in former),
    )

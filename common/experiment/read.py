"""experiment.toml → Experiment; what is wrong in it is said with file, key and what was expected."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.caching import WAYS
from common.experiment.checks import check_experiment
from common.experiment.data.chained import Chained, of_run
from common.experiment.data.opened import reader_of
from common.experiment.data.reader import FileFormat, Reader
from common.experiment.data.where import Where
from common.experiment.experiment import Experiment, Texts
from common.experiment.factors import read_factors, read_personas
from common.experiment.keys import MOST, Table, distinct, keyed
from common.experiment.parameters import read_parameters
from common.experiment.questions import read_questions
from common.experiment.rules import read_rules
from common.nouns import Question
from common.text import one_line

NAME = "a short name of a-z, 0-9 and -"
MOST_LONGER = 1000  # times; how much longer an answer that was cut off may be the second time


def load(path: Path, results: Path | None = None) -> Experiment:
    """Read an experiment (a folder or its experiment.toml). Raises InputError with file, key and what was expected.

    `results`: where an earlier run is looked for whose answers are the texts.
    """
    file = path / "experiment.toml" if path.is_dir() else path
    table = _table(file)
    name = table.text("name", NAME)
    if not check_name(name):
        raise table.fail("name", f"is {name!r}; expected {NAME}")
    max_tokens = table.count("max_tokens")
    only, skip = read_rules(table)
    prompts = _prompts(table.table("prompt", expected="a table with system and user"))
    sources = [prompts["system"], prompts["user"], *prompts["files"], *(text for _, text in prompts["turns"])]
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
        prompt_caching=_caching(table),
        **prompts,
        personas=read_personas(table, needed=any("{persona." in text for text in sources)),
        factors=read_factors(table),
        parameters=read_parameters(table.table("request", None)),
        only=only,
        skip=skip,
        columns=table.texts("columns", 'a list of names such as ["*", "persona.age"]') if table.has("columns") else None,
        questions=_questions(table),
        texts=_texts(table, results, needed=any("{text}" in text for text in sources)),
    )
    table.done()
    check_experiment(experiment)
    return experiment


def check_name(name: str) -> bool:
    """Whether an experiment may be called so."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name) is not None


def _table(file: Path) -> Table:
    try:
        return Table(file, tomllib.loads(file.read_bytes().decode("utf-8")), "")
    except FileNotFoundError:
        raise InputError(f"{file}: no such experiment; expected a folder with an experiment.toml (see experiments/)") from None
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:  # also a number or a nesting beyond Python's bounds
        raise InputError(f"{file}: not valid TOML: {one_line(error, 200)}") from None


def _factor(table: Table) -> float | None:
    factor = table.take("cut_off_factor", float, f"a number above 1, at most {MOST_LONGER}", None)
    if factor is not None and not 1 < factor <= MOST_LONGER:
        raise table.fail("cut_off_factor", f"is {factor:g}; expected a number above 1, at most {MOST_LONGER}")
    return factor


def _caching(table: Table) -> str:
    way = table.text("prompt_caching", "off, on or primed", default="off")
    if way not in WAYS:
        raise table.fail("prompt_caching", f"is {way!r}; expected off, on or primed")
    return way


def _prompts(table: Table) -> dict[str, object]:
    """system, turns, user and files of [prompt]; without a user prompt, the last message is it."""
    system, user = _prompt(table, "system", ""), _prompt(table, "user") if table.has("user") else _prompt(table, "user", "")
    turns = [_turn(row) for row in table.tables("message", ())]
    if not user and turns and turns[-1][0] == "user":
        user = turns.pop()[1]
    if not user:
        raise table.fail("user", "missing; expected a text, user_file, or a last [[prompt.message]] of the user")
    files = table.texts("files", 'a list such as ["{image}"]')
    table.done()
    return {"system": system, "user": user, "turns": tuple(turns), "files": files}


def _prompt(table: Table, key: str, default: object = ...) -> str:
    """A prompt, written here or in a file beside the experiment."""
    if not table.has(f"{key}_file"):
        return table.text(key, default=default)
    if table.has(key):
        raise table.fail(key, f"stands beside {key}_file; expected one of the two")
    return _read(_inside(table, f"{key}_file"))


def _turn(row: Table) -> tuple[str, str]:
    role = row.text("role", "user or assistant")
    if role not in ("user", "assistant"):
        raise row.fail("role", f"is {role!r}; expected user or assistant (a system prompt stands in prompt.system)")
    text = _read(_inside(row)) if row.has("file") else row.text("content", "a text, or file = a path")
    row.done()
    return role, text


def _questions(table: Table) -> tuple[Question, ...]:
    found = read_questions(table.table("answer", {}), table.tables("question", ()), table.path.parent)
    distinct(table.path, "question", (q.id for q in found))
    return found


def _texts(table: Table, results: Path | None, needed: bool) -> Texts:
    """What is asked about: [data], [[text]], or where neither is there nor needed, one text "t1" of which nothing is said."""
    data = table.table("data", None)
    if data is not None:
        if table.has("text"):
            raise table.fail("data", "stands beside [[text]]; expected one of the two")
        return _data(data, results)
    path, found = table.path, []
    if not needed and not table.has("text"):
        return Texts(path, ("id",), 0, None, lambda: iter([(1, ("t1",))]), "")
    for row in table.tables("text"):
        identifier, title = row.identifier(), row.text("title", default="")
        file = _inside(row)
        modifier = row.take("modifier", float, "a number", 0.0)
        found.append(
            {"id": identifier, "title": title or identifier, "text": _read(file), "modifier": repr(modifier), **keyed(row)}
        )
    distinct(path, "text", (row["id"] for row in found))
    columns = tuple(dict.fromkeys(key for row in found for key in row))
    values = [(n, tuple(row.get(column, "") for column in columns)) for n, row in enumerate(found, 1)]
    digest = hashlib.sha256(orjson.dumps([columns, values])).hexdigest()
    return Texts(path, columns, 0, columns.index("modifier"), lambda: iter(values), digest)


def _inside(table: Table, key: str = "file") -> Path:
    name = table.text(key, "a path beside experiment.toml")
    file = table.path.parent / name
    if "\0" in name or not file.is_file():
        raise table.fail(key, f"{name!r} does not exist in {table.path.parent}")
    return file


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8-sig").strip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 text ({error})") from None
    if not text.strip():
        raise InputError(f"{file}: is empty; expected a text")
    return text


def _data(table: Table, results: Path | None) -> Texts:
    if table.has("run"):
        return _chained(table, results)
    file = _inside(table)
    id_column, modifier = table.text("id", "the column of the text id", ""), table.text("modifier", "a column", "")
    said = FileFormat(*(table.text(key, "a text", "") for key in ("delimiter", "encoding", "sheet")))
    condition = table.text("where", "a condition such as \"lang == 'ja'\"", "")
    table.done()
    reader = reader_of(file, said, table.fail)
    return _rows_of(table, file, reader, id_column, modifier, condition)


def _chained(table: Table, results: Path | None) -> Texts:
    """The answers of an earlier run, each under its custom_id."""
    name = table.text("run", "the name of a run or of an experiment")
    if table.has("file"):
        raise table.fail("file", "stands beside run; expected one of the two")
    if results is None:
        raise table.fail("run", "is looked for in a results folder, and this command has none")
    id_column, modifier = table.text("id", "the column of the text id", Chained.id_column), table.text("modifier", "a column", "")
    condition = table.text("where", "a condition such as \"persona == '1'\"", "")
    table.done()
    reader = of_run(results, name, table.fail)
    found = _rows_of(table, reader.file, reader, id_column, modifier, condition)
    return replace(found, chained=reader.run, left_out=reader.left_out, simulated=reader.simulated)


def _rows_of(table: Table, file: Path, reader: Reader, id_column: str, modifier: str, condition: str) -> Texts:
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

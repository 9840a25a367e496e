"""The questions of experiment.toml → Question, what is wrong in them said with file and key; and their columns in results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, replace
from pathlib import Path

import orjson

from common.experiment.choices import Spellings, light
from common.experiment.keys import Table
from common.experiment.schema import field_type, validator
from common.nouns import Question
from common.text import one_line

TYPES = ("number", "integer", "choice", "choices", "yes_no", "text", "json")
JOIN = "; "  # between the choices of one answer
_ONLY_OF = {
    "min": TYPES[:2], "max": TYPES[:2], "choices": TYPES[2:4], "schema": TYPES[6:], "fields": TYPES[6:],
    "gold": ("choice", "yes_no", "integer"),
}  # fmt: skip
_EXPECTED = 'a list of texts or of { is = "…", also = ["…"] }'


class Prose(str):
    """The type of a column of text whose cells are long or seldom the same."""


def read_questions(answer: Table, rows: Iterable[Table], folder: Path) -> tuple[Question, ...]:
    """The questions of [[question]] tables, asked as [answer] says. Raises InputError with file, key and what was expected.

    `folder`: where schema files lie.
    """
    labels = answer.text("value", default="value"), answer.text("reason", default="reason")
    form = answer.text("format", "text or json", "text")
    if form not in ("text", "json"):
        raise answer.fail("format", f"is {form!r}; expected text or json")
    answer.done()
    found: list[Question] = []
    for row in rows:
        found.append(_question(row, labels, form, folder))
        row.done()
        _clash(row, found)
    return tuple(found)


def _clash(row: Table, found: list[Question]) -> None:
    """Refuse a question that would share a column of the results, or a key of an answer, with another one."""
    *others, new = found
    if new.id in {q.id for q in others}:
        return  # said by who looks at ids
    for names in (_columns, _keys) if new.form == "json" else (_columns,):
        mine, taken = names(new), {name for question in others for name in names(question)}
        for name in mine:
            if name in taken or mine.count(name) > 1:
                raise row.fail("id", f"makes a second {name!r} in the results or answers; expected another id, name or field")


def _columns(question: Question) -> list[str]:
    return [name for name, _ in question_columns(question)]


def _keys(question: Question) -> list[str]:
    return [question.id] + [f"{question.id}_reason"] * (question.reason != "no")


def _question(row: Table, labels: tuple[str, str], form: str, folder: Path) -> Question:
    typed = row.has("type")
    own_id, name, kind = row.identifier(), row.text("name"), row.text("type", ", ".join(TYPES), "number")
    if kind not in TYPES:
        raise row.fail("type", f"is {kind!r}; expected {', '.join(TYPES[:-1])} or {TYPES[-1]}")
    for key, kinds in _ONLY_OF.items():
        if row.has(key) and kind not in kinds:
            raise row.fail(key, f"stands in a question of type {kind}; it goes with type = {' or '.join(kinds)}")
    reason = _reason(row, typed)
    schema = _schema(row, form, folder) if kind == "json" else ""
    choices = _choices(row, kind) if kind in ("choice", "choices") else ()
    fields = _fields(row) if kind == "json" else ()
    gold = row.text("gold", "a column of the data", "")
    return Question(own_id, name, *_range(row, kind), *labels, kind, choices, reason, schema, fields, form, gold)


def _range(row: Table, kind: str) -> tuple[float, float]:
    low, high = row.take("min", float, "a number", 0.0), row.take("max", float, "a number", 100.0)
    if low >= high:
        raise row.fail("max", f"is {high:g}; expected more than min ({low:g})")
    if kind == "integer" and not (low.is_integer() and high.is_integer()):
        raise row.fail("min" if not low.is_integer() else "max", "is no whole number; expected one in a question of type integer")
    return low, high


def _reason(row: Table, typed: bool) -> str:
    """Whether a reason is asked for: without a type always, as ever; else only where it is said."""
    expected = 'true, false or "optional"'
    value = row.take("reason", object, expected, typed is False)
    if value not in (True, False, "optional") or type(value) is int:
        raise row.fail("reason", f"is {one_line(repr(value), 60)}; expected {expected}")
    return value if value == "optional" else "yes" if value else "no"


def _choices(row: Table, kind: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    given = row.take("choices", list, _EXPECTED)
    found = []
    for one in given:
        if isinstance(one, dict) and {"is"} <= one.keys() <= {"is", "also"}:
            name, also = one["is"], one.get("also", [])
        else:
            name, also = one, []
        if not (isinstance(also, list) and all(isinstance(word, str) and light(word) for word in (name, *also))):
            raise row.fail("choices", f"holds {one_line(repr(one), 60)}; expected {_EXPECTED}")
        if kind == "choices" and JOIN.strip() in name:
            raise row.fail("choices", f"{name!r} holds {JOIN.strip()!r}, which stands between choices in the results")
        found.append((name, tuple(also)))
    if len(found) < 2 or len({name for name, _ in found}) < len(found):
        raise row.fail("choices", "expected at least two, and each once")
    try:
        Spellings(found)
    except ValueError as error:
        raise row.fail("choices", str(error)) from None
    return tuple(found)


def _schema(row: Table, form: str, folder: Path) -> str:
    if not row.has("schema"):
        if form == "json":
            raise row.fail("schema", 'missing; with [answer] format = "json" a question of type json needs one')
        return ""
    name = row.text("schema", "a JSON Schema file beside experiment.toml")
    try:
        schema = orjson.dumps(orjson.loads((folder / name).read_bytes())).decode()
    except OSError as error:
        raise row.fail("schema", f"{name!r} cannot be read in {folder}: {error.strerror}") from None
    except ValueError as error:
        raise row.fail("schema", f"{name!r} is not valid JSON: {one_line(error, 100)}") from None
    try:
        validator(schema)
    except ValueError as error:
        raise row.fail("schema", f"{name!r} is not a valid JSON Schema: {one_line(error, 150)}") from None
    return schema


def _fields(row: Table) -> tuple[str, ...]:
    given = row.take("fields", list, 'a list of names such as "title" or "author.name"', [])
    if not all(isinstance(one, str) and all(one.split(".")) for one in given) or len(set(given)) < len(given):
        raise row.fail("fields", 'expected a list of names such as "title" or "author.name", each once')
    return tuple(given)


def asked_of(question: Question) -> list:
    """What of a question decides what is asked and how answers are read, for digests; plain numbers as ever, in six fields."""
    found = list(astuple(replace(question, gold="")))[:-1]
    return found[:6] if found == list(astuple(Question(*found[:6])))[:-1] else found


_KINDS = {"number": float, "integer": int, "text": Prose, "json": Prose}


def question_columns(question: Question) -> tuple[tuple[str, type], ...]:
    """(name, type) of a question's columns: value, reason where one is asked for, the form that matched, and fields."""
    name = f"{question.id}_{question.name}"
    reason = ((f"{name}_reason", Prose),) if question.reason != "no" else ()
    fields = ((f"{question.id}_{path}", field_type(question.schema, path)) for path in question.fields)
    return ((name, _KINDS.get(question.type, str)), *reason, (f"{name}_pattern", str), *fields)

"""Fields of JSON values as cells of their own columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from common.experiment.schema import field_type
from common.nouns import Question
from common.results.loose_json import dumped, value_at

_LARGEST = 2**63


def field_cells(question: Question, values: Sequence[str | None]) -> list[list]:
    """One column for each of the question's fields, of values as JSON text; None where a value has no such field."""
    read = [None if value is None else value_at(value, 0)[0] for value in values]
    makers = [(path.split("."), _CELLS[field_type(question.schema, path)]) for path in question.fields]
    return [[make(_at(value, names)) for value in read] for names, make in makers]


def _at(value: object, names: Sequence[str]) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _int(value: object) -> int | None:
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -_LARGEST <= value < _LARGEST else None


def _float(value: object) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else None


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else dumped(value)


_CELLS: dict[type, Callable[[object], object]] = {
    int: _int, float: _float, str: _text, bool: lambda value: value if isinstance(value, bool) else None,
}  # fmt: skip

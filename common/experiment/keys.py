"""Tables of experiment.toml, whose keys are taken one by one with their type; what is wrong is said with file and key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import InputError
from common.text import one_line

MOST = 1_000_000_000  # no count, cap or figure of an experiment is larger, and everything that is made of them stays finite


def in_message(value: object) -> str:
    """A value as a message names it; an integer may be too long even to be printed."""
    try:
        return one_line(repr(value), 60)
    except ValueError:
        return "a number of thousands of digits"


class Table:
    """A TOML table. Each `take…` raises InputError for a value of another kind, `done` for a key that nobody took."""

    def __init__(self, path: Path, row: object, where: str) -> None:
        if not isinstance(row, dict):
            raise InputError(f"{path}: {where}: expected a table")
        self.path, self._row, self.where = path, dict(row), where

    def fail(self, key: str, message: str) -> InputError:
        """What is wrong with a key, as an error to raise."""
        return InputError(f"{self.path}: {self.where}{'.' if self.where and key else ''}{key}: {message}")

    def take(self, key: str, kind: type, expected: str, default: object = ...) -> object:
        """The value of a key; one without a default must be there."""
        if key not in self._row:
            if default is ...:
                raise self.fail(key, f"missing; expected {expected}")
            return default
        value = self._row.pop(key)
        if kind is float and type(value) is int and abs(value) <= MOST:
            value = float(value)
        if (type(value) is not kind and kind is not object) or (kind is float and not abs(value) <= MOST):  # nan is not below anything
            raise self.fail(key, f"is {in_message(value)}; expected {expected}")
        return value

    def text(self, key: str, expected: str = "a text", default: object = ...) -> str:
        """A text; one without a default is not empty."""
        value = self.take(key, str, expected, default)
        if default is ... and not value.strip():
            raise self.fail(key, f"is empty; expected {expected}")
        return value

    def count(self, key: str, default: object = ...) -> int:
        """A whole number above 0."""
        value = self.take(key, int, "a whole number above 0", default)
        if value is not None and not 1 <= value <= MOST:
            raise self.fail(key, f"is {in_message(value)}; expected a whole number above 0, and at most {MOST:,}")
        return value

    def temperature(self) -> float | None:
        """The key `temperature`; None where it is not there."""
        value = self.take("temperature", float, "a number from 0 to 2", None)
        if value is not None and not 0 <= value <= 2:
            raise self.fail("temperature", f"is {value}; expected a number from 0 to 2")
        return value

    def texts(self, key: str, expected: str) -> tuple[str, ...]:
        """A list of texts, or one text alone; empty where the key is not there."""
        given = self.take(key, object, expected, [])
        given = [given] if isinstance(given, str) else given
        if not (isinstance(given, list) and all(isinstance(one, str) and one.strip() for one in given)):
            raise self.fail(key, f"is {in_message(given)}; expected {expected}")
        return tuple(given)

    def identifier(self, key: str = "id") -> str:
        """An id: visible characters without blanks around them."""
        value = self.text(key, "a short id")
        if not value.isprintable() or value != value.strip():
            raise self.fail(key, f"is {value!r}; expected visible characters")
        return value

    def table(self, key: str, default: object = ..., expected: str = "a table") -> Table | None:
        """A table within this one; None where it is not there and need not be."""
        value = self.take(key, dict, expected, default)
        return None if value is None else Table(self.path, value, f"{self.where}{'.' if self.where else ''}{key}")

    def tables(self, key: str, default: object = ...) -> Iterator[Table]:
        """The tables of an array; without a default there must be one."""
        name = f"{self.where}.{key}" if self.where else key
        rows = self.take(key, list, f"at least one [[{name}]]", default)
        if default is ... and not rows:
            raise self.fail(key, f"is empty; expected at least one [[{name}]]")
        return (Table(self.path, row, f"{name}[{n}]") for n, row in enumerate(rows or (), 1))

    def names(self) -> list[str]:
        """The keys that are still to be taken."""
        return [*self._row]

    def has(self, key: str) -> bool:
        """Whether a key is still to be taken."""
        return key in self._row

    def rest(self) -> dict[str, object]:
        """All keys that nobody took, taken."""
        rest, self._row = self._row, {}
        return rest

    def done(self) -> None:
        """Refuse the first key that nobody took."""
        for key in self._row:
            raise self.fail(key, "unknown key; see docs/experiments.md for those that exist")


def distinct(path: Path, key: str, ids: Iterable[str]) -> None:
    """Raise InputError for an id that is used twice."""
    seen = set()
    for name in ids:
        if name in seen:
            raise InputError(f"{path}: {key}: id {name!r} is used twice")
        seen.add(name)


def keyed(table: Table) -> dict[str, str]:
    """All further keys of a table, as prompts and results show them."""
    found = {}
    for key, value in table.rest().items():
        if not isinstance(value, (str, int, float)) or not key.isprintable() or not key.strip():
            raise table.fail(key, f"is {in_message(value)}; expected a text or a number")
        found[key] = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return found

"""Rows of a TOML table as frozen data; a key that is misspelt or missing is said, never passed over."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TypeVar

from common.errors import InputError

Kind = TypeVar("Kind")


def load(path: Path) -> dict:
    """The tables of a TOML file. Raises InputError where it is none."""
    with open(path, "rb") as file:
        try:
            return tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: {error}") from None


def build(kind: type[Kind], row: dict, where: str) -> Kind:
    """A dataclass from a row. Raises InputError for a key that it does not have, or one that it needs."""
    known = {field.name: field for field in fields(kind)}
    needed = {name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING}
    wrong = [f"no {name}" for name in known if name in needed - row.keys()]
    wrong += [f"unknown key {name!r}" for name in row if name not in known]
    if wrong:
        raise InputError(f"{where}: {', '.join(wrong)}")
    return kind(**row)

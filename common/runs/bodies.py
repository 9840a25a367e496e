"""The bodies of the journal's rows → runs and shards; one that is garbled is said, never guessed."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from pathlib import Path

import orjson

from common.errors import InputError
from common.nouns import Pause, Run, Shard, State
from common.text import one_line

_MISREAD = (ValueError, TypeError, LookupError, AttributeError)  # what a garbled body makes of reading it


def _garbled(key: str, error: Exception) -> InputError:
    said = f"run {key}: its row in journal.db is garbled ({one_line(error, 80)})"
    return InputError(f"{said}; restore a backup, or move journal.db aside and type: make adopt")


def run_of(key: str, body: bytes, results: Path) -> Run:
    """The run of a row. Raises InputError where it is garbled."""
    try:
        row = orjson.loads(body)
        row |= {"models": tuple(row["models"]), "paused_by": Pause(row["paused_by"]), "folder": results / row["folder"]}
        return Run(**_known(Run, row))
    except _MISREAD as error:
        raise _garbled(key, error) from None


def shard_of(key: str, body: bytes, folder: Path) -> Shard:
    """The shard of a row; its file lies in `folder`. Raises InputError where it is garbled."""
    try:
        row = _known(Shard, orjson.loads(body))
        row.setdefault("unproven", row.get("adopted", False))  # of an earlier version, which did not tell the two apart
        row |= {"problems": tuple(row["problems"]), "path": folder / row["path"], "state": State(row["state"])}
        return Shard(**row)
    except _MISREAD as error:
        raise _garbled(key, error) from None


def facts_of(key: str, body: bytes) -> dict:
    """What a row notes of a shard, as it stands there: a tenth of the time of `shard_of`, for sums over many. Raises InputError."""
    try:
        row = orjson.loads(body)
        row["state"], row["count"], row["attempt"]  # what every version has noted
        return row
    except _MISREAD as error:
        raise _garbled(key, error) from None


@cache
def _names(kind: type) -> frozenset[str]:
    return frozenset(f.name for f in fields(kind))


def _known(kind: type, row: dict) -> dict:
    """Without what an older version of the program has noted and this one does not know."""
    names = _names(kind)
    return row if row.keys() <= names else {key: value for key, value in row.items() if key in names}

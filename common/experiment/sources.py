"""Which files an experiment is made of: its experiment.toml and those that it names."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from common.experiment.experiment import Experiment

# table and key that names a file
NAMED_BY = (
    ("prompt", "system_file"), ("prompt", "user_file"), ("message", "file"), ("text", "file"), ("data", "file"), ("question", "schema"),
)  # fmt: skip


def files_of(experiment: Experiment) -> list[Path]:
    """The experiment.toml first, then each file that it names, once, in its order. Raises OSError where it is gone."""
    table = tomllib.loads(experiment.path.read_text(encoding="utf-8-sig"))
    prompt = table.get("prompt", {})
    tables = {**table, "prompt": prompt, "message": prompt.get("message", ())}
    named = (experiment.path.parent / name for where, key in NAMED_BY for name in _names(tables.get(where, ()), key))
    return list(dict.fromkeys((experiment.path, *named)))


def data_file(experiment: Experiment) -> Path | None:
    """The data set of an experiment that has one: the only one of its files that may be too large to be copied."""
    return experiment.texts.source if experiment.texts.source != experiment.path else None


def _names(rows: object, key: str) -> Iterator[str]:
    for row in [rows] if isinstance(rows, dict) else rows:
        if isinstance(row, dict) and isinstance(row.get(key), str):
            yield row[key]

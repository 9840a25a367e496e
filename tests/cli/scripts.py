"""Owns what tests know of the four scripts: their files, a living model of each, exit codes, and what a run leaves."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.basics import SCRIPTS

FILE = {name: f"{module}.py" for name, module in SCRIPTS.items()}
MODEL = {"openai": "gpt-4.1", "claude": "claude-haiku-4-5", "deepseek": "deepseekv3", "llama": "llama4-scout"}
CREATE_CALL = {"openai": "batches.create", "claude": "messages.batches.create"}
OK, UNFINISHED, INPUT, REFUSED, DETACHED = 0, 1, 2, 3, 130


def table(folder: Path) -> list[dict]:
    """The rows of a run's table."""
    with open(folder / "results.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def only_run(results: Path, script: str) -> Path:
    """The folder of a script's only run."""
    (folder,) = [path for path in (results / script).iterdir() if path.name != "batch_results"]
    return folder

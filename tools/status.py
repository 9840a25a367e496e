"""make status [ID=…]: where a batch or run stands, whichever script made it; without an ID, all runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from common import cli
from common.cli import tool
from common.cli.text import table
from common.errors import InputError
from common.nouns import Run
from common.runs.journal import Journal

SCRIPTS = {
    "openai": "openai_example",
    "claude": "claude_example",
    "deepseek": "deepseek_batch_example",
    "llama": "llama_batch_example",
}


def main(arguments: list[str], results: Path) -> int:
    """Find the script that knows the ID and let it answer; returns the exit code."""
    with tool.journal_of(results) as journal:
        if not arguments:
            print(_all(journal))
            return 0
        name, *more = arguments
        run = _owner(journal, name)
    local = ["--local"] if run.address == "local" else []
    return cli.main(_script(run), ["--status", name, *local, *more])


def _script(run: Run) -> cli.Script:
    """The script that made a run; for one of a person's own, as much of it as a look needs."""
    if run.provider in SCRIPTS:
        return importlib.import_module(SCRIPTS[run.provider]).SCRIPT
    return cli.Script(f"{run.provider}_example.py", run.provider, run.host, (), needs_batch=True)


def _owner(journal: Journal, name: str) -> Run:
    """The run of that name, or that batch's. Raises InputError when there is none."""
    if owner := journal.owner(name):
        return owner[0]
    for run in journal.runs():
        if run.name == name:
            return run
    raise InputError(f"no run or batch {name!r} in this results folder; make status lists the runs")


def _all(journal: Journal) -> str:
    rows = [
        (run.provider, run.name, f"{run.planned:,}", ", ".join(f"{n} {state}" for state, n in journal.states(run).items()), run.paused)
        for run in journal.runs()
    ]
    return table(("provider", "run", "requests", "batches", ""), rows)


if __name__ == "__main__":
    sys.exit(tool.run(lambda results: main(sys.argv[1:], results), "make status"))

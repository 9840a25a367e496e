"""make status [ID=…]: where a batch or run stands, whichever script made it; without an ID, all runs."""

from __future__ import annotations

import importlib
import sys

from common import cli, settings
from common.cli.exits import INPUT, fail, guarded
from common.cli.text import table
from common.nouns import Run
from common.runs.journal import Journal

SCRIPTS = {
    "openai": "openai_example",
    "claude": "claude_example",
    "deepseek": "deepseek_batch_example",
    "llama": "llama_batch_example",
}


def main(arguments: list[str]) -> int:
    """Find the script that knows the ID and let it answer; returns the exit code."""
    settings.load_env()
    journal = Journal(settings.results_folder(None))
    if not arguments:
        rows = [
            (run.provider, run.name, f"{run.planned:,}", ", ".join(f"{n} {state}" for state, n in journal.states(run).items()), run.paused)
            for run in journal.runs()
        ]
        print(table(("provider", "run", "requests", "batches", ""), rows))
        return 0
    name, *more = arguments
    owner = journal.owner(name)
    run = owner[0] if owner else next((r for r in journal.runs() if r.name == name), None)
    journal.close()
    if run is None:
        return fail(f"no run or batch {name!r} in this results folder; make status lists the runs", INPUT)
    local = ["--local"] if run.address == "local" else []
    return cli.main(_script(run), ["--status", name, *local, *more])


def _script(run: Run) -> cli.Script:
    """The script that made a run; for one of a person's own, as much of it as a look needs."""
    if run.provider in SCRIPTS:
        return importlib.import_module(SCRIPTS[run.provider]).SCRIPT
    return cli.Script(f"{run.provider}_example.py", run.provider, run.host, (), needs_batch=True)


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:]), "make status", "stopped"))

"""What the tools behind make share: the results folder that the environment names, its journal, and the one guard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from common import settings
from common.cli.exits import guarded
from common.errors import InputError
from common.runs.journal import Journal


def run(tool: Callable[[Path], int], typed: str) -> int:
    """The exit code of a tool, which gets the results folder; `typed` is its command, for when it is to be typed again."""

    def work() -> int:
        settings.load_env()
        return tool(settings.results_folder(None))

    return guarded(work, typed, "stopped")


@contextmanager
def journal_of(results: Path) -> Iterator[Journal]:
    """The journal of a results folder, which is not made here. Raises InputError when there is none."""
    if not (results / "journal.db").exists():
        raise InputError(f"{results}: no journal, so no run yet; make demo makes some")
    with closing(Journal(results)) as journal:
        yield journal

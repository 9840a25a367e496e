"""What is there to be looked at: the journal of a folder that must have one, and the run that a name means in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.cli.session import journal_if_any
from common.errors import InputError
from common.maintenance.rebuild import folders
from common.nouns import Run
from common.runs.journal import Journal
from common.text import one_line


@contextmanager
def journal_of(results: Path) -> Iterator[Journal]:
    """The journal of a results folder, which is not made here. Raises InputError when there is none."""
    with journal_if_any(results) as journal:
        if journal is None:
            hint = "but run folders: make adopt makes it anew" if folders(results) else "so no run yet; make demo makes some"
            raise InputError(f"{results}: no journal, {hint}")
        yield journal


def named(journal: Journal, name: str) -> Run:
    """The run of that name (or provider/name), or that batch's. Raises InputError when there is none."""
    if owner := journal.owner(name):
        return owner[0]
    for found in journal.runs():
        if name in (found.name, found.key):
            return found
    raise InputError(f"no run or batch {one_line(name, 80)!r} in this results folder; make status lists the runs")

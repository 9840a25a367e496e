"""The results folder of a command, and the journal in it: to work with, or only to look at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from common import mounts, settings
from common.errors import InputError
from common.maintenance.rebuild import folders
from common.runs.journal import Journal
from common.runs.reading import reading

_told: set[str] = set()  # once per command, though make status goes on as another


def results_folder(option: str | None = None) -> Path:
    """The results folder of a command, after .env has been read; it need not exist. Raises InputError for a file."""
    _warn(settings.load_env())
    folder = settings.results_path(option)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; choose another with --results or RESULTS_DIR")
    _warn(mounts.warning_for(folder))
    return folder


def _warn(warning: str) -> None:
    if warning and warning not in _told:
        _told.add(warning)
        print(f"warning: {warning}", file=sys.stderr, flush=True)


@contextmanager
def journal_if_any(results: Path) -> Iterator[Journal | None]:
    """The journal of a results folder, None where there is none: looking does not make one."""
    if not (results / "journal.db").exists():
        yield None
        return
    with closing(Journal(results)) as journal:
        yield journal


def journal_of(results: Path) -> AbstractContextManager[Journal]:
    """The journal of a results folder, which is not made here. Raises InputError when there is none."""
    _check_there(results)
    return closing(Journal(results))


def looked_at(results: Path) -> AbstractContextManager[Journal]:
    """The same for commands that only read: the folder need not be writable."""
    _check_there(results)
    return reading(results)


def _check_there(results: Path) -> None:
    if not (results / "journal.db").exists():
        hint = "but run folders: make adopt makes it anew" if folders(results) else "so no run yet; make demo makes some"
        raise InputError(f"{results}: no journal, {hint}")

"""The lock of a run: a file lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import InputError
from common.nouns import Run


def check_own(run: Run) -> None:
    """Refuse to work on a run that was imported. Raises InputError."""
    if run.imported:
        raise InputError(f"run {run.name} was imported: it is a record, and nothing is sent for it; --run NAME asks the same anew")


class InWork(InputError):
    """Another process is at work on the run."""


@contextmanager
def hold(run: Run) -> Iterator[None]:
    """Be the one process at work on a run. The kernel frees the lock when its process dies. Raises InWork while held."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with open(run.folder / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip() or "unknown"
            raise InWork(f"run {run.name} is in work by another process (pid {holder}); wait for it or stop it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

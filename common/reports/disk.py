"""How large a results folder is, counted by a thread of its own from time to time, and what is free on its disk."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

LOW = 2e9  # bytes free below which that is said
EVERY = 600.0  # seconds between two counts: a folder may hold a million files


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of a results folder and of what is free on its disk; `used` None: it is still being counted."""

    used: int | None
    free: int


class DiskCount:
    """The size of a folder, counted anew when somebody asks and the last count is old."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._used, self._due, self._lock = folder, None, 0.0, threading.Lock()

    def now(self) -> Disk:
        """What is known now; nobody waits for a count."""
        with self._lock:
            if is_due := time.monotonic() >= self._due:
                self._due = float("inf")
        if is_due:
            threading.Thread(target=self._count, daemon=True).start()
        return Disk(self._used, shutil.disk_usage(self._folder).free)

    def _count(self) -> None:
        self._used = size_of(self._folder)
        self._due = time.monotonic() + EVERY


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder and below it; what goes away or cannot be read while it is counted, counts as nothing."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total

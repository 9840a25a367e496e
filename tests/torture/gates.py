"""Gates that hold a real process before one transaction of its journal, so that an order of two processes is arranged, not hoped for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.basics import wait_for


def hold(gates: Mapping[str, str]) -> None:
    """In the process to be held: before its journal notes the first event of a kind, make that kind's file and wait until it is gone."""
    from common.runs.journal import Journal

    left, record = dict(gates), Journal.record

    def held(self, shard, kind, *args, **kwargs):
        if place := left.pop(kind, ""):
            path = Path(place)
            path.write_text(str(os.getpid()))
            while path.exists():
                time.sleep(0.002)
        return record(self, shard, kind, *args, **kwargs)

    Journal.record = held


@dataclass(frozen=True)
class Gate:
    """One such place, seen from the campaign."""

    path: Path

    def reached(self) -> int:
        """Wait until a process stands there; its process id. Raises AssertionError when none comes: then the trial tried nothing."""
        return int(wait_for(lambda: self.path.exists() and self.path.read_text()))

    def open(self) -> None:
        """Let whoever stands there go on."""
        self.path.unlink(missing_ok=True)

    def kill(self) -> None:
        """kill -9, there and then."""
        os.kill(self.reached(), signal.SIGKILL)
        self.open()

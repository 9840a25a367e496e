"""Bars on a terminal: where a resumed run stands from the first moment on, and an end that earlier batches tell."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest

from common.cli.progress import Progress
from common.nouns import Batch, Event, Run, Shard, State
from common.runs.journal import Journal

RUN = Run("openai/a", "a", "d", "openai", "openai", "https://api.example", "x", "x", Path("none"), 1.0, ("m",), planned=40)
SHARD = Shard(RUN.key, 1, 1, 1, Path("s"), "", 20, 1, 1, 0.1, "m", 64, "t", state=State.COLLECTED, batch_id="b1")


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """A terminal of 120 columns: where it is read, and what it is."""
    reads, writes = pty.openpty()
    os.set_blocking(reads, False)
    fcntl.ioctl(writes, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    with open(writes, "w") as file:
        yield reads, file
    os.close(reads)


def seen(terminal: tuple[int, TextIO]) -> str:
    """What has been written to it since the last look."""
    terminal[1].flush()
    found = b""
    with suppress(BlockingIOError):
        while True:
            found += os.read(terminal[0], 65536)
    return found.decode()


def test_after_a_resume(terminal: tuple[int, TextIO], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bar shows what has come; three earlier batches tell when the one that is out ends; no rate is made up."""
    monkeypatch.setattr("sys.stderr", terminal[1])  # here: around a fixture it is pytest's
    with closing(Journal(tmp_path)) as journal:
        past = [replace(SHARD, n=n, tag=f"t{n}") for n in range(2, 5)]
        events = [(at, one.n, kind, {}) for one in past for at, kind in ((1000.0, "submitting"), (8200.0, "ended"))]
        journal.take_in(replace(RUN, folder=tmp_path / "a"), past, events, [])
        out = replace(SHARD, n=5, root=5, state=State.SUBMITTED, batch_id="b5", intent_at=time.time())
        show = Progress(RUN, [SHARD, out], journal=journal)
        first = seen(terminal)
        show(Event("batch", out, batch=Batch("b5", "in_progress\x1b[2J", ended=False, total=20, succeeded=5)))
        then = seen(terminal)
        show.close()
    assert " 50%|" in first and "20/40 req" in first and " 0%|" not in first
    assert "62%|" in then and "in_progress" in then and "ends in about 2.0 h" in then and "all back in about 2.0 h" in then
    assert "it/s" not in first + then and "?" not in first + then and "\x1b[2J" not in then

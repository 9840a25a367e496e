"""Owns what every test may need: where things are, the four scripts, waiting, and a Python that runs to its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from common.experiment.grid import Asked
from common.nouns import Ask, Condition

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {
    "openai": "openai_example",
    "claude": "claude_example",
    "deepseek": "deepseek_batch_example",
    "llama": "llama_batch_example",
}

MEMORY = Path("/dev/shm")


def work_in_memory() -> None:
    """Let temporary folders of this process and its children lie in memory, where there is room and nobody has named another place.

    Journals and services sync after every step. Nothing here cuts the power, so it proves no more on a disk than in memory: there
    it takes a third less processor time, and does not wait for what else the disk is doing.
    """
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4e9:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> object:
    """The value of a condition, once it holds; an AssertionError that names the caller's condition when it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds:g} s in vain for {condition.__qualname__}")


def python(*words: object, **more: object) -> subprocess.CompletedProcess:
    """Run `python words…` from the project's folder to its end, with what it wrote as text; more goes to subprocess.run."""
    asked = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 60, **more}
    return subprocess.run([sys.executable, *map(str, words)], check=False, **asked)


def asked(conditions: Iterable[Condition], trials: int = 1, cap: int = 64) -> list[Asked]:
    """Conditions as a grid gives them, each with its trials."""
    return [Asked(condition, Ask(cap), range(1, trials + 1)) for condition in conditions]

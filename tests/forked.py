"""Owns processes of the local batch service for tests: forked from one that has its imports, else a start is little but those."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__, "tools.batch_server.__main__", "tools.batch_server.serve"])


def service(argv: Sequence[str], env: Mapping[str, str], errors: Path) -> BaseProcess:
    """`python -m tools.batch_server argv…` in this environment; what it writes to stderr is appended to a file."""
    process = FORKS.Process(target=_serve, args=([*argv], {**env}, errors), daemon=True)
    process.start()
    return process


def _serve(argv: list[str], env: dict[str, str], errors: Path) -> None:
    from tools.batch_server.__main__ import main

    os.environ.clear()
    os.environ.update(env)
    with open(errors, "ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.exit(main(argv))

"""Owns the stopwatch: runs a command as a child process and takes its CPU time, wall time and peak memory.

A child is started through a small launcher of its own (this file as a script), because Linux counts the memory of
whoever starts a process towards the peak of the started one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MB = 1_000_000


class Sample(NamedTuple):
    """What one run of a command took: user + system CPU seconds, wall seconds, peak RSS in bytes, and what it said."""

    cpu: float
    wall: float
    rss: int
    code: int
    out: str


class Wrong(Exception):
    """A command failed, or its result is not what it must be: the figures would mean nothing."""


def run(
    command: Sequence[object],
    env: Mapping[str, str] | None = None,
    codes: Sequence[int] = (0,),
    interrupt_after: float | None = None,
) -> Sample:
    """Run a command in the project's folder and measure it. Raises Wrong for an unexpected exit code.

    `env` is added to the environment; `interrupt_after` sends Ctrl-C after so many seconds.
    """
    keep = {key: value for key, value in os.environ.items() if not key.endswith(("_API_KEY", "_BASE_URL"))}
    launcher = [sys.executable, "-I", "-S", __file__, str(interrupt_after or 0), *map(str, command)]
    report, into = os.pipe()
    with subprocess.Popen(
        launcher, cwd=ROOT, env={**keep, "BENCH_REPORT": str(into), **(env or {})}, pass_fds=(into,),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as child:  # fmt: skip
        os.close(into)
        said = child.communicate()[0]
    with open(report) as lines:
        measured = lines.read()
    if not measured:
        raise Wrong(f"{command[0]}: could not be started: {said[-2000:]}")
    sample = Sample(*json.loads(measured), said)
    if sample.code not in codes:
        raise Wrong(f"exit code {sample.code} of {' '.join(map(str, command))}:\n{said[-3000:]}")
    return sample


def python(*arguments: object, **more) -> Sample:
    """`run` with the Python that runs the bench."""
    return run((sys.executable, *arguments), **more)


def interleaved(runs: int, **entries: Callable[[], Sample]) -> dict[str, list[Sample]]:
    """Run each entry `runs` times, taking turns, so that a noisy minute hits all of them alike."""
    found: dict[str, list[Sample]] = {name: [] for name in entries}
    for turn in range(runs):
        order = list(entries) if turn % 2 == 0 else list(reversed(entries))
        for name in order:
            found[name].append(entries[name]())
    return found


def median(samples: Sequence[Sample], of: str = "cpu") -> float:
    """The median of one figure."""
    return statistics.median(getattr(s, of) for s in samples)


def must(condition: object, what: str) -> None:
    """Raise Wrong unless something holds."""
    if not condition:
        raise Wrong(what)


def _launch() -> None:
    after, command = float(sys.argv[1]), sys.argv[2:]
    report = int(os.environ.pop("BENCH_REPORT"))
    os.set_inheritable(report, False)
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell ignores it for what it starts in the background
        os.execvp(command[0], command)
    if after:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, after)
    _, status, used = os.wait4(pid, 0)
    wall = time.monotonic() - begun
    unit = 1 if sys.platform == "darwin" else 1024
    code = os.waitstatus_to_exitcode(status)
    os.write(report, json.dumps([used.ru_utime + used.ru_stime, wall, used.ru_maxrss * unit, code]).encode())


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _launch()

"""Runs commands of the product in real processes that can be killed at any boundary, quickly: imported once, forked often.

Speaks JSON lines on stdin and stdout: {"script", "tool" (of common.cli), "make" (a target) or "python" (true: `python argv…`), "argv",
"env", "kill_at", "without", "jump", "hold" (see gates.py), "timeout"} →
{"code" (negative: killed by that signal), "out", "err", "boundaries"}.
With "start" the answer comes at once: {"pid", "out" (the file of its stdout)}; {"wait": pid, "timeout"} asks for its end.
"""

from __future__ import annotations

import gc
import importlib
import json
import mmap
import os
import random
import runpy
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import IO, NamedTuple

from common import catalog
from common.catalog import vocabulary
from tests.basics import SCRIPTS
from tests.torture import boundaries, clock, gates, sabotage
from tests.torture.world import NOT_SABOTAGED

PARTS = [f"common.cli.{name}" for name in ("commands", "progress", "clean", "several", "rounds", "rescue", "standing", "status")]

HELD: list[object] = []  # children let go of it; to free it page by page would cost each of them more than its whole work


def preload() -> None:
    """Import all that a command may need, so that a fork starts at once."""
    for name in ("anthropic", "openai", "tqdm", "tenacity.asyncio", "arro3.io", "encodings.idna", *SCRIPTS.values(), *PARTS):
        importlib.import_module(name)
    gc.disable()  # each child lives for a moment
    HELD.append(vocabulary.encoder())
    catalog.hosts(), catalog.models()
    # the SDKs import their resources at first use; that once
    sys.modules["openai"].OpenAI(api_key="x", base_url="http://127.0.0.1:9").batches  # noqa: B018
    sys.modules["openai"].OpenAI(api_key="x", base_url="http://127.0.0.1:9").files  # noqa: B018
    sys.modules["anthropic"].Anthropic(api_key="x", base_url="http://127.0.0.1:9").messages.batches  # noqa: B018


class Child(NamedTuple):
    """A command at work, where it counts its boundaries, and its two files."""

    pid: int
    counter: mmap.mmap
    out: IO[bytes]
    err: IO[bytes]


started: dict[int, Child] = {}


def run(job: dict) -> dict:
    """Fork and run one command; wait for its end, or for that of one that was started before."""
    child = started.pop(job["wait"]) if "wait" in job else _begun(job)
    if "start" in job:
        started[child.pid] = child
        return {"pid": child.pid, "out": child.out.name, "code": None}
    with child.out, child.err:
        code = _wait(child.pid, job.get("timeout", 60.0))
        return {"code": code, "boundaries": int.from_bytes(child.counter[:8], "little"), "out": _said(child.out), "err": _said(child.err)}


def _begun(job: dict) -> Child:
    counter, out, err = mmap.mmap(-1, 8), tempfile.NamedTemporaryFile(), tempfile.NamedTemporaryFile()
    pid = os.fork()
    if pid == 0:
        _child(job, counter, out.fileno(), err.fileno())
    return Child(pid, counter, out, err)


def _said(file: IO[bytes]) -> str:
    return Path(file.name).read_text("utf-8", "replace")


def _wait(child: int, timeout: float) -> int:
    end = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1000  # it hung: worse than any exit code
        time.sleep(0.002)


def _child(job: dict, counter: mmap.mmap, out: int, err: int) -> None:
    code = 99
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # behind the former one the next jobs wait
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.update(job.get("env", {}))
        random.seed()
        try:
            sabotage.apply(job.get("without", ()))
        except Exception:  # noqa: BLE001  whatever it is, the safeguard was not taken away
            traceback.print_exc()
            os._exit(NOT_SABOTAGED)
        if "jump" in job:
            clock.jump(*job["jump"])
        gates.hold(job.get("hold", {}))
        boundaries.watch(counter, job.get("kill_at") or 0)
        from common import cli

        if "make" in job:
            code = cli.make(job["make"], job["argv"])
        elif "python" in job:
            code = _python(job["argv"])
        elif "tool" in job:
            code = getattr(cli, job["tool"])(job["argv"])
        else:
            code = cli.main(importlib.import_module(job["script"]).SCRIPT, job["argv"])
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:  # noqa: BLE001  a child must never come back into the parent's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _python(words: list[str]) -> int:
    """What `python [-u] words…` does, a file or -m and a module, in this process."""
    if words[0] == "-u":
        sys.stdout.reconfigure(write_through=True)
        words = words[1:]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
    return 0


def main() -> None:
    """Serve jobs until stdin ends."""
    preload()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

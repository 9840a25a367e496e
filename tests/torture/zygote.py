"""Runs commands of the product in real processes that can be killed at any boundary, quickly: imported once, forked often.

Speaks JSON lines on stdin and stdout: {"script", "tool" (of common.cli) or "make" (a target), "argv", "env", "kill_at", "without",
"jump", "hold" (see gates.py), "timeout"} →
{"code" (negative: killed by that signal), "out", "err", "boundaries"}.
"""

from __future__ import annotations

import gc
import importlib
import json
import mmap
import os
import random
import signal
import sys
import tempfile
import time
import traceback

from common import catalog
from common.catalog.vocabulary import vocabulary
from tests.basics import SCRIPTS
from tests.torture import boundaries, clock, gates, sabotage
from tests.torture.world import NOT_SABOTAGED

PARTS = [f"common.cli.{name}" for name in ("commands", "progress", "clean", "several", "rounds", "rescue", "standing", "status")]

HELD: list[object] = []  # what is let go of where nobody holds it


def preload() -> None:
    """Import all that a command may need, so that a fork starts at once."""
    for name in ("anthropic", "openai", "tqdm", "tenacity.asyncio", "arro3.io", "encodings.idna", *SCRIPTS.values(), *PARTS):
        importlib.import_module(name)
    gc.disable()  # each child lives for a moment
    catalog.hosts(), catalog.models()
    # the SDKs import their resources at first use; that once
    sys.modules["openai"].OpenAI(api_key="x", base_url="http://127.0.0.1:9").batches  # noqa: B018
    sys.modules["openai"].OpenAI(api_key="x", base_url="http://127.0.0.1:9").files  # noqa: B018
    sys.modules["anthropic"].Anthropic(api_key="x", base_url="http://127.0.0.1:9").messages.batches  # noqa: B018
    HELD.append(vocabulary())


def run(job: dict) -> dict:
    """Fork, run one command, wait for its end."""
    counter = mmap.mmap(-1, 8)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _child(job, counter, out.fileno(), err.fileno())
        code = _wait(child, job.get("timeout", 60.0))
        answer = {"code": code, "boundaries": int.from_bytes(counter[:8], "little")}
        for name, file in (("out", out), ("err", err)):
            file.seek(0)
            answer[name] = file.read().decode("utf-8", "replace")
    return answer


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
        elif "tool" in job:
            code = getattr(cli, job["tool"])(job["argv"])
        else:
            code = cli.main(importlib.import_module(job["script"]).SCRIPT, job["argv"])
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 1
    except BaseException:  # noqa: BLE001  a child must never come back into the parent's loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve jobs until stdin ends."""
    preload()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

"""Owns a local batch service in a process of its own: started, asked, weighed and stopped. Its work is not counted."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.measure import ROOT, must

# No row needs a second attempt: one pass is compared.
QUICK = ("--odd-share", "0.05", "--cut-share", "0", "--heal-share", "0", "--refuse-share", "0")


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int
    pid: int
    state: Path

    @property
    def openai(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """The environment of a client of this service."""
        return {
            "OPENAI_BASE_URL": self.openai, "OPENAI_API_KEY": "sk-bench",
            "ANTHROPIC_BASE_URL": self.anthropic, "ANTHROPIC_API_KEY": "sk-ant-bench",
        }  # fmt: skip

    def ask(self, path: str) -> dict:
        """The JSON answer of a GET."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

    def processes(self) -> list[int]:
        """The service's process and its workers."""
        found = [self.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        return found

    def cpu(self) -> float:
        """CPU seconds that its processes have taken so far."""
        return sum(_cpu(pid) for pid in self.processes())

    def peaks(self) -> dict[int, int]:
        """Peak RSS in bytes of each of its processes so far."""
        return {pid: _peak(pid) for pid in self.processes()}


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def service(folder: Path, *options: str, speed: float = 1e6) -> Iterator[Service]:
    """A fresh service; its state is removed at the end."""
    state = folder / "service"
    shutil.rmtree(state, ignore_errors=True)
    command = [sys.executable, "-m", "tools.batch_server", "--quiet", "--port", "0", "--state", str(state), "--speed", str(speed)]
    env = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    with open(folder / "service.log", "ab") as log:
        child = subprocess.Popen([*command, *QUICK, *options], cwd=ROOT, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    here = Service(0, child.pid, state)
    try:
        here = Service(_port(state, child), child.pid, state)
        yield here
    finally:
        _stop(here, child)
        shutil.rmtree(state, ignore_errors=True)


def _stop(here: Service, child: subprocess.Popen) -> None:
    """Stop it, by force when it is in the middle of a large batch: nobody needs its state any more."""
    everything = here.processes()
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        for pid in everything:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.wait(30)


def _port(state: Path, child: subprocess.Popen) -> int:
    for _ in range(600):
        must(child.poll() is None, "the local batch service did not start; see service.log")
        try:
            return json.loads((state / "service.json").read_text())["port"]
        except FileNotFoundError:
            time.sleep(0.05)
    must(False, "the local batch service did not start within 30 s")
    return 0

"""What the tests of Ray need: shards, a model server, and a cluster of node processes that can be killed; all of it ends with the block."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import orjson

from tests.basics import ROOT, wait_for

ENV = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}  # loopback only; else a token is left in the home folder


def shards(folder: Path, rows: int, files: int) -> list[Path]:
    """Files of requests: of each hundred one is refused for good; the texts are Japanese."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"shard-{n:05d}.jsonl" for n in range(1, files + 1)]
    for k, path in enumerate(paths):
        with open(path, "wb") as file:
            for n in range(k * rows // files, (k + 1) * rows // files):
                body = {"model": "m", "seed": n % 100, "messages": [{"role": "user", "content": f"問い{n} " + "面白さを答えて。" * 40}]}
                line = {"custom_id": f"p1_m_n01_t{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return paths


def rows_of(folder: Path) -> tuple[Counter[str], Counter[int]]:
    """How often each id has a row in the outputs of a folder, and the statuses; each answer is checked to be its own request's."""
    ids, statuses = Counter(), Counter()
    for path in folder.rglob("*_output.jsonl"):
        with open(path, "rb") as lines:
            for line in map(orjson.loads, lines):
                ids[line["custom_id"]] += 1
                statuses[line["response"]["status_code"]] += 1
                if line["response"]["status_code"] == 200:
                    said = line["response"]["body"]["choices"][0]["message"]["content"]
                    assert said.startswith(f"echo 問い{line['custom_id'].removeprefix('p1_m_n01_t')} ")
    return ids, statuses


def lines_in(folder: Path) -> int:
    """How many rows lie in a folder's outputs and parts."""
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*_output.jsonl*"))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def endpoint(pace: float = 0.01) -> Iterator[str]:
    """The address of a model server."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = subprocess.Popen([sys.executable, "-m", "tests.ray.endpoint", str(port), str(pace)], cwd=ROOT)
    try:
        wait_for(lambda: _there(port), 60)
        yield url
    finally:
        process.kill()
        process.wait()


def _there(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def counted(url: str) -> dict:
    """What a model server has counted."""
    with urllib.request.urlopen(url, timeout=10) as found:
        return orjson.loads(found.read())


def driver(*words: object, **more: object) -> subprocess.Popen:
    """run_batch.py, started; what it says is kept."""
    command = [sys.executable, "tools/ray/run_batch.py", *map(str, words)]
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **{"env": ENV, **kept, **more})


class Machines:
    """A head and further nodes, each a group of processes of its own."""

    def __init__(self, cpus: int) -> None:
        self._cpus, self._folder = cpus, Path(mkdtemp(prefix="ray-", dir="/tmp"))
        self.address = f"127.0.0.1:{free_port()}"
        self.nodes = [self._start("--head", "--port", self.address.partition(":")[2], "--temp-dir", str(self._folder))]
        wait_for(lambda: _there(int(self.address.partition(":")[2])), 120)

    def add(self) -> None:
        """One more machine."""
        self.nodes.append(self._start("--address", self.address))

    def _start(self, *how: str) -> subprocess.Popen:
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", str(self._cpus)]
        more = ["--object-store-memory", "200000000", "--disable-usage-stats"]
        more += ["--include-dashboard", "false"] if "--head" in how else []
        command = [*ray, "--node-ip-address", "127.0.0.1", *more, *how]
        with open(self._folder / "said", "ab") as said:
            return subprocess.Popen(command, env=ENV, cwd="/", stdout=said, stderr=said, start_new_session=True)

    def alive(self) -> int:
        """How many nodes the cluster knows."""
        code = f"import ray; ray.init({self.address!r}, log_to_driver=False, logging_level=50); print(sum(n['Alive'] for n in ray.nodes()))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/", env=ENV, timeout=60)
        return int(done.stdout.strip() or 0)

    def kill(self, n: int) -> None:
        """kill -9 of all that a machine is."""
        with suppress(ProcessLookupError):
            os.killpg(self.nodes[n].pid, signal.SIGKILL)
        self.nodes[n].wait()

    def close(self) -> None:
        for n in reversed(range(len(self.nodes))):
            self.kill(n)
        time.sleep(0.5)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def machines(count: int, cpus: int = 4) -> Iterator[Machines]:
    """A cluster of so many node processes on this machine."""
    found = Machines(cpus)
    try:
        for n in range(1, count + 1):  # one after the other: two that start at once may take the same ports
            if n > 1:
                found.add()
            wait_for(lambda n=n: found.alive() == n, 90)
        yield found
    finally:
        found.close()

"""Owns what the campaigns share: a batch service of one's own, foreign virtual environments, and commands with a time limit."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CLIENTS_CACHE", Path(tempfile.gettempdir()) / "batch-clients"))
STEADY = ("--odd-share", "0", "--cut-share", "0", "--heal-share", "0", "--refuse-share", "0")


@contextmanager
def service(*arguments: str, speed: float = 3600) -> Iterator[dict]:
    """A batch service on a free port; yields service.json. It must not report a bug."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tools.batch_server", "--port", "0", "--state", folder, "--quiet", "--speed", str(speed)]
        noise = Path(folder) / "stderr.txt"  # a pipe that nobody reads would hold up the service
        process = subprocess.Popen([*command, *STEADY, *arguments], cwd=ROOT, stderr=noise.open("w"))
        try:
            yield json.loads(wait_for(Path(folder) / "service.json", process))
        finally:
            process.terminate()
            process.wait(60)
            errors = noise.read_text()
        if "Traceback" in errors:
            raise SystemExit(f"the service wrote errors:\n{errors[-4000:]}")


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 20) -> str:
    """The text of a file that a process is about to write."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if path.exists():
            return path.read_text()
        time.sleep(0.02)
    raise SystemExit(f"{process.args} did not start")


def wait_for_port(port: int, seconds: float = 60) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on port {port}")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command: list, seconds: float = 600, **more: object) -> subprocess.CompletedProcess:
    """Run a command within a time; its output is kept, a failure is the caller's business."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds, check=False, **more)


def venv(name: str, *packages: str) -> Path:
    """A virtual environment of that name with these packages; returns its python. Made once, then used again."""
    folder = CACHE / "venvs" / name
    python, wanted = folder / "bin" / "python", "\n".join(packages)
    note = folder / "packages.txt"
    if note.exists() and note.read_text() == wanted:
        return python
    uv = shutil.which("uv")  # many times faster, where it is there
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    steps = [[sys.executable, "-m", "venv", "--clear", folder], [*install, "--quiet", *packages]]
    for step in steps:
        done = run(step, 900)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr[-1500:]}")
    note.write_text(wanted)
    return python


def foreign_env(**more: str) -> dict[str, str]:
    """The environment for foreign code: no keys of the person who runs this, and no way out through a proxy."""
    kept = {key: value for key, value in os.environ.items()
            if not key.upper().endswith(("_KEY", "_TOKEN", "_PROXY", "_BASE_URL", "_SECRET")) and key != "PYTHONPATH"}
    return {**kept, **more}

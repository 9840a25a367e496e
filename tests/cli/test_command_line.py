"""What all entry files have in common: they work from any Python, stand a closed pipe, and looking makes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import orjson
import pytest

from common import cli
from tests.basics import wait_for

ROOT = Path(__file__).resolve().parents[2]
BARE = [sys.executable, "-S", "-E", "-s"]  # without the packages
BARER = [sys.executable, "-S", "-I"]  # and without the script's own folder
OPENAI = "openai_example.py"
CONVERTER, CLEANUP = cli.TOOLS["openai"].converter, cli.TOOLS["openai"].cleanup
KEYLESS = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}


def started(command: list[str], results: Path, **more: object) -> subprocess.CompletedProcess:
    """A command in a process of its own, on a results folder, without a key."""
    env = {**os.environ, **KEYLESS, "RESULTS_DIR": str(results)}
    return subprocess.run(command, cwd=ROOT, env=env, text=True, timeout=60, **{"capture_output": True, **more})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw output file."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
    line = {"custom_id": "a", "response": {"status_code": 200, "body": {"model": "m", "choices": [choice]}}, "error": None}
    path = tmp_path / "batch_1_output.jsonl"
    path.write_bytes(orjson.dumps(line) + b"\n" + b"no json\n" * 30)
    return path


def test_each_entry_file_is_a_row() -> None:
    """The table names the files that there are; a script's own SCRIPT is its row."""
    entries = [*ROOT.glob("*_example.py"), *ROOT.glob("tools/*/run.py")]
    assert {script.name for script in cli.SCRIPTS.values()} == {path.relative_to(ROOT).as_posix() for path in entries}
    for script in cli.SCRIPTS.values():
        assert import_module(script.name.removesuffix(".py").replace("/", ".")).SCRIPT is script
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tools").glob("*/batch_*.py")}
    assert {name for tool in cli.TOOLS.values() for name in (tool.converter, tool.cleanup)} == files
    assert [folder for tool in cli.TOOLS.values() for folder in tool.runs] == list(cli.SCRIPTS)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ([*BARE, OPENAI, "--batch"], 2, "no OPENAI_API_KEY"),
        ([*BARE, OPENAI, "--list"], 0, "requests"),
        ([*BARE, "-m", "tools.report"], 2, "no run yet"),
        ([*BARE, "-m", "tools.status", "batch_1"], 2, "no run yet"),
        ([*BARER, str(ROOT / CLEANUP), "--all", "--dry-run"], 2, "no OPENAI_API_KEY"),
        ([*BARER, str(ROOT / CONVERTER), "gone.jsonl"], 2, "gone.jsonl: no such file"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_a_python_without_packages(tmp_path: Path, command: list[str], code: int, said: str) -> None:
    """Scripts and tools start again under .venv; what they say then needs the packages."""
    done = started(command, tmp_path / "results")
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done
    assert "Traceback" not in done.stderr


def test_no_packages_anywhere(tmp_path: Path) -> None:
    """Without .venv too, one line says what to type."""
    (tmp_path / OPENAI).write_bytes((ROOT / OPENAI).read_bytes())
    shutil.copytree(ROOT / "common", tmp_path / "common")
    done = subprocess.run([*BARE, OPENAI, "--list"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: the packages are not installed; type: make setup\n")


@pytest.mark.parametrize(
    "command",
    [
        [OPENAI, "--help"], [OPENAI, "--list"], [OPENAI, "--list", "--json"], [OPENAI, "--dry-run"],
        [CONVERTER, "--help"], [CLEANUP, "--help"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_nobody_reads(tmp_path: Path, command: list[str]) -> None:
    """A pipe that is closed before anything is printed (| head): no traceback, no word of Python's own."""
    reader, writer = os.pipe()
    os.close(reader)
    done = started([sys.executable, *command], tmp_path / "results", capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_reads_what_was_converted(tmp_path: Path, raw: Path) -> None:
    """The converter with `| head -1`, also when errors go the same way: the files are written all the same."""
    for line in ("{} {} {} --out {}/o | head -1", "{} {} {} --out {}/p 2>&1 | true"):
        done = started(["bash", "-c", line.format(sys.executable, CONVERTER, raw, tmp_path)], tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in sorted(tmp_path.glob("[op]/*"))] == ["a.txt", "a.txt"]


@pytest.mark.parametrize("command", [["--list"], ["--status", "x"], ["--cancel", "x"], ["--retry-failed", "x"]], ids=lambda c: c[0])
def test_looking_makes_nothing(tmp_path: Path, command: list[str]) -> None:
    """Where there is no journal, a command that only looks does not make one."""
    done = started([sys.executable, OPENAI, *command], tmp_path / "results")
    assert done.returncode == (0 if command == ["--list"] else 2)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("command", [[OPENAI, "--list"], [CLEANUP, "--all", "--dry-run"], ["-m", "tools.backup"]], ids=lambda c: c[0])
def test_a_file_in_the_folders_place(tmp_path: Path, command: list[str]) -> None:
    """One line that names it, and exit 2."""
    (tmp_path / "taken").write_text("")
    done = started([sys.executable, *command], tmp_path / "taken")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path}/taken is no folder; choose another with --results or RESULTS_DIR\n"


def test_the_converter_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C while a file is read: exit 130, and the command that goes on, in one line."""
    pipe = tmp_path / "x.jsonl"
    os.mkfifo(pipe)
    child = subprocess.Popen([sys.executable, CONVERTER, str(pipe)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with open(pipe, "wb"):  # it has opened it too, and waits
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=20)[1]
    assert (child.returncode, said.count("\n")) == (130, 1)
    assert said.endswith(f"Go on with: python {CONVERTER} {pipe}\n")


@pytest.mark.parametrize("again", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_further_signal_while_a_command_ends(again: str) -> None:
    """It ends at once, with the code and the one line of the first."""
    code = f"""
import os, signal
from common.cli.exits import guarded
def call():
    os.kill(os.getpid(), signal.SIGINT)
guarded(call, "make tea", "stopped")
os.kill(os.getpid(), signal.{again})
print("it is still here")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped. Go on with: make tea\n")


def test_workers_are_interrupted(tmp_path: Path, raw: Path) -> None:
    """With --jobs too: an idle worker and one at work say nothing, and no half table is left."""
    row = raw.read_bytes().splitlines()[0] + b"\n"
    for n in (2, 3):
        (tmp_path / f"batch_{n}_output.jsonl").write_bytes(b"".join(row.replace(b'"a"', b'"%d"' % i) for i in range(50_000)))
    command = [sys.executable, CONVERTER, *map(str, sorted(tmp_path.glob("*.jsonl"))), "--jobs", "3", "--format", "csv"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("*.csv"))) == 1 and len(list(tmp_path.glob("*.part"))) == 2)
    os.killpg(child.pid, signal.SIGINT)
    said = child.communicate(timeout=20)[1]
    assert (child.returncode, said.count("\n"), list(tmp_path.glob("*.part"))) == (130, 1, [])

"""Full disks, taken folders, foreign journals and other processes: one clear line, and with the cause gone the same command finishes."""

from __future__ import annotations

import fcntl
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import openai_example
from common import cli
from tests.basics import python
from tests.cli.refusals import nothing_was_sent, refused
from tests.service import KEYS
from tests.support import QUICK, Commands, End


@pytest.mark.parametrize("command", [["--batch"], ["--batch", "--local"], ["--dry-run"], ["--list"]])
def test_results_folder_that_cannot_be_written(run: Commands, tmp_path: Path, command: list[str]) -> None:
    """A file in the folder's place (root may write anywhere else): one line that names it and --results."""
    (tmp_path / "taken").write_text("a file")
    refused(run("openai", *command, "--results", tmp_path / "taken"), str(tmp_path / "taken"), "--results")
    nothing_was_sent(run)


def limited(run: Commands, blocks: int, line: str) -> End:
    """A command that can't write files longer than so many kB: to it the disk is full."""
    return run.shell(f"bash -c {shlex.quote(f'trap {chr(34)*2} XFSZ; ulimit -f {blocks}; exec {sys.executable} {line}')}")


def test_full_disk_while_planning(run: Commands) -> None:
    """A disk that is full while shards are written: one line, exit 2, nothing sent; with room the same command finishes."""
    line = f"openai_example.py --batch --limit 60 {' '.join(QUICK)}"
    end = limited(run, 100, line)
    refused(end, "File too large", "go on with: python openai_example.py --batch --limit 60")
    nothing_was_sent(run)
    assert run("openai", "--batch", "--limit", "60").code == 0
    assert run.requests() >= 60


@pytest.mark.parametrize(("blocks", "said"), [(100, "disk I/O error"), (220, "File too large")])
def test_full_disk_on_the_way(run: Commands, study: Callable, blocks: int, said: str) -> None:
    """A disk that is full while the journal or the answers are written: with room the same command buys nothing twice."""
    folder = study(trials="400", prompt='{user = "Q1. Joy(value): [0-100] {text}"}')
    line = f"openai_example.py --batch --model gpt-4.1 --experiment {folder} {' '.join(QUICK)}"
    refused(limited(run, blocks, line), said, "Nothing is lost", "go on with: ")
    assert run("openai", *shlex.split(line)[1 : -len(QUICK)]).code == 0
    assert run.world.billed() == {f"p1_gpt-4.1_n{trial:02d}_t1": 1 for trial in range(1, 401)}


TRY = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
MAY_MOUNT = bool(shutil.which("unshare")) and subprocess.run(TRY, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not MAY_MOUNT, reason="this system lets nobody mount a small disk")
@pytest.mark.parametrize(("size", "said"), [("400k", "No space left on device"), ("2m", "MB needed for the results")])
def test_a_small_disk(run: Commands, size: str, said: str) -> None:
    """A real disk that is too small: for the shards it is full; for the results that will come, that is said before."""
    run.results.mkdir()
    mount = f"mount -t tmpfs -o size={size} tmpfs {run.results}"
    command = f"{mount} && exec {sys.executable} openai_example.py --batch {' '.join(QUICK)}"
    refused(run.shell(f"unshare -rm sh -c {shlex.quote(command)}"), said)
    nothing_was_sent(run)


def test_a_disk_that_fills_up_on_the_way(
    run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The run pauses before a batch whose answers may not fit, and says why; with room made the same command goes on."""
    command = ["--experiment", str(study(trials="20")), "--model", "gpt-4.1", *QUICK]
    for name, value in run.env.items():
        monkeypatch.setenv(name, value)
    assert cli.main(openai_example.SCRIPT, [*command, "--dry-run"]) == 0
    almost_full = shutil.disk_usage(run.results)._replace(free=50_000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: almost_full)
        assert cli.main(openai_example.SCRIPT, [*command, "--batch"]) == 2
    said = capsys.readouterr()
    assert "50.0 kB free" in said.err and "needed for the results of what is out and of the next batch; make room" in said.err
    nothing_was_sent(run)
    assert cli.main(openai_example.SCRIPT, [*command, "--batch"]) == 0
    assert sum(run.world.billed().values()) == 20


def test_journal_of_a_newer_version(run: Commands) -> None:
    """A journal that a newer program wrote is left alone."""
    run.results.mkdir()
    db = sqlite3.connect(run.results / "journal.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    refused(run("openai", "--batch"), "journal.db", "newer version", "schema 99", "update the program")
    nothing_was_sent(run)


def test_a_journal_that_is_none(run: Commands) -> None:
    """A file that is no journal is neither read nor replaced."""
    run.results.mkdir()
    (run.results / "journal.db").write_bytes(b"precious" * 1000)
    refused(run("openai", "--batch"), "journal.db", "cannot be opened")
    assert (run.results / "journal.db").read_bytes() == b"precious" * 1000


def test_a_run_in_work(run: Commands, study: Callable) -> None:
    """A run that another process works on is left to it; the message names the process."""
    command = ("openai", "--experiment", study(), "--model", "gpt-4.1")
    planned = run(*command, "--dry-run", "--json").json
    with open(Path(planned["folder"]) / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(run(*command, "--batch"), f"run {planned['run']} is in work by another process", "pid")
        refused(run("openai", "--retry-failed", planned["run"]), "another process")
    nothing_was_sent(run)
    assert run(*command, "--batch").code == 0


def test_a_run_of_another_experiment(run: Commands, study: Callable) -> None:
    """A name belongs to what it was given to first."""
    command = ("openai", "--experiment", study(), "--model", "gpt-4.1", "--run", "mine")
    assert run(*command, "--batch").code == 0
    made = run.attempts()
    refused(run(*command, "--batch", "--trials", "5"), "run mine belongs to another experiment", "--run name")
    assert run.attempts() == made


def test_a_run_that_lives_elsewhere(run: Commands, study: Callable) -> None:
    """A run of one address is not looked for at another."""
    planned = run("openai", "--dry-run", "--json", "--experiment", study()).json
    env = {"OPENAI_BASE_URL": "https://198.51.100.7/v1"}
    refused(run("openai", "--status", planned["run"], env=env), "lives elsewhere", "OPENAI_BASE_URL")


def test_a_shard_that_was_edited(run: Commands, study: Callable) -> None:
    """A planned file that was changed by hand is not sent."""
    command = ("openai", "--experiment", study(), "--model", "gpt-4.1")
    shard = Path(run(*command, "--dry-run", "--json").json["shards"][0]["path"])
    shard.write_bytes(shard.read_bytes().replace(b"small", b"large") + b"{}\n")
    refused(run(*command, "--batch"), "was changed after planning", "--run NAME")
    nothing_was_sent(run)


def test_port_taken(tmp_path: Path) -> None:
    """make serve on a port that is taken: one line that says so, exit 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = python("-m", "tools.batch_server", "--port", port, "--state", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("made", [b"", b"\x00\xff\xfe\x89PNG" * 50])
def test_the_converter(tmp_path: Path, made: bytes) -> None:
    """An empty or a binary file: one clear line, exit 2 or 1, no traceback."""
    (tmp_path / "x_output.jsonl").write_bytes(made)
    done = python("tools/openai/batch_result_converter.py", tmp_path / "x_output.jsonl")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr and "x_output.jsonl" in done.stdout + done.stderr


def test_keys_are_in_no_file(run: Commands, study: Callable) -> None:
    """After a whole run no file of the results folder has a key in it, the journal included."""
    assert run("openai", "--batch", "--experiment", study()).code == 0
    files = [path for path in run.results.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if any(key.encode() in path.read_bytes() for key in KEYS.values())] == []

"""Commands that only read: a results folder on a read-only disk is enough, and a long audit is not silent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from common.cli.progress import Patient
from tests.basics import ROOT
from tests.support import Commands

NO_OVERRIDE = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]  # root writes anywhere else


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes anywhere, and nothing here can stop it")
def test_a_read_only_folder(run: Commands, study: Callable) -> None:
    """status, report and audit say what they say elsewhere, and write nothing."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == 0
    tools = ("status", "report", "audit")
    free = [said(run, tool) for tool in tools]
    paths = [run.results, *run.results.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert said(run, "backup", locked=True)[0] == 2  # the trap catches
        assert [said(run, tool, locked=True) for tool in tools] == free
        assert sorted(run.results.rglob("*")) == sorted(paths[1:])
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | 0o200)
    assert [code for code, _ in free] == [0, 0, 0]


def said(run: Commands, tool: str, locked: bool = False) -> tuple[int, str]:
    """A tool's exit code and what it printed; `locked`: without root's right to write anywhere."""
    prefix = NO_OVERRIDE if locked and os.geteuid() == 0 else []
    command = [*prefix, sys.executable, "-m", f"tools.{tool}"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **run.env}, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def test_what_takes_long_is_told(capsys: pytest.CaptureFixture) -> None:
    """Nothing in the first moments, then a word now and then, on stderr."""
    told = Patient("a run: ", first=0.05, every=0.05)
    told("at once")
    time.sleep(0.06)
    told("later")
    told("too soon")
    time.sleep(0.06)
    told("at last")
    assert capsys.readouterr() == ("", "a run: later\na run: at last\n")

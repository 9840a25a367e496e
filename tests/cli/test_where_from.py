"""Where a command is typed makes no other run: one results folder, one run, nothing bought twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.basics import ROOT
from tests.support import QUICK, Commands


def test_a_relative_folder_is_meant_from_where_it_is_written(run: Commands, study: Callable, tmp_path: Path) -> None:
    """RESULTS_DIR in .env: from the .env, whatever the working directory; --results: from the working directory."""
    project = tmp_path / "project"
    project.mkdir()
    shutil.copytree(ROOT / "common", project / "common")  # what is compiled, too
    script = Path(shutil.copy(ROOT / "openai_example.py", project))
    (project / ".env").write_text("RESULTS_DIR=kept/here\n")
    (project / ".env").chmod(0o600)
    experiment = study()
    for folder in (project, tmp_path, experiment):
        assert asked(run, script, folder, os.path.relpath(experiment, folder)) == (0, "")
        assert (project / "kept/here/journal.db").exists()
    assert [*run.world.billed().values()] == [1, 1]
    assert asked(run, script, tmp_path, "study", "--results", "mine") == (0, "")
    assert [*run.world.billed().values()] == [2, 2]
    assert sorted(path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("journal.db")) == ["mine", "project/kept/here"]


def asked(run: Commands, script: Path, folder: Path, experiment: str, *more: str) -> tuple[int, str]:
    """A script's command in a folder: its exit code, and its last words if that is not 0."""
    env = {name: value for name, value in {**os.environ, **run.env}.items() if name != "RESULTS_DIR"}
    command = [sys.executable, script, "--batch", "--experiment", experiment, "--model", "gpt-4.1", *QUICK, *more]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr if done.returncode else ""

"""make new: the starter runs by the very commands that it says to type, its comments are true, and nothing is overwritten."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from common import cli
from common.experiment.read import load
from tests.basics import ROOT, python
from tests.cli.scripts import INPUT, OK

ALONE = ("user_file", "files", "encoding", "run")  # in place of another key, or of a file that the starter has not


def test_what_it_says_to_type_runs(tmp_path: Path) -> None:
    made = python("-m", "tools.new", "tea", "--out", tmp_path)
    assert made.returncode == OK, made.stderr
    dry, rehearsal = (shlex.split(line)[1:] for line in made.stdout.splitlines() if line.startswith("  python "))
    assert "--dry-run" in dry and "--batch" in rehearsal
    for command in (dry, rehearsal):
        done = python(*command, "--results", tmp_path / "results")
        assert done.returncode == OK, done.stderr
    assert "2 personas × 4 texts × 2 wording × 2 models × 2 trials = 64" in done.stdout
    assert "sum: 64 planned = 64 succeeded" in done.stdout and "not clean" not in done.stdout


def test_the_comments_are_true(tmp_path: Path) -> None:
    """With every key that stands in a comment, the starter is still an experiment."""
    assert cli.make("new", ["tea", "--out", str(tmp_path)]) == OK
    file = tmp_path / "tea/experiment.toml"
    text, count = re.subn(rf"^# (?!{'|'.join(ALONE)})(\[.*|[a-z_]+ = .*)$", r"\1", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count > 10
    file.write_text(text, encoding="utf-8")
    found = load(file)
    assert found.questions[0].gold == "mood" and found.questions[0].form == "json" and found.parameters and found.turns and found.skip


@pytest.mark.parametrize("name", ["", "Tea", "a b", "../tea", "-x", "お茶", "x" * 41, "a/b", "a\nb"])
def test_a_name_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture, name: str) -> None:
    assert cli.make("new", ["--out", str(tmp_path), "--", name]) == INPUT
    assert "expected a short name of a-z, 0-9 and -" in capsys.readouterr().err and not [*tmp_path.iterdir()]


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "tea").mkdir()
    assert cli.make("new", ["tea", "--out", str(tmp_path)]) == INPUT
    assert "is there already and stays as it is; choose another NAME" in capsys.readouterr().err
    assert [*tmp_path.rglob("*")] == [tmp_path / "tea"]
    assert cli.make("new", []) == INPUT and "make new NAME=tea" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert cli.make("new", ["tea", "--out", str(tmp_path / "file")]) == INPUT
    assert "--out DIR" in capsys.readouterr().err


def test_make_takes_no_name_of_the_machine() -> None:
    """WSL sets NAME for every command."""
    assert "\nNAME =\n" in (ROOT / "Makefile").read_text(encoding="utf-8")

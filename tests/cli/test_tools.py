"""The tools behind make: the demo fits a screen, and whatever stands in the way of one is told in a line."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from common.providers import local
from common.text import one_line
from tests.basics import wait_for
from tests.support import End
from tests.torture.world import Zygote
from tools import demo

ROOT = Path(__file__).resolve().parents[2]
NOTHING_SET = {"RESULTS_DIR", "DEBUG", "MAKEFLAGS"}


@pytest.fixture
def typed(zygote: Zygote) -> Callable[..., End]:
    """`typed("-m", "tools.report", results=…)`: what `python …` says on a results folder, without the start of a Python of its own."""

    def run(*words: object, results: Path) -> End:
        done = zygote.run(python=True, argv=[*map(str, words)], env={"RESULTS_DIR": str(results), "DEBUG": ""}, timeout=120)
        return End(done["code"], done["out"], done["err"])

    return run


def columns(line: str) -> int:
    """How many columns of a terminal a line takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def answers(table: Path) -> list[str]:
    """The answers in a table, in its order."""
    with open(table, encoding="utf-8-sig", newline="") as rows:
        return [row["answer"] for row in csv.DictReader(rows)]


def test_the_demo_fits_a_screen(tmp_path: Path, typed: Callable) -> None:
    """Four scripts, two answers, one table, after an old dry run; then the other tools know the runs."""
    assert typed("openai_example.py", "--dry-run", "--limit", 3, "--local", results=tmp_path).code == 0
    done = typed("-m", "tools.demo", results=tmp_path)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert len(lines) <= 25 and max(map(columns, lines[:-1])) <= 80
    assert [line.split()[0] for line in lines[:6]] == ["python"] * 6
    assert sum(re.search(r" 120 +\$[0-9.]+( +[0-9]{2}\.[0-9]){4}$", line) is not None for line in lines) == 10
    shown = [n for n, line in enumerate(lines) if line.startswith(("gpt-4.1 as ", "deepseekr1 as "))]
    begun = [lines[n + 1].removeprefix("  ").removesuffix("…") for n in shown]
    whole = [one_line(answer) for table in tmp_path.glob("*/literary-*/results.csv") for answer in answers(table)]
    assert len(begun) == 2 and all(len(one) > 9 and any(answer.startswith(one) for answer in whole) for one in begun)
    assert "SIMULATED" in lines[-2] and min(str(tmp_path), os.path.relpath(tmp_path, ROOT), key=len) in lines[-1]
    assert lines[-1].endswith("report.html") and "REHEARSAL" in (tmp_path / "report.html").read_text(encoding="utf-8")
    told = {name: typed("-m", f"tools.{name}", results=tmp_path) for name in ("report", "audit", "status", "backup")}
    assert told["report"].out.count("literary-") == 14  # ten models, and four that are simulated
    assert told["audit"].out.splitlines()[-1] == "5 runs, 0 with findings"
    assert len(told["status"].out.splitlines()) == 2 + 5 + 1  # that all of it is simulated
    assert told["backup"].code == 0


@pytest.mark.parametrize("name", ["audit", "report", "status", "backup"])
@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
def test_no_run_yet(tmp_path: Path, typed: Callable, name: str, there: bool) -> None:
    """Where no run has been, a tool says so in a line and makes nothing."""
    results = tmp_path / "results"
    if there:
        results.mkdir()
    done = typed("-m", f"tools.{name}", results=results)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {results}: no journal")
    assert list(tmp_path.rglob("*")) == [results] * there


@pytest.mark.parametrize("name", ["demo", "audit", "report", "status", "backup"])
def test_a_journal_that_cannot_be_opened(tmp_path: Path, typed: Callable, name: str) -> None:
    """A journal, or a results folder, that is something else: one line, exit 2."""
    (tmp_path / "journal.db").write_text("no journal, but longer than the header of a database has to be " * 9)
    done = typed("-m", f"tools.{name}", results=tmp_path)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith("error: ") and "Traceback" not in line


def test_the_demo_needs_a_folder_to_write(tmp_path: Path, typed: Callable) -> None:
    """Where results cannot be written, the demo says so before it runs anything."""
    (tmp_path / "file").write_text("")
    done = typed("-m", "tools.demo", results=tmp_path / "file" / "results")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("error: ") and "RESULTS_DIR" in line


def setup(tmp_path: Path, python: str) -> str:
    """What `make setup` says, with a Python that runs the code of `-c` under conditions made by `python`."""
    fake = tmp_path / "python3"
    fake.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{python}; exec(sys.argv[2])" "$@"\n')
    fake.chmod(0o755)
    command = ["make", "-s", "-f", ROOT / "Makefile", "setup", f"PYTHON={fake}"]
    (tmp_path / "requirements.lock").touch()
    env = {key: value for key, value in os.environ.items() if key not in NOTHING_SET}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith(("make: ", "make["))]
    return line


def test_setup_without_ensurepip(tmp_path: Path) -> None:
    """A stock Debian's Python has no ensurepip: one line says what to type."""
    said = setup(tmp_path, "import sys, importlib.util as u; find = u.find_spec; u.find_spec = lambda n: n != 'ensurepip' and find(n)")
    assert said.startswith("error: ") and said.endswith("sudo apt install python3-venv")


def test_setup_with_an_old_python(tmp_path: Path) -> None:
    """A Python that is too old: one line says what to type."""
    said = setup(tmp_path, "import sys; sys.version_info = (3, 9)")
    assert said.startswith("error: Python 3.11 or newer is needed")


def pins(name: str) -> dict[str, str]:
    """The versions of a lock file, by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def test_the_locks_agree() -> None:
    """What tests holds all that runs, in the same versions; each package has its hashes."""
    runs, tests = pins("requirements.lock"), pins("requirements-dev.lock")
    assert runs.items() < tests.items()
    assert "pytest" in tests and "pytest" not in runs
    agents = pins("requirements-mcp.lock")
    assert "mcp" in agents and runs.items() < agents.items() and all(tests.get(name, pin) == pin for name, pin in agents.items())
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-mcp.lock", "requirements-small-model.lock"):
        text = (ROOT / name).read_text()
        hashed = re.findall(r"^\S+==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
        assert len(hashed) == len(re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE))


def test_the_demo_after_a_run_that_cannot_go_on(tmp_path: Path, typed: Callable, capsys: pytest.CaptureFixture) -> None:
    """A cancelled rehearsal lies there: the demo asks afresh, under a name of its own."""
    begun = typed("openai_example.py", "--local", "--batch", "--no-wait", "--speed", 1, results=tmp_path)
    (name,) = [path.name for path in (tmp_path / "openai").iterdir() if path.name.startswith("literary")]
    assert begun.code == typed("openai_example.py", "--local", "--cancel", name, results=tmp_path).code == 0
    os.kill(local.running(tmp_path / "local_service")["pid"], signal.SIGTERM)  # it is slow, and would live for seconds more
    wait_for(lambda: local.running(tmp_path / "local_service") is None)
    found = demo.run_to_its_end(["openai_example.py", "--batch", "--local"], tmp_path)
    assert (found["run"].startswith("demo-"), found["outcomes"]) == (True, {"succeeded": found["planned"]})
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_recipes_have_no_words_of_their_own() -> None:
    """A target that is typed alone runs its tool alone, whatever shells export: no variable of the Makefile is an option by accident."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | {"HOST": "mine", "NAME": "mine", "AS": "gas"}
    targets = "models hosts status costs report dashboard browse metrics disk tidy backup export forget"
    for target in targets.split():
        done = subprocess.run(["make", "-n", "-o", "setup", target], cwd=ROOT, capture_output=True, text=True, env=env)
        (recipe,) = done.stdout.splitlines()
        assert (done.returncode, recipe.count(" --"), "mine" in recipe) == (0, 0, False), recipe

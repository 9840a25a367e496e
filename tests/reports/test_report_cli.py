"""The page as a person makes it: of one run, of several at several providers, of a study; and what is refused."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from common import cli
from tests.basics import ROOT
from tests.cli.scripts import MODEL, only_run
from tests.reports.test_page import Seen, words
from tests.support import QUICK, STUDY, Commands
from tests.torture.world import World

JOY = {
    "prompt": '{user = "Read {text}\\nQ1. 喜び(value): [0-100]\\nQ1. 喜び(reason): [reason]"}', "question": '[{id = "Q1", name = "喜び"}]',
    "persona": '[{id = "1", name = "読者"}, {id = "2", name = "<b>poet"}]',
    "text": '[{id = "t1", file = "t.txt"}, {id = "t2", file = "t.txt"}]',
    "max_tokens": "400", "trials": "3",
}  # fmt: skip
Report = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def answered(calm: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a study at two providers."""
    calm.reset()
    folder = tmp_path_factory.mktemp("answered")
    (folder / "t.txt").write_text("A text.")
    (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in {**STUDY, **JOY}.items()))
    models = MODEL["openai"], MODEL["claude"]
    end = Commands(calm, folder / "results").tool("study", folder, "--model", *models, "--batch", "--run", "both", *QUICK)
    assert end.code == 0, end.said
    return folder / "results"


@pytest.fixture
def results(answered: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(answered, tmp_path / "results"))


@pytest.fixture
def report(results: Path, calm: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Report:
    """`make report` with some words."""
    for name, value in Commands(calm, results).env.items():
        monkeypatch.setenv(name, value)

    def typed(*argv: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.make("report", [*map(str, argv)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


@pytest.mark.parametrize("typed", [("all",), ("both",), ("openai/both", "claude/both")])
def test_several_providers(report: Report, results: Path, typed: tuple[str, ...]) -> None:
    """One page and one table of all runs, or of a study by its name: the numbers are those of results.csv, and no row is embedded."""
    code, out, err = report(*typed)
    assert (code, err) == (0, "") and out.splitlines()[-1] == f"open {results / 'report.html'}" and "SIMULATED" in out
    page = (results / "report.html").read_text(encoding="utf-8")
    said = words(Seen(page))
    assert "24 requests were asked, 24 of them (100.0%) were answered" in said and "REHEARSAL" in said
    assert all(word in said for word in ("Q1 喜び", "読者", "<b>poet", MODEL["openai"], MODEL["claude"])) and "<b>poet" not in page
    assert len(page) < 150_000 and page.count("p1_") < 24 / 2
    with open(results / "report.csv", encoding="utf-8-sig", newline="") as file:
        means = list(csv.DictReader(file))
    assert len(means) == 2 * 2 * 2 and {row["simulated"] for row in means} == {"true"}
    for script in ("openai", "claude"):
        with open(only_run(results, script) / "results.csv", encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if (row["persona"], row["text"]) == ("2", "t1")]
        (mean,) = [row for row in means if (row["model"], row["persona"], row["text"]) == (MODEL[script], "2", "t1")]
        assert float(mean["mean"]) == pytest.approx(sum(float(row["Q1_喜び"]) for row in rows) / 3)


def test_one_run_elsewhere(report: Report, results: Path, tmp_path: Path) -> None:
    """By its name and provider, to a place of one's own; the page that lies there is written over, nothing else is."""
    run, target = only_run(results, "claude"), tmp_path / "mine.html"
    target.write_text("old")
    code, out, _ = report(f"claude/{run.name}", "--out", target, "--json")
    told = json.loads(out)
    assert (code, told["requests"], told["report"], told["table"]) == (0, 12, str(target), str(tmp_path / "mine.csv"))
    page = target.read_text(encoding="utf-8")
    assert run.name in page and MODEL["openai"] not in page and not (results / "report.html").exists()


def test_a_run_at_work(report: Report, results: Path, calm: World, tmp_path: Path) -> None:
    """What is not answered yet is told as pending, and the page is there all the same."""
    (tmp_path / "t.txt").write_text("A text.")
    (tmp_path / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in {**STUDY, **JOY, "name": '"late"'}.items()))
    end = Commands(calm, results)("openai", "--batch", "--no-wait", "--experiment", tmp_path, "--model", MODEL["openai"], "--run", "late")
    assert end.code == 0, end.said
    assert report("late")[0] == 0
    said = words(Seen((results / "report.html").read_text(encoding="utf-8")))
    assert "12 requests were asked, 0 of them (0.0%) were answered. 12 are still to come." in said and "FailuresNone." in said


def test_what_is_refused(report: Report, results: Path, tmp_path: Path) -> None:
    """One line each, exit code 2, nothing written."""
    gone = tmp_path / "no" / "x.html"
    cases = (("nosuch",), "make status lists"), (("all", "--out", gone), "no such folder"), (("all", "--out", tmp_path / "x"), ".html")
    for argv, expected in cases:
        code, out, err = report(*argv)
        assert (code, out, err.count("\n")) == (2, "", 1) and expected in err
    assert not (results / "report.html").exists()
    assert report()[1].startswith("provider")


def test_the_same_study_browsed(results: Path) -> None:
    """The page is there until it is stopped; a second start makes no new index, and one after a change of the answers does."""
    (lists, index), says = _browsed(results, "both"), (results / "browse").glob("*.db")
    assert "SIMULATED" in lists[0] and lists[1].startswith("24 answers") and "24 of 24 answers" in index and 'class="banner"' in index
    assert all(name in index for name in ("読者", "Q1_喜び", MODEL["openai"], MODEL["claude"])) and "<b>poet" not in index
    (made,) = says
    first = made.stat().st_mtime_ns
    assert _browsed(results, "openai/both", "claude/both")[1] == index and made.stat().st_mtime_ns == first
    raw = next((results / "openai/batch_results").glob("*_output.jsonl"))
    raw.touch()
    _browsed(results, "both")
    assert made.stat().st_mtime_ns != first


def _browsed(results: Path, *runs: str) -> tuple[list[str], str]:
    """What `make browse` says, and its first page but for when it was made."""
    words = [sys.executable, "-m", "tools.browse", *runs, "--results", str(results)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as browsing:
        try:
            said = [browsing.stdout.readline() for _ in range(3)]
            page = httpx2.get(f"{said[-1].split()[1]}?col=persona_name&col=model&col=Q1_{quote('喜び')}")
        finally:
            browsing.send_signal(signal.SIGINT)
        assert (browsing.wait(10), browsing.stderr.read(), page.status_code) == (0, "", 200), said
    return said, re.sub("as of .*?</p>", "", page.text)


def test_what_cannot_be_browsed(results: Path, capsys: pytest.CaptureFixture) -> None:
    """One line and exit code 2: no such run, a port that is taken, one that is none."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for argv, expected in ((("nosuch",), "make status lists"), (("all", "--port", port), f"port {port} cannot be had")):
            code = cli.make("browse", [*argv, "--results", str(results)])
            out, err = capsys.readouterr()
            assert (code, out, err.count("\n")) == (2, "", 1) and expected in err
    with pytest.raises(SystemExit):
        cli.make("browse", ["all", "--port", "80"])
    assert "expected a port" in capsys.readouterr().err and not (results / "browse").exists()

"""Exporting runs as a person does: one table of several providers in every form, its codebook, and the snippets that read it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from arro3.io import read_parquet
from openpyxl import load_workbook

from common import cli
from tests.basics import ROOT
from tests.cli.scripts import MODEL, only_run, table
from tests.support import STUDY, Commands
from tests.test_docs import blocks
from tests.torture.world import World

DOCS = ROOT / "docs/export.md"
LINES = "\\nQ1. {0}(value): [0-100]\\nQ1. {0}(reason): [reason]"
JOY = {"prompt": f'{{user = "Read {{text}}{LINES.format("Joy")}"}}', "question": '[{id = "Q1", name = "Joy"}]', "max_tokens": "400"}
ANGER = {**JOY, "prompt": f'{{user = "{{text}}{LINES.format("怒り")}"}}', "question": '[{id = "Q1", name = "怒り"}]', "name": '"anger"'}


class Exporting:
    """Two studies answered by two providers, and what `python tools/export.py` makes of them, in this process."""

    def __init__(self, run: Commands, capsys: pytest.CaptureFixture) -> None:
        self.run, self._capsys = run, capsys
        self.folders = [only_run(run.results, script) for script in ("openai", "claude")]

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        self._capsys.readouterr()
        code = cli.make("export", [*map(str, words)])
        said = self._capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    def to(self, folder: Path, *words: str) -> dict:
        """What --json says of an export of all runs."""
        code, out, err = self("all", "--out", folder, "--json", *words)
        assert (code, err) == (0, ""), err
        return json.loads(out)

    def refused(self, *words: object) -> str:
        """The one line of an export that was not made."""
        code, out, err = self(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), out + err
        return err


@pytest.fixture(scope="module")
def answered(calm: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a run of either provider."""
    calm.reset()
    folder = tmp_path_factory.mktemp("answered")
    commands = Commands(calm, folder / "results")
    for script, keys in (("openai", JOY), ("claude", ANGER)):
        rows = {**STUDY, **keys, "text": '[{id = "t1", file = "experiment.toml"}]'}
        (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in rows.items()))
        end = commands(script, "--batch", "--experiment", folder, "--model", MODEL[script], "--trials", "5")
        assert end.code == 0, end.said
    return folder / "results"


@pytest.fixture
def export(answered: Path, calm: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Exporting:
    """A copy of that folder, as a person may make one."""
    run = Commands(calm, Path(shutil.copytree(answered, tmp_path / "results")))
    for name, value in run.env.items():
        monkeypatch.setenv(name, value)
    return Exporting(run, capsys)


def csv_rows(path: Path) -> list[dict]:
    """The rows of a CSV."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def parquet_rows(path: Path) -> list[dict]:
    """The rows of a Parquet file."""
    found = read_parquet(path).read_all()
    return [dict(zip(found.column_names, row)) for row in zip(*(column.to_pylist() for column in found.columns))]


def sheet_rows(path: Path) -> list[dict]:
    """The rows of a sheet."""
    names, *rows = load_workbook(path)["rows"].iter_rows(values_only=True)
    return [dict(zip(names, row)) for row in rows]


def text(cell: object) -> str:
    """A cell of any form as CSV writes it."""
    return "" if cell is None else str(cell).lower() if isinstance(cell, bool) else f"{cell:.15g}" if isinstance(cell, float) else str(cell)


def test_one_table_of_two_providers(export: Exporting, tmp_path: Path) -> None:
    """Every row of every run once, each cell as in its own table, in all forms alike; simulated rows are marked and counted."""
    said = export.to(tmp_path / "csv")
    assert (said["rows"], said["simulated_rows"], said["outcomes"]) == (10, 10, {"succeeded": 10})
    rows = csv_rows(Path(said["table"]))
    assert {row["simulated"] for row in rows} == {"true"}
    own = [row for folder in export.folders for row in table(folder)]
    assert [{name: row[name] for name in mine} for row, mine in zip(rows, own, strict=True)] == own
    assert [bool(row["Q1_Joy"]) for row in rows] == [True] * 5 + [False] * 5 == [not row["Q1_怒り"] for row in rows]
    for form, read in (("parquet", parquet_rows), ("xlsx", sheet_rows)):
        other = read(Path(export.to(tmp_path / form, "--format", form)["table"]))
        assert [{name: text(cell) for name, cell in row.items()} for row in other] == rows
    lines = Path(export.to(tmp_path / "jsonl", "--format", "jsonl")["table"]).read_text().splitlines()
    assert [{name: text(cell) for name, cell in json.loads(line).items()} for line in lines] == rows


def test_a_row_per_question_and_the_codebook(export: Exporting, tmp_path: Path) -> None:
    """--long has a row for each question of each request; the codebook has a line for each column of the table beside it."""
    for words in ([], ["--long"]):
        said = export.to(tmp_path / f"x{len(words)}", *words)
        rows, book = csv_rows(Path(said["table"])), csv_rows(Path(said["codebook"]))
        assert [line["column"] for line in book] == [*rows[0]]
        assert all(int(line["filled"]) == sum(bool(row[line["column"]]) for row in rows) for line in book)
        assert all(line["meaning"] and line["type"] for line in book)
    assert [row["question_name"] for row in rows] == ["Joy"] * 5 + ["怒り"] * 5
    assert [row["value"] for row in rows[:5]] == [row["Q1_Joy"] for row in table(export.folders[0])]
    assert {line["column"]: line["values"] for line in book}["value"] == "Q1 Joy: 0 to 100 / Q1 怒り: 0 to 100"


def test_the_snippet_for_pandas(export: Exporting, tmp_path: Path) -> None:
    """read_data.py gives a frame with the types of the codebook and the cells of the table."""
    said = export.to(tmp_path / "x")
    code = (
        "import json; from read_data import data; "
        "print(json.dumps([[str(t) for t in data.dtypes], json.loads(data.to_json(orient='records'))]))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path / "x", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    types, rows = json.loads(done.stdout)
    known = {"text": "string", "whole number": "Int64", "number": "Float64", "true or false": "boolean"}
    assert types == [known[line["type"]] for line in csv_rows(Path(said["codebook"]))]
    wanted = csv_rows(Path(said["table"]))
    for name in ("custom_id", "trial", "simulated", "Q1_怒り_reason", "answer", "error_code"):
        assert [text(row[name]) for row in rows] == [row[name] for row in wanted], name
    assert [row["Q1_Joy"] for row in rows] == [float(row["Q1_Joy"]) if row["Q1_Joy"] else None for row in wanted]
    (shown,) = blocks(DOCS, "python")
    done = subprocess.run([sys.executable, "-W", "error", "-c", shown], cwd=tmp_path / "x", capture_output=True, text=True, timeout=60)
    joy = sum(row["Q1_Joy"] or 0 for row in rows) / 5
    assert (done.returncode, f"gpt-4.1           1          {joy}" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("Rscript"), reason="Rscript is not installed here")
def test_the_snippet_for_r(export: Exporting, tmp_path: Path) -> None:
    """read_data.R gives a data frame with as many rows, numbers where the codebook says so, and empty cells as NA."""
    export.to(tmp_path / "x")
    (shown,) = blocks(DOCS, "r")
    code = shown + 'cat(nrow(data), class(data$trial), class(data$simulated), sum(is.na(data$Q1_Joy)), sep = "|")'
    done = subprocess.run(["Rscript", "-e", code], cwd=tmp_path / "x", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "10|numeric|logical|5"), done.stderr


def test_what_cannot_be_exported(export: Exporting, tmp_path: Path, study: Callable) -> None:
    """One line, exit 2, and nothing is written, least of all over what is there."""
    (tmp_path / "there").mkdir()
    assert "is there already" in export.refused("all", "--out", tmp_path / "there")
    assert "no run 'x'" in export.refused("x", "--out", tmp_path / "new")
    where = study(**{**JOY, "question": "[]"})
    export.run("openai", "--batch", "--dry-run", "--experiment", where, "--model", "gpt-4.1", "--run", "bare")
    assert "leave out --long" in export.refused("bare", "--long", "--out", tmp_path / "new")
    (export.folders[0] / "run.json").write_text("{}")
    assert "is garbled" in export.refused("all", "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists() and [*(tmp_path / "there").iterdir()] == []
    assert "no journal" in export.refused("all", "--results", tmp_path / "there")


def test_as_a_person_types_it(export: Exporting) -> None:
    """Without --out it goes to a new folder in the results folder each time; the other tools are not disturbed by it."""
    name = export.folders[1].name
    done = [export.run.typed(f"python tools/export.py claude/{name} {name}") for _ in range(2)]
    assert [(end.code, end.err) for end in done] == [(0, "")] * 2
    assert "1 run, 5 requests: 5 succeeded; others: 0\nSIMULATED" in done[0].out and "5 of 5 answers" in done[0].out
    folders = [*(export.run.results / "exports").iterdir()]
    assert len(folders) == 2 and all(
        {p.name for p in f.iterdir()} == {"data.csv", "codebook.csv", "read_data.py", "read_data.R"} for f in folders
    )
    assert cli.make("audit", []) == cli.make("report", []) == 0


def test_the_converter_writes_sheets(export: Exporting) -> None:
    """--format xlsx of the converter, too."""
    raw = next((export.run.results / "openai/batch_results").glob("*_output.jsonl"))
    assert cli.converter("openai", [str(raw), "--format", "xlsx"]) == 0
    rows = sheet_rows(export.folders[0] / f"{raw.stem}.xlsx")
    assert {row["custom_id"]: row["Q1_Joy"] for row in rows} == {row["custom_id"]: float(row["Q1_Joy"]) for row in table(export.folders[0])}


# ---- answers that several runs have


def exported(run: Commands, *runs: str) -> tuple[list[dict], int]:
    """The rows of an export of these runs, and how many copies were left out."""
    end = run.typed(f"python tools/export.py {' '.join(runs)} --json")
    assert end.code == 0, end.said
    return csv_rows(Path(end.json["table"])), end.json["copies_left_out"]


def by_trial(rows: list[dict]) -> dict[str, str]:
    """Which run has the row of each trial."""
    return {row["trial"]: row["run"] for row in rows}


def test_an_answer_that_was_taken_over_stands_once(run: Commands, study: Callable) -> None:
    """As the row of the run that asked, where that is exported too, else once all the same; a run alone is whole."""
    names = []
    for trials in (1, 2, 3):
        end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--trials", trials, "--json")
        names.append(end.json["run"])
    one, two, three = names
    for runs, of, left_out in (
        (["all"], [one, two, three], 3),
        ([two, three], [two, two, three], 2),
        ([one, three], [one, three, three], 1),
        ([three], [three] * 3, 0),
    ):
        rows, copies = exported(run, *runs)
        assert ([*map(by_trial(rows).get, "123")], len(rows), copies) == (of, 3, left_out)
    shown = run.typed("python tools/export.py all").out
    assert "3 runs, 3 requests: 3 succeeded; others: 0\nleft out: 3 rows that were taken over" in shown


def test_what_an_imported_run_calls_a_run(run: Commands, study: Callable, tmp_path: Path) -> None:
    """A run that was made here is not the one of its name from which an imported run has its answers: both have all their rows."""
    base = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert run(*base, "--run", "x").code == 0
    copy = run(*base, "--json").json["run"]
    assert [row["taken_from"] for row in table(run.results / "openai" / copy)] == ["openai/x"] * 2
    assert run.typed(f"python -m tools.share {copy}").code == 0
    (archive,) = (run.results / "shared").iterdir()
    run.env["RESULTS_DIR"] = str(tmp_path / "other")
    assert run(*base, "--run", "x").code == 0
    assert run.typed(f"python -m tools.import_run {archive}").code == 0
    rows, copies = exported(run, "all")
    assert (sorted(row["run"] for row in rows), copies) == (sorted([copy, copy, "x", "x"]), 0)

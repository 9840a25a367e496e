"""Owns the tests of runs as data sets: a real run's answers come back as they were; what is not finished or not ours is refused."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.experiment.data.chained import OURS, Chained, column_name, of_run
from common.experiment.data.defused import defused, undefused
from common.results.rows import columns
from tests.support import Commands

NAMES = [name for name, _ in columns(())]
TOP = {"rows": 3, "planned": 3, "outcomes": {"succeeded": 2, "truncated": 1}, "paused": "", "simulated": False, "simulated_rows": 0}


def fail(key: str, message: str) -> InputError:
    return InputError(f"experiment.toml: data.{key}: {message}")


def made(results: Path, name: str = "openai/tea-123abc", summary: dict | bytes | None = None, **cells: str) -> Path:
    """A run's folder with three rows, of which one was cut off; `cells` change all rows."""
    folder = results / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(orjson.dumps({"address": "https://api.openai.com/v1"}))
    content = summary if isinstance(summary, bytes) else orjson.dumps({**TOP, **(summary or {})})
    (folder / "summary.json").write_bytes(content)
    with open(folder / "results.csv", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, NAMES, restval="", lineterminator="\n")
        writer.writeheader()
        for n, outcome in enumerate(("succeeded", "truncated", "succeeded"), 1):
            row = {"custom_id": f"p1_m_n0{n}_t1", "outcome": outcome, "simulated": "false", "answer": f"答え {n}", "model": "m"}
            writer.writerow({**row, **cells})
    return folder


def refusal(results: Path, name: str = "tea-123abc") -> str:
    with pytest.raises(InputError) as refused:
        of_run(results, name, fail)
    said = str(refused.value)
    assert said.isprintable() and len(said) < 600
    return said


def as_dicts(found: Chained) -> list[dict[str, str]]:
    return [dict(zip(found.columns, row)) for _, row in found.rows()]


def test_a_real_run_is_a_data_set(run: Commands, study: Callable) -> None:
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1-mini")
    assert end.code == 0, end.said
    (folder,) = (manifest.parent for manifest in run.results.glob("*/*/run.json"))
    found = of_run(run.results, folder.name, fail)
    rows = as_dicts(found)
    assert {row["custom_id"] for row in rows} == {"p1_gpt-4.1-mini_n01_t1", "p1_gpt-4.1-mini_n02_t1"}
    assert all(row["model"] == "gpt-4.1-mini" and row["persona"] == "1" and row["persona_name"] == "a reader" for row in rows)
    raw = "".join(file.read_text() for file in (folder.parent / "batch_results").glob("*_output.jsonl"))
    assert all(row["answer"] and orjson.dumps(row["answer"]).decode()[1:-1] in raw for row in rows)
    assert found.simulated and found.left_out == 0 and found.id_column in found.columns
    assert [row[-1] for _, row in found.numbered()] == ["t1", "t2"]


def test_an_unfinished_run_is_refused_with_what_finishes_it(still: Commands, study: Callable) -> None:
    end = still("openai", "--batch", "--no-wait", "--experiment", study(), "--model", "gpt-4.1-mini")
    (folder,) = (manifest.parent for manifest in still.results.glob("*/*/run.json"))
    said = refusal(still.results, folder.name)
    assert "is unfinished" in said and f"make status ID={folder.name}" in said, end.said


def test_a_table_that_is_damaged_is_made_anew_as_the_message_says(run: Commands, study: Callable) -> None:
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1-mini")
    assert run(*command).code == 0
    (table,) = run.results.glob("*/*/results.csv")
    digest = of_run(run.results, table.parent.name, fail).digests()
    table.write_bytes(b"".join(table.read_bytes().splitlines(keepends=True)[:1]))
    assert "delete it and type the run's own command again" in refusal(run.results, table.parent.name)
    table.unlink()
    assert run(*command).code == 0
    assert of_run(run.results, table.parent.name, fail).digests() == digest


def test_only_what_succeeded_is_asked_about_and_what_came_in_passing_is_no_column(tmp_path: Path) -> None:
    made(tmp_path)
    found = of_run(tmp_path, "openai/tea-123abc", fail)
    assert [(where, row["answer"], row["model"]) for where, row in zip((2, 4), as_dicts(found))] == [(2, "答え 1", "m"), (4, "答え 3", "m")]
    assert [where for where, _ in found.rows()] == [2, 4]
    assert found.left_out == 1 and not found.simulated
    assert not {"cost_usd", "batch_id", "created", "attempts"} & set(found.columns)


def rewritten(folder: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> str:
    """The digest of a run when its table has been changed."""
    with open(folder / "results.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    with open(folder / "results.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([rows[0], *change(rows[1:])])
    return of_run(folder.parents[1], folder.name, fail).digests()[0]


def test_the_digest_is_of_the_answers_not_of_how_they_came(tmp_path: Path) -> None:
    folder, cost, answer = made(tmp_path), NAMES.index("cost_usd"), NAMES.index("answer")
    digest = of_run(tmp_path, folder.name, fail).digests()[0]
    assert rewritten(folder, lambda rows: rows[::-1]) == digest
    assert rewritten(folder, lambda rows: [[*row[:cost], "0.5", *row[cost + 1 :]] for row in rows]) == digest
    assert rewritten(folder, lambda rows: [[*row[:answer], row[answer] + "!"] for row in rows]) != digest


@pytest.mark.parametrize("mark", [{"summary": {"simulated": True}}, {"summary": {"simulated_rows": 1}}, {"simulated": "true"}])
def test_one_simulated_row_or_word_is_enough(tmp_path: Path, mark: dict) -> None:
    made(tmp_path, **mark)
    assert of_run(tmp_path, "tea-123abc", fail).simulated


def test_a_run_with_the_local_service_is_simulated_whatever_its_table_says(tmp_path: Path) -> None:
    (made(tmp_path) / "run.json").write_bytes(b'{"address": "local"}')
    assert of_run(tmp_path, "tea-123abc", fail).simulated


def test_names_that_are_unknown_or_of_several_providers(tmp_path: Path) -> None:
    assert "there is none yet" in refusal(tmp_path / "nowhere")
    for n, name in enumerate(("openai/tea-123abc", "claude/tea-123abc", "openai/new-run", "openai/old-run")):
        folder = made(tmp_path, name)
        os.utime(folder / "run.json", (n, n))
    assert 'run = "claude/tea-123abc" or "openai/tea-123abc"' in refusal(tmp_path)
    assert of_run(tmp_path, "claude/tea-123abc", fail).file.parent.parent.name == "claude"
    assert "expected one such as tea-123abc, old-run, new-run" in refusal(tmp_path, "tea-123abd")
    for hostile in ("../openai/tea-123abc", "openai/../openai/new-run", "", "*", "/", "openai/*", "a\0b", "\x1b[31m", "x" * 100_000):
        assert "no run or experiment " in refusal(tmp_path, hostile)


@pytest.mark.parametrize(
    ("summary", "why"),
    [
        ({"outcomes": {"succeeded": 2, "pending": 1}}, "1 of 3 answers are not there yet"),
        ({"outcomes": {"succeeded": 1, "owed": 2}}, "2 of 3 answers are not there yet"),
        ({"planned": 5}, "2 of 5 answers are not there yet"),
        ({"paused": "the next batch\x1b[31m could cost more"}, "it waits (the next batch"),
        ({"rows": 4, "planned": 4}, "has 3 rows, its summary.json 4; delete it"),
        (b"[]", "is garbled"), (b"{", "is garbled"), (b"{}", "is garbled"), (b'{"outcomes": 3}', "is garbled"),
        ({"rows": "many"}, "is garbled"), ({"outcomes": {"pending": "x"}}, "is garbled"), ({"rows": None}, "is garbled"),
    ],
)  # fmt: skip
def test_unfinished_and_garbled_runs_are_refused(tmp_path: Path, summary: dict | bytes, why: str) -> None:
    made(tmp_path, summary=summary)
    said = refusal(tmp_path)
    assert why in said and ("make status ID=tea-123abc" if " is unfinished" in said else "type the run's own command again") in said


def test_a_run_in_which_nothing_succeeded(tmp_path: Path) -> None:
    made(tmp_path, outcome="refused")
    assert "nothing to ask about" in refusal(tmp_path)


@pytest.mark.parametrize(
    "table", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"custom_id,outcome,simulated,answer\n1,2\n", b'custom_id,"outcome', b"\0\0"]
)
def test_a_table_that_is_none(tmp_path: Path, table: bytes) -> None:
    folder = made(tmp_path)
    (folder / "results.csv").write_bytes(table)
    assert "results.csv" in refusal(tmp_path)
    (folder / "results.csv").unlink()
    assert "the table of tea-123abc is gone" in refusal(tmp_path)
    (folder / "results.csv").mkdir()
    assert "the table of tea-123abc is gone" in refusal(tmp_path)
    shutil.rmtree(folder / "results.csv")
    (folder / "run.json").write_bytes(b"null")
    assert "is garbled" in refusal(tmp_path)


@given(st.text(st.characters(codec="utf-8"), max_size=6) | st.text(st.sampled_from("'=+-@0.5 \t＝あ"), max_size=6))
def test_every_cell_has_a_way_back(cell: str) -> None:
    assert undefused(defused(cell)) == cell


def test_answers_are_the_models_own(tmp_path: Path) -> None:
    for n, answer in enumerate(("=1+1", "'=1+1", "-5", "'quoted'", "- one\n- two", '"x", y', "＝SUM")):
        made(tmp_path, f"openai/run-{n}", answer=defused(answer))
        assert as_dicts(of_run(tmp_path, f"run-{n}", fail))[0]["answer"] == answer


def test_columns_of_the_source_stand_beside_our_own() -> None:
    assert tuple(NAMES) == tuple(OURS)
    assert column_name("model") == "source_model" and column_name("Q1_joy") == "Q1_joy"
    assert column_name("Q1_joy", {"Q1_joy"}) == "source_Q1_joy"
    names = [*NAMES, "source_model", "source_source_model", "Q1_joy", "source_Q1_joy"]
    assert len(set(map(column_name, names))) == len(names)
    assert not set(map(column_name, names)) & set(NAMES)


def of_literary(results: Path, name: str, created: object, summary: dict | None = None) -> Path:
    """A run of the experiment literary."""
    folder = made(results, name, summary)
    told = {"address": "https://api.openai.com/v1", "experiment": "literary", "run": {"created_at": created}}
    (folder / "run.json").write_bytes(orjson.dumps(told))
    return folder


def test_an_experiments_name_means_its_newest_finished_run(tmp_path: Path) -> None:
    newest = of_literary(tmp_path, "claude/literary-2", 200.5)
    os.utime(newest / "run.json", (1, 1))  # newest by its creation, whatever a copy has done to its files
    of_literary(tmp_path, "openai/literary-1", 100)
    of_literary(tmp_path, "openai/literary-3", 300, {"outcomes": {"succeeded": 2, "pending": 1}})
    of_literary(tmp_path, "openai/literary-4", "garbled")
    made(tmp_path, "openai/other-1")
    assert of_run(tmp_path, "literary", fail).run == "claude/literary-2"
    assert of_run(tmp_path, "openai/literary", fail).run == "openai/literary-1"
    made(tmp_path, "llama/literary")  # a run that has this very name comes first
    assert of_run(tmp_path, "literary", fail).run == "llama/literary"


def test_an_experiment_of_which_no_run_is_finished(tmp_path: Path) -> None:
    for n in (1, 2):
        of_literary(tmp_path, f"openai/literary-{n}", n, {"outcomes": {"succeeded": 2, "pending": 1}})
    assert "literary-2 is unfinished: 1 of 3 answers" in refusal(tmp_path, "literary")
    assert "no run or experiment 'literari'" in refusal(tmp_path, "literari")

"""The included experiments run from beginning to end, and each shows what it is there to show."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import orjson
import pytest

from common import cli
from common.errors import InputError
from common.results.scoring import check_fit
from tests.basics import ROOT
from tests.cli.scripts import INPUT, OK, only_run, table
from tests.support import Commands

CHOICES = {"ポジティブ": "positive", "ネガティブ": "negative", "mixed": "neutral"}
NAMES = ("labels", "judge", "wording")


@pytest.mark.parametrize("name", NAMES)
def test_short_enough_to_be_read(name: str) -> None:
    assert len((ROOT / "experiments" / name / "experiment.toml").read_text(encoding="utf-8").splitlines()) < 40


def test_labels_are_compared_with_gold(run: Commands) -> None:
    """What the screen, summary.json and confusion.csv say is what a count of the table says."""
    end = run("openai", "--batch", "--experiment", "experiments/labels", "--model", "gpt-4.1", "gpt-4.1-mini")
    assert end.code == OK, end.said
    folder = only_run(run.results, "openai")
    rows = table(folder)
    rights = {}
    assert len(rows) == 48 and {row["lang"] for row in rows} == {"ja", "en"}
    for model in ("gpt-4.1", "gpt-4.1-mini"):
        mine = [row for row in rows if row["model"] == model]
        pairs = Counter((CHOICES.get(row["mood"], row["mood"].lower()), row["Q1_Mood"]) for row in mine)
        right = sum(count for (gold, answer), count in pairs.items() if gold == answer)
        assert f"Q1 Mood, {model}: {right} of 24 as in gold ({round(100 * right / 24, 1):g} %)" in end.out
        assert f"Q2 Complaint, {model}: " in end.out and "of 23 as in gold" in end.out and "not compared: 1 without a gold value" in end.out
        with open(folder / "confusion.csv", encoding="utf-8-sig", newline="") as file:
            confused = [row for row in csv.DictReader(file) if (row["question"], row["model"]) == ("Q1", model)]
        assert {(row["gold"], row["answer"]): int(row["rows"]) for row in confused} == pairs
        assert {row["simulated"] for row in confused} == {"true"}
        (told,) = (t for t in orjson.loads((folder / "summary.json").read_bytes())["gold"] if (t["question"], t["model"]) == ("Q1", model))
        assert (told["as_in_gold"], told["compared"], told["gold_empty"], told["gold_unclear"]) == (right, 24, 0, 0)
        rights[model] = f"<bdi>{model}</bdi>: {right} of 24 as in gold", pairs
    _in_the_report(run, rights)


def _in_the_report(run: Commands, rights: dict[str, tuple[str, Counter]]) -> None:
    """The page has the same accuracy and confusion, and that two models agree as far as Cohen's kappa says."""
    assert run.make("report", "all").code == OK
    page = (run.results / "report.html").read_text(encoding="utf-8")
    for said, pairs in rights.values():
        shown = page[page.index(said) :]
        rows = re.findall("<tr>(.*?)</tr>", shown[: shown.index("</table>")])
        (head, *rows) = ([re.sub("<[^>]+>", "", cell) for cell in re.findall("<t[hd].*?</t[hd]>", row)] for row in rows)
        answers = ["" if name == "(no value)" else name for name in head[1:]]
        assert {(gold, answer): int(n) for gold, *cells in rows for answer, n in zip(answers, cells) if int(n)} == pairs
    assert re.search(r"<small>(<bdi>)?Cohen(</bdi>)?: [0-9]+ of 24</small>", page)


def test_the_judge_reads_the_newest_literary_run(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """First there is none; then its answers are what is asked about, its columns are kept, and all is simulated."""
    judge = ("claude", "--batch", "--experiment", "experiments/judge", "--model", "claude-haiku-4-5")
    none = run(*judge)
    assert none.code == INPUT and "no run or experiment 'literary'" in none.error and "make it first" in none.error
    assert run("openai", "--batch", "--model", "gpt-4.1", "--trials", "2").code == OK
    refused = run(*judge)
    assert refused.code == INPUT and "--allow-simulated" in refused.error
    end = run(*judge, "--allow-simulated")
    assert end.code == OK and "the texts are the answers of run openai/literary-" in end.out, end.said
    rows = table(only_run(run.results, "claude"))
    assert len(rows) == 12 and all(row["simulated"] == "true" and row["Q1_人物らしさ"] for row in rows)
    assert {row["source_model"] for row in rows} == {"gpt-4.1"} and len({row["source_persona_name"] for row in rows}) == 4
    raw, *_ = (run.results / "claude/batch_results").glob("*_output.jsonl")
    monkeypatch.setenv("RESULTS_DIR", str(run.results))
    monkeypatch.chdir(ROOT)
    assert cli.converter("claude", [str(raw), "--format", "csv", "--experiment", "experiments/judge"]) == OK
    assert cli.make("rescore", [only_run(run.results, "claude").name]) == OK


def test_wording_is_crossed_less_what_is_skipped(run: Commands) -> None:
    end = run("openai", "--batch", "--experiment", "experiments/wording", "--model", "gpt-4.1")
    assert end.code == OK, end.said
    assert "1 persona × 3 texts × 2 language × 3 wording × 1 model × 5 trials = 90; only and skip leave 60" in end.out
    rows = table(only_run(run.results, "openai"))
    cells = Counter((row["language"], row["wording"]) for row in rows)
    assert cells == dict.fromkeys((("ja", "plain"), ("ja", "polite"), ("en", "plain"), ("en", "careful")), 15)
    assert {row["Q1_Wish"] for row in rows} <= set("1234567")


def test_gold_that_a_run_has_not_kept_cannot_score_it() -> None:
    class Origin:
        experiment, run, questions, kept_names = "labels", "labels-1", (), ("lang",)

    from common.experiment.read import load

    questions = load(ROOT / "experiments/labels").questions
    with pytest.raises(InputError, match="question Q1: gold: run labels-1 has kept no 'mood'; it has lang"):
        check_fit(Origin, "labels", questions, Path("x.toml"))

"""Answers beside gold: spellings count as the same, what cannot be compared is told apart, and memory stays flat."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cli.text import as_in_gold
from common.errors import InputError
from common.experiment.questions import asked_of
from common.experiment.read import load
from common.nouns import Question, Result
from common.results import gold as module
from common.results.checked import Checked
from common.results.gold import Gold
from common.results.origin import Meta
from common.results.rows import Row

MOOD = Question("Q1", "Mood", type="choice", choices=(("good", ("良い",)), ("bad", ()), ("so-so", ())), reason="no", gold="mood")
SCALE = Question("Q2", "Wish", 1, 7, type="integer", reason="no", gold="mood")
SURE = Question("Q3", "Sure", type="yes_no", reason="no", gold="mood")


def row(question: Question, cell: str, value: object, text: str = "answered", model: str = "m", simulated: bool = False) -> Row:
    checked = Checked("success", (value,), ("",), ("asked",), ())
    return Row(Meta("id", model, kept=("x", cell)), Result("id", "succeeded", text, simulated=simulated), checked)


def counted(question: Question, *rows: Row) -> Gold:
    found = Gold([question], ["lang", "mood"])
    assert [*found.counting(rows)] == [*rows]
    return found


@pytest.mark.parametrize(
    ("question", "cell", "value"),
    [
        (MOOD, "good", "good"), (MOOD, " GOOD. ", "good"), (MOOD, "良い", "good"), (MOOD, "Ｂａｄ", "bad"), (MOOD, "so–so", "so-so"),
        (SCALE, "7", 7), (SCALE, "７", 7), (SCALE, " 1 ", 1), (SURE, "Yes", "yes"), (SURE, "いいえ", "no"), (SURE, "TRUE", "yes"),
    ],
)  # fmt: skip
def test_gold_is_read_like_an_answer(question: Question, cell: str, value: object) -> None:
    (told,) = counted(question, row(question, cell, value)).facts()
    assert (told["compared"], told["as_in_gold"], told["confused"]) == (1, 1, [])


def test_what_is_not_compared_and_what_is_wrong() -> None:
    cells = [("good", "bad"), ("good", None), ("", "good"), (" ", "good"), ("what?", "good"), ("bad", "bad")]
    found = counted(MOOD, *(row(MOOD, *cell) for cell in cells), row(MOOD, "good", None, text=""))
    (told,) = found.facts()
    assert (told["compared"], told["as_in_gold"], told["gold_empty"], told["gold_unclear"]) == (3, 1, 2, 1)
    assert told["confused"] == [{"gold": "good", "answer": "", "rows": 1}, {"gold": "good", "answer": "bad", "rows": 1}]
    assert as_in_gold({"gold": [told]}) == [
        "Q1 Mood, m: 1 of 3 as in gold (33.3 %); most confused: no value for good 1; "
        "not compared: 2 without a gold value, 1 whose gold value is no answer to the question"
    ]
    assert counted(SCALE, row(SCALE, "9", 7)).facts()[0]["gold_unclear"] == 1


def test_a_hundred_per_cent_means_all() -> None:
    rows = [row(MOOD, "good", "good")] * 9999
    (line,) = as_in_gold({"gold": counted(MOOD, *rows, row(MOOD, "good", "bad")).facts()})
    assert "9,999 of 10,000 as in gold (99.9 %)" in line
    assert "(100 %)" in as_in_gold({"gold": counted(MOOD, *rows).facts()})[0]
    assert as_in_gold({"gold": counted(MOOD, row(MOOD, "", "good")).facts()})[0].startswith("Q1 Mood, m: 0 of 0 as in gold; not compared")


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7) | st.none(), st.sampled_from("ab"), st.booleans()), max_size=40))
def test_the_sums_fit(answers: list) -> None:
    found = counted(SCALE, *(row(SCALE, str(gold), value, model=model, simulated=sim) for gold, value, model, sim in answers))
    models = Counter(model for *_, model, _ in answers)
    assert {told["model"]: told["compared"] for told in found.facts()} == models
    for told in found.facts():
        wrong = sum(entry["rows"] for entry in told["confused"])
        assert wrong + told["as_in_gold"] == told["compared"] or len(told["confused"]) == module.SHOWN


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Integers may have a billion values: pairs beyond a bound are one, and accuracy is still exact."""
    monkeypatch.setattr(module, "MOST", 5)
    wide = Question("Q2", "Wish", 0, 1e9, type="integer", reason="no", gold="mood")
    found = counted(wide, *(row(wide, str(n), n + n % 2) for n in range(1000)))
    (told,) = found.facts()
    assert (told["compared"], told["as_in_gold"]) == (1000, 500)
    found.write(tmp_path)
    lines = (tmp_path / "confusion.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + 6 and sum(int(line.split(",")[5]) for line in lines[1:]) == 1000
    Gold([], []).write(tmp_path)
    assert not (tmp_path / "confusion.csv").exists()


def test_gold_decides_nothing_that_is_asked() -> None:
    """An answer that was paid for is not bought again because somebody compares it."""
    assert asked_of(MOOD) == asked_of(Question("Q1", "Mood", type="choice", choices=MOOD.choices, reason="no"))


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ('{id = "Q1", name = "A", type = "yes_no", gold = "mod"}', "question[1].gold: no column 'mod'; expected one of"),
        ('{id = "Q1", name = "A", gold = "mood"}', "gold: stands in a question of type number; it goes with type = choice or"),
        ('{id = "Q1", name = "A", type = "yes_no", gold = 3}', "gold: is 3; expected a column of the data"),
    ],
)  # fmt: skip
def test_a_gold_that_is_none(study: object, question: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        load(study(question=f"[{question}]"))
    assert why in str(refused.value)


def test_a_gold_column_is_kept_though_columns_leaves_it_out(study: object) -> None:
    from common.experiment.columns import kept

    question = '[{id = "Q1", name = "A", type = "yes_no", gold = "mood"}]'
    files = {"d.csv": "id,text,mood\n1,a,yes\n"}
    found = load(study(files, text=None, data='{file = "d.csv", id = "id"}', columns="[]", question=question))
    assert [column.header for column in kept(found)] == ["mood"]

"""Answers are read in the forms that models really use, and a wrong number is never taken."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.nouns import Question
from common.results.answers import Checker
from common.results.patterns import FOLD, fold

NAMES = ("面白さ", "驚き", "悲しみ", "怒り")
QUESTIONS = tuple(Question(f"Q{n}", name, 0, 100, "数値", "理由") for n, name in enumerate(NAMES, 1))
CHECKER = Checker(QUESTIONS)
ENGLISH = Checker([Question("Q1", "Anger"), Question("Q2", "Quiet anger"), Question("Q3", "Fun")])
ONE = Checker(QUESTIONS[:1])

FORMS = {
    "asked": "{id}. {name}(数値): {value}",
    "colon_label": "{id}. {name}: (数値): {value}",
    "spaced_label": "{id}. {name} 数値: {value}",
    "plain": "{id}. {name}: {value}",
    "rating": "{name}の評価: {value}",
    "level": "{name}レベル: {value}",
    "quoted": "「{name}」: {value}",
    "bracketed": "[{name}]: {value}",
}
WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)} | {" ": "\u3000"})
DRESSES = {
    "plain": str,
    "full-width": lambda line: line.translate(WIDE),
    "bold": lambda line: f"**{line}**",
    "bold head": lambda line: "**" + line.replace(": ", ":** ", 1) if line.count(": ") == 1 else f"**{line}**",
    "bullet": lambda line: f"- {line}",
    "heading": lambda line: f"### {line}",
    "points": lambda line: f"{line}点",
    "of a hundred": lambda line: f"{line}/100",
    "spaced": lambda line: "  " + line.replace(":", " : "),
}


def answer(form, dress, values):
    lines = []
    for question, value in zip(QUESTIONS, values):
        lines.append(dress(form.format(id=question.id, name=question.name, value=value)))
        lines.append(dress(f"{question.id}. {question.name}(理由): 燕の言葉が残った"))
    return "\n".join(lines)


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES)
@pytest.mark.parametrize("name", FORMS)
def test_every_form_in_every_dress(name, dress):
    """Each of the eight forms is read in each width and markdown, and named in the result: every value, to every question."""
    for first in range(101):
        values = tuple((first + step) % 101 for step in (0, 31, 62, 93))
        checked = CHECKER.check(answer(FORMS[name], dress, values))
        assert checked.values == tuple(map(float, values))
        assert checked.patterns == (name,) * 4
        assert all("燕" in reason for reason in checked.reasons)
        assert checked.status == "success"


@pytest.mark.parametrize(
    "told",
    [
        *("80-90", "80〜90", "80–90", "-5", "1000", "1,000", "101", "不明", "八十", "3つの点で", "100点満点中80点", "8/10"),
        *("80か90", "80または90", "80 or 90", "80 90", "80、90", "0x50", "1e2", "12.3.4", "[0-100]", "…", "n/a", ""),
        *("1. テンポがよい", "about 80"),
    ],
)
def test_what_is_not_one_number_is_no_number(told):
    """A range, another scale, a list, or a number outside the question's range gives None, never a wrong value."""
    checked = ONE.check(f"Q1. 面白さ(数値): {told}\nQ1. 面白さ(理由): よい")
    assert checked.values == (None,)
    assert checked.status == "partial"
    assert checked.problems


@pytest.mark.parametrize(("told", "value"), [("80.5", 80.5), ("80%", 80), ("80 / 100", 80), ("80です。", 80), ("[80]", 80), ("100", 100)])
def test_numbers_as_people_write_them(told, value):
    """Decimals, percent of a 100 scale, and a polite ending are still that number."""
    assert ONE.check(f"面白さ: {told}").values == (value,)


def test_name_within_a_name():
    """A question whose name is part of another one's name takes only its own line."""
    checked = ENGLISH.check("Quiet anger: 7\nanger: 60\nFUN: 5\nAngers: 9\nFunny: 3")
    assert checked.values == (60.0, 7.0, 5.0)


def test_prose_is_no_answer():
    """A name inside a sentence is not a head."""
    assert CHECKER.check("この作品の面白さ: 80 と書きたいところだが、悲しみは90に近い。").values == (None,) * 4


def test_names_with_regex_characters():
    """Names and labels are text, whatever they mean to a regular expression."""
    checker = Checker([Question("Q.1", "C++ (fun?)", 0, 10, "va|ue", "why*"), Question("Q[2]", ".*", 0, 10, "va|ue", "why*")])
    exact = "Q.1. C++ (fun?)(va|ue): 7\nQ.1. C++ (fun?)(why*): nice\nQ[2]. .*(va|ue): 3\nQ[2]. .*(why*): so"
    for text in (exact, exact.replace("(va", " (va")):
        assert checker.check(text)[:3] == ("success", (7.0, 3.0), ("nice", "so"))


@pytest.mark.parametrize("example", ["[0-100]", "50", "0-100", "<数値>", ""])
def test_the_prompt_echoed_back(example):
    """The format repeated before the real answer is not the answer."""
    echo = f"Q1. 面白さ(数値): {example}\nQ1. 面白さ(理由): [理由]\n\n"
    checked = ONE.check(echo + "Q1. 面白さ(数値): 75\nQ1. 面白さ(理由): とてもよい。")
    assert checked == ("success", (75.0,), ("とてもよい。",), ("asked",), ())


def test_two_values_are_a_problem():
    """Of two different values the first is taken, and said; the same value twice is no problem."""
    checked = ONE.check("面白さ: 80\n理由: よい\n面白さ: 70")
    assert checked.values == (80.0,)
    assert checked.status == "partial"
    assert "70" in checked.problems[0]
    assert ONE.check("面白さ: 80\n理由: よい\nまとめ\n面白さ: 80").status == "success"


def test_an_id_that_contradicts_the_name():
    """A value under another question's id is not believed."""
    checked = CHECKER.check("Q2. 面白さ(数値): 80")
    assert checked.values == (None,) * 4
    assert "Q2" in checked.problems[0]


def test_same_name_different_ids():
    """Questions of the same name are told apart by id only."""
    twins = Checker([Question("Q1", "Rating"), Question("Q2", "Rating")])
    assert twins.check("Q2. Rating: 5\nQ1. Rating: 9").values == (9.0, 5.0)
    assert twins.check("Rating: 5").values == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "面白さ: 80 (理由: 燕がよい)",
        "面白さ: 80。燕がよい",
        "面白さ: 80 - 燕がよい",
        "### Q1. 面白さ\n- 数値: 80\n- 理由: 燕がよい",
        "Q1. 面白さ(数値): 80 Q1. 面白さ(理由): 燕がよい",
        "面白さ: 80\n燕がよい\n\n以上です。",
        "面白さ:\n80点\n理由：燕がよい",
        "<think>面白さ: 20くらい？\n面白さ: 30</think>\n\n面白さ: 80\n面白さの理由: 燕がよい",
    ],
)
def test_reasons_in_odd_places(text):
    """A reason is found behind its value, in brackets, under a bare label, or after the model's drafts."""
    assert ONE.check(text)[:3] == ("success", (80.0,), ("燕がよい",))


def test_several_on_one_line():
    """Values in a row, separated by commas, are all read."""
    assert CHECKER.check("面白さ: 80、驚き: 70、悲しみ: 5、怒り: 0").values == (80.0, 70.0, 5.0, 0.0)


def test_long_reasons_and_windows_lines():
    """A reason runs to the next question, over several lines, with either kind of line end."""
    text = "Q1. 面白さ(数値): 80\r\nQ1. 面白さ(理由): 一行目\r\n二行目\r\nQ2. 驚き(数値): 5"
    checked = CHECKER.check(text)
    assert checked.reasons[0].split() == ["一行目", "二行目"]
    assert checked.values[:2] == (80.0, 5.0)


@pytest.mark.parametrize("text", ["", "わかりません。", "<think>面白さ: 80"])
def test_nothing_found_is_failed(text):
    """An answer without any value or reason has failed, question by question."""
    checked = CHECKER.check(text)
    assert checked.status == "failed"
    assert len(checked.problems) == 8


def test_no_questions():
    """An experiment without questions has nothing to fail at."""
    assert Checker(()).check("text").values == ()


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("Q1234. 面白さ驚き(数値理由):：８0-/点\n「」[]*、")))
def test_any_text_is_survived(text):
    """Whatever a model writes, values are in range or None, and nothing is raised."""
    checked = CHECKER.check(text)
    assert all(value is None or 0 <= value <= 100 for value in checked.values)
    assert checked.status in ("success", "partial", "failed")


@settings(deadline=None)
@given(st.text(alphabet=st.one_of(st.sampled_from(sorted(FOLD)), st.characters())))
def test_folding_is_one_character_to_one(text):
    """The quick way folds as the table says, whatever stands beside what; places stay the same."""
    assert fold(text) == "".join(FOLD.get(character, character) for character in text)


@pytest.mark.parametrize("piece", ["Q1. ", " ", "-", "(", "「面白さ", "1.", "面白さ ", "\n- ", "[", "5"])
def test_hostile_length_costs_linear_time(piece):
    """No answer can make the patterns run away."""
    text = "面白さ" + piece * (50_000 // len(piece))
    begin = time.perf_counter()
    CHECKER.check(text)
    assert time.perf_counter() - begin < 2

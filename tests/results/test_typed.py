"""Typed questions are read in the text form: choices, lists, yes or no, text and JSON; never a value that was not meant."""

import json
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.nouns import Question
from common.results.answers import Checker
from common.results.checked import kinds

MOODS = (("positive", ("good", "ポジティブ")), ("negative", ()), ("neutral", ("mixed", "so-so")))


def asked(kind="choice", reason="no", low=0, high=100, choices=MOODS, **more):
    choices = choices if kind in ("choice", "choices") else ()
    return Question("Q1", "Mood", low, high, type=kind, reason=reason, choices=choices, **more)


def value(text, **more):
    return Checker([asked(**more)]).check(text).values[0]


HEADS = [
    "Q1. Mood(value): {}",
    "Q1. Mood: {}",
    "Mood: {}",
    "**Mood:** {}",
    "「Mood」: {}",
    "Mood rating: {}",
    "- Q1. Mood (value): {}",
    "{}",
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("negative", "negative"),
        ("Negative.", "negative"),
        ("**NEGATIVE**", "negative"),
        ('"ｎｅｇａｔｉｖｅ"', "negative"),
        ("good", "positive"),
        ("ポジティブです。", "positive"),
        ("So–So", "neutral"),
    ],
)
def test_a_choice_in_any_dress(head, told, meant):
    """Case, width, quotes, markdown, an end of sentence and other spellings do not matter, behind a head or alone."""
    assert Checker([asked()]).check(head.format(told))[:2] == ("success", (meant,))


@pytest.mark.parametrize(
    "told",
    [
        "not positive",
        "positive or negative",
        "positive/negative",
        "positive, negative",
        "positive?",
        "positively",
        "unpositive",
        "",
        "ポジティブではない",
        "positive, but not really",
        "positive - not negative",
        "good. Or bad?",
        "it is positive",
        "positive\nnegative",
    ],
)
@pytest.mark.parametrize("head", ["Q1. Mood(value): {}", "{}"])
def test_what_is_not_one_choice_is_none(head, told):
    """Two choices, one that is taken back, or a word inside another one: a problem and not a guess."""
    checked = Checker([asked()]).check(head.format(told))
    assert checked.values == (None,) and checked.status == "failed" and len(checked.problems) == 1


def test_choices_that_contain_each_other():
    """C, C++ and C# are told apart, bare, in bold and before a reason."""
    languages = (("C", ()), ("C++", ()), ("C#", ()))
    for name, _ in languages:
        for told in ("{}", "**{}**", "`{}`.", "Mood: {}", "Mood: {} (old but fast)"):
            found = value(told.format(name), choices=languages)
            assert found == name or (found is None and "(" in told), (name, told, found)


@pytest.mark.parametrize(
    "told", ["Q1. Mood: negative (too slow)", "Mood: negative - too slow", "Mood: negative. too slow", "negative\n\nToo slow"]
)
def test_an_optional_reason(told):
    """A reason that may be there is read where it is, and its absence is no problem."""
    checker = Checker([asked(reason="optional")])
    checked = checker.check(told)
    assert (checked.status, checked.values[0], checked.reasons[0].lower()) == ("success", "negative", "too slow")
    assert checker.check("negative").status == "success"


def test_a_reason_that_is_required():
    """With a reason asked for, an answer without one is not clean, and a bare word is none."""
    checker = Checker([asked(reason="yes")])
    assert checker.check("Mood: negative\nreason: slow")[:3] == ("success", ("negative",), ("slow",))
    assert kinds(checker.check("Mood: negative").problems) == {"no reason found"}
    assert checker.check("negative").status == "failed"


def test_several_questions_on_a_line_and_no_bare_answers():
    """Values of different types stand behind each other; a bare word answers one question only."""
    two = Checker([asked(), Question("Q2", "Stars", 1, 5, type="integer", reason="no")])
    assert two.check("Mood: negative, Stars: 4").values == ("negative", 4)
    assert two.check("Q1. Mood(value): good\nQ2. Stars(value): 4")[:2] == ("success", ("positive", 4))
    assert two.check("negative").values == (None, None)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("positive, neutral", "positive; neutral"),
        ("neutral and good", "positive; neutral"),
        ("- negative\n- positive", "positive; negative"),
        ('["mixed"]', "neutral"),
        ("none", ""),
        ("なし", ""),
        ("positive, happy", None),
        ("not positive", None),
        ("positive or neutral", None),
    ],
)
@pytest.mark.parametrize("head", ["Q1. Mood(value): {}", "Mood:\n{}", "{}"])
def test_lists_of_choices(head, told, meant):
    """Several choices are read whole or not at all, in the experiment's order."""
    if head == "{}" and "\n" in told:
        return
    assert value(head.format(told), kind="choices") == meant


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("Yes", "yes"),
        ("はい", "yes"),
        ("いいえ。", "no"),
        ("TRUE", "yes"),
        ("No.", "no"),
        ("Mood: no, not at all", "no"),
        ("Mood: yes or no", None),
        ("Mood: maybe", None),
        ("not yes", None),
        ("Mood: Yes/No", None),
    ],
)
def test_yes_and_no(told, meant):
    """A closed list of words means yes or no."""
    assert value(told, kind="yes_no") == meant


@pytest.mark.parametrize(
    ("told", "scale", "meant"),
    [
        *[(f"{minus}3", (-3, 3), -3) for minus in "-−–—‐‑－"],
        ("+2", (-3, 3), 2),
        ("-4", (-3, 3), None),
        ("-3 to +3", (-3, 3), None),
        ("5.5", (1, 7), 5.5),
        ("5,5", (1, 7), 5.5),
        ("5,25", (1, 7), 5.25),
        ("5/7", (1, 7), 5),
        ("5/10", (1, 7), None),
        ("8", (1, 7), None),
        ("1,000", (0, 100), None),
        ("1,000", (0, 5000), None),
        ("1,000", (500, 5000), 1000),
        ("1,000,000", (0, 2e6), 1e6),
        ("80,90", (0, 100), None),
        ("5, 5", (1, 7), None),
        ("9,5", (1, 7), None),
        ("0,5", (0, 1), 0.5),
    ],
)
@pytest.mark.parametrize("head", ["Q1. Mood(value): {}", "Mood: {}", "Mood:\n{}", "{}", "{}."])
def test_numbers_on_any_scale(head, told, scale, meant):
    """Signs, decimals and thousands are taken where they can be meant in one way only."""
    assert value(head.format(told), kind="number", low=scale[0], high=scale[1]) == meant


@pytest.mark.parametrize(("told", "meant"), [("7", 7), ("7.0", 7), ("5.5", None), ("5,5", None), ("1,000", None), ("-1", None)])
def test_whole_numbers(told, meant):
    """An integer is whole and of that type."""
    for text in (told, f"Mood: {told}", f"Q1. Mood(value): {told}"):
        found = value(text, kind="integer", low=1, high=7)
        assert (found, type(found)) == (meant, type(meant))
    assert value("1,000", kind="integer", low=0, high=5000) == 1000


JSON_FORMS = ["{}", "Q1. Mood(value): {}", "Mood:\n```json\n{}\n```\nThat is all.", "**Mood:** {}", "```json\n{}\n```"]


@pytest.mark.parametrize("form", JSON_FORMS)
def test_json_behind_a_head(form):
    """The first object behind the head is read, also when it is fenced, printed over lines, or quotes a head."""
    given = {"a": [1, {"b": "Q1. Mood(value): 3\nMood: 4"}], "c": None}
    for indent in (None, 2):
        found = value(form.replace("{}", json.dumps(given, indent=indent)), kind="json")
        assert json.loads(found) == given


@pytest.mark.parametrize("told", ['{"a": 1', '{"a": NaN}', '{"a": 1, "a": 2}', "none", '{"a": 1e999}', "{" * 9000, '{"a":' * 9000])
def test_json_that_is_not_taken(told):
    """Broken, ambiguous and hostile JSON is a problem."""
    assert Checker([asked("json")]).check(f"Q1. Mood(value): {told}")[:2] == ("failed", (None,))


def test_the_prompt_echoed_back():
    """A range or the list of choices repeated is no answer; the one that follows is."""
    assert value("Mood: [positive/negative/neutral]\nMood: neutral") == "neutral"
    assert value("Mood: positive / negative / neutral\nMood: neutral") == "neutral"
    assert value("Mood: -3 to +3\nMood: 2", kind="number", low=-3, high=3) == 2
    assert value("Mood: positive\nMood: negative") is None


# ---- our own well-formed answers are read back exactly

LABELS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12).filter(lambda s: s == s.strip())


def distinct(labels):
    """Choices as the experiment's reader takes them."""
    from common.experiment.choices import Spellings

    try:
        return bool(Spellings([(label, ()) for label in labels]))
    except ValueError:
        return False


@settings(max_examples=60, deadline=None)
@given(st.lists(LABELS, min_size=2, max_size=5, unique=True).filter(distinct), st.data())
def test_any_choices_are_read_back(labels, data):
    """Whatever the choices are called, each is itself again: in the asked form, behind a name, and alone."""
    checker = Checker([asked(choices=tuple((label, ()) for label in labels))])
    label = data.draw(st.sampled_from(labels))
    for form in ("Q1. Mood(value): {}", "Mood: {}", "{}"):
        assert checker.check(form.format(label))[:2] == ("success", (label,))


@settings(max_examples=60, deadline=None)
@given(st.integers(-50, 50), st.integers(1, 60), st.data(), st.sampled_from(["number", "integer"]))
def test_any_scale_is_read_back(low, width, data, kind):
    """Each number of any scale is itself again."""
    number = data.draw(st.integers(low, low + width))
    for form in ("Q1. Mood(value): {}", "Mood: {}", "{}", "{}/" + str(low + width)):
        if "/" not in form or low + width > 0:
            assert value(form.format(number), kind=kind, low=low, high=low + width) == number


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=3), st.booleans())
def test_any_json_is_read_back(given_value, escaped):
    """Any object behind a head is itself again, but for half a character, and in NFC as all that is read in the text form."""
    told = json.dumps(given_value, ensure_ascii=escaped)
    if not escaped:
        given_value = json.loads(unicodedata.normalize("NFC", told))
    found = value(f"Q1. Mood(value): {told}", kind="json")
    assert json.loads(found) == json.loads(json.dumps(given_value, ensure_ascii=False).encode("utf-8", "replace"))


KINDS = ("number", "integer", "choice", "choices", "yes_no", "text", "json")
CHECKERS = [Checker([asked(kind, reason)]) for kind in KINDS for reason in ("no", "yes", "optional")]
MIXED = Checker(
    [Question(f"Q{n}", f"Name{n}", type=k, reason="optional", choices=MOODS if "choice" in k else ()) for n, k in enumerate(KINDS)]
)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from('Q1. Mod(value): positvengray,/-{}[]"\\:0123、\n「」*いはnot ') | st.characters(codec="utf-8")))
def test_any_text_is_survived(text):
    """Whatever a model writes, nothing is raised, and a choice is one of ours."""
    for checker in (*CHECKERS, MIXED):
        checked = checker.check("Q1. Mood: " + text)
        assert checked.status in ("success", "partial", "failed")
        checker.check(text)
        if checker.questions[0].type == "choice":
            assert checked.values[0] in (None, "positive", "negative", "neutral")


@pytest.mark.parametrize(
    "piece", ["Q1. Mood: ", "positive, ", "positive", '{"a":', "{", '{"', '"', "\n", "\nMood: {", "- positive\n", "[", " ", "1,", "not "]
)
def test_hostile_length_costs_linear_time(piece):
    """No answer can make a reader run away."""
    text = "Q1. Mood: " + piece * (30_000 // len(piece))
    for checker in (*CHECKERS[2::3], MIXED):
        begin = time.perf_counter()
        checker.check(text)
        assert time.perf_counter() - begin < 2

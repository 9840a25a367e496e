"""Checks that the rehearsal answers what a prompt asks for: scales, choices, JSON, languages; and how its opinions vary."""

from __future__ import annotations

import json
import re
from collections import Counter
from statistics import mean, pstdev
from time import process_time

import jsonschema
import pytest

from common.nouns import Question
from common.results.answers import Checker
from tools.batch_server.rows import Context, Outcome, answer

SHARES = {"odd": 0.0, "cut": 0.0, "heal": 0.0, "refuse": 0.0}


def outcome(prompt: str | list, number: int = 0, model: str = "gpt-4.1", shares: dict | None = None, **body: object) -> Outcome:
    """What became of one request with one prompt (or whole messages)."""
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    context = Context("batch_tests", "openai", "/v1/chat/completions", 0, shares or SHARES)
    return answer({"model": model, "messages": messages, **body}, f"row{number}", context, lambda key: None)


def said(prompt: str | list, number: int = 0, **more: object) -> str:
    """The words of the answer."""
    got = outcome(prompt, number, **more)
    assert got.status == 200, got.body
    return got.body["choices"][0]["message"]["content"]


def thirty(prompt: str | list, **more: object) -> list[str]:
    """The answers of thirty trials."""
    return [said(prompt, number, **more) for number in range(30)]


@pytest.mark.parametrize(("form", "low", "high"), [
    ("[1-7]", 1, 7), ("[1–7]", 1, 7), ("[−3..+3]", -3, 3), ("[-3 to 3]", -3, 3), ("[0-100]", 0, 100), ("<1 to 5>", 1, 5),
    ("[an integer from 1 to 9]", 1, 9), ("[1〜5]", 1, 5),
])  # fmt: skip
def test_scales_of_a_form_are_clean(form: str, low: int, high: int):
    """A correct study on any scale has no partial answer, and uses more than one value of it."""
    prompt = f"Rate it.\n\nQ1. Joy(value): {form}\nQ1. Joy(reason): [reason]\nQ2. Fear(value): {form}\nQ2. Fear(reason): [reason]"
    checker = Checker([Question(f"Q{n}", name, low, high, "value", "reason") for n, name in ((1, "Joy"), (2, "Fear"))])
    checked = [checker.check(text) for text in thirty(prompt)]
    assert {one.status for one in checked} == {"success"}
    assert len({one.values for one in checked}) > 3 and all(value == int(value) for one in checked for value in one.values)


@pytest.mark.parametrize(("words", "low", "high"), [
    ("Rate each on a scale from 1 (not at all) to 7 (very much).", 1, 7), ("On a scale of 1 to 10, how strong is each?", 1, 10),
    ("Give numbers between -3 and 3.", -3, 3), ("それぞれ0から100までの数値で評価してください。", 0, 100),
    ("各項目を1〜5の5段階で評価してください。", 1, 5),
    ("7-point scale, please.", 1, 7), ("各項目を7件法で答えてください。", 1, 7),
    ("Score: 1 = never, 2 = rarely, 3 = often, 4 = always", 1, 4),
    ("各項目を10点満点で採点してください。", 0, 10), ("Bewerten Sie auf einer Skala von 1 bis 6.", 1, 6),
    ("Rate them from 1 to 7, with 2-3 sentences of reason. The text is from 2019-2021.", 1, 7),
])  # fmt: skip
def test_scales_of_the_instructions(words: str, low: int, high: int):
    """Where the form has no range, the instructions' holds for all its questions; lengths and years are no scales."""
    values = [float(value) for text in thirty(f"{words}\n\nQ1. A(value):\nQ2. B(value):") for value in re.findall(r": (\S+)", text)]
    assert len(values) == 60 and low <= min(values) < max(values) <= high


def test_each_question_has_its_own_scale():
    """A line about a question says its scale."""
    prompt = "Joy: rate it from 1 to 7\nAnger: rate it from 50 to 60\n\nQ1. Joy(value):\nQ2. Anger(value):"
    for text in thirty(prompt):
        joy, anger = map(int, re.findall(r": (\d+)", text))
        assert 1 <= joy <= 7 and 50 <= anger <= 60


@pytest.mark.parametrize(("prompt", "choices"), [
    ("Is it nice? Answer with one of: positive, negative, neutral.", {"positive", "negative", "neutral"}),
    ("Classify the review as positive, negative or neutral. Answer with one word.", {"positive", "negative", "neutral"}),
    ("Choose from the labels: \"very good\", \"so-so\", \"bad\"", {"very good", "so-so", "bad"}),
    ("Answer with one of the following:\n- cat\n- dog: it barks\n- bird", {"cat", "dog", "bird"}),
    ("Is the claim true? Answer yes or no.", {"yes", "no"}), ("Answer A or B.", {"A", "B"}),
    ("「はい」か「いいえ」で答えてください。", {"はい", "いいえ"}), ("賛成か反対かで答えてください。", {"賛成", "反対"}),
    ("感想は「肯定」「否定」「中立」のいずれかで答えてください。", {"肯定", "否定", "中立"}),
    ("肯定、否定、中立のいずれかで答えてください。", {"肯定", "否定", "中立"}),
])  # fmt: skip
def test_choices_of_the_instructions(prompt: str, choices: set[str]):
    """The answer is one of them and nothing else."""
    assert set(thirty(prompt)) <= choices and set(thirty(f"{prompt} ")) <= choices


@pytest.mark.parametrize(("line", "choices"), [
    ("Q1. Mood: [positive|negative|neutral]", {"positive", "negative", "neutral"}), ("Mood: positive / negative", {"positive", "negative"}),
    ("Q1. Mood(answer): [yes/no]", {"yes", "no"}), ("**Mood**: <A | B | C>", {"A", "B", "C"}),
    ("Q1. 気分(選択): [良い/悪い]", {"良い", "悪い"}),
    ("Q1. Mood(yes/no):", {"yes", "no"}),
])  # fmt: skip
def test_choices_of_a_form(line: str, choices: set[str]):
    """The form's line is answered by the line with a choice at its place; a reason's line has words."""
    for text in thirty(f"Judge it.\n\n{line}\nReason: [one sentence]"):
        value, reason = text.split("\n")
        assert re.split(r":(?:\*\*)? ", value)[1] in choices and re.fullmatch(r"Reason: \w.+\.|Reason: .+。", reason), text


SCHEMA = {
    "type": "object", "additionalProperties": False,
    "properties": {
        "Q1": {"type": "integer", "description": "Joy, from 1 to 7"}, "Q1_reason": {"type": "string", "description": "Joy: reason"},
        "Q2": {"type": "number", "description": "Mood, from -3 to 3"}, "Q3": {"type": "string", "enum": ["a", "b"]},
        "Q4": {"type": "array", "items": {"type": "string", "enum": ["x", "y", "z"]}}, "Q5": {"type": "boolean"},
        "Q5_reason": {"type": ["string", "null"], "description": "Truth: reason"},
        "Q6": {"type": "object", "properties": {"title": {"type": "string", "maxLength": 12}, "year": {"type": "integer", "minimum": 1900}},
               "required": ["title", "year"], "additionalProperties": False},
    },
}  # fmt: skip
SCHEMA["required"] = list(SCHEMA["properties"])


@pytest.mark.parametrize("way", ["asked for", "in the prompt"])
def test_schemas(way: str):
    """By structured output, or by a schema in the prompt's words: valid, on the scale that a description names, each choice once."""
    more = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}}}
    made = thirty("Judge it.", **more) if way == "asked for" else thirty(f"Judge it. Answer as JSON by this schema:\n{json.dumps(SCHEMA)}")
    answers = [json.loads(text) for text in made]
    for one in answers:
        jsonschema.validate(one, SCHEMA)
        assert 1 <= one["Q1"] <= 7 and -3 <= one["Q2"] <= 3 and len(set(one["Q4"])) == len(one["Q4"]) > 0 and "joy" in one["Q1_reason"]
    assert {one["Q5_reason"] is None for one in answers} == {True, False} and len({one["Q1"] for one in answers}) > 1


def test_templates():
    """JSON as a prompt shows it: the same keys in the same order; a value at each place is what stands there."""
    prompt = (
        'Answer as JSON:\n```json\n{\n  "label": "positive|negative",  // your choice\n  "score": 1-7,\n  "sure": true/false,\n'
        '  "share": 0.8,\n  "tags": ["food" | "service"],\n  "why": "<reason>",\n  "inner": {"grade": <integer from 2 to 4>}\n}\n```'
    )
    for text in thirty(prompt):
        made = json.loads(text)
        assert list(made) == ["label", "score", "sure", "share", "tags", "why", "inner"]
        assert made["label"] in ("positive", "negative") and made["score"] in range(1, 8) and isinstance(made["sure"], bool)
        assert 0 <= made["share"] <= 1 and set(made["tags"]) <= {"food", "service"} and made["tags"]
        assert len(made["why"]) > 10 and made["inner"]["grade"] in (2, 3, 4)
    for text in thirty('Return JSON with the keys "label" (good/bad), "score" (1-5) and "reason".'):
        made = json.loads(text)
        assert made["label"] in ("good", "bad") and made["score"] in range(1, 6) and len(made["reason"]) > 10


def test_few_shot_turns_show_the_form():
    """Where no words say how to answer, the earlier answers do; a form in an earlier turn holds for the last one."""
    turns = [("user", "Great!"), ("assistant", "positive"), ("user", "Awful."), ("assistant", "negative"), ("user", "It arrived.")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert set(thirty(messages)) <= {"positive", "negative"}
    form = "Q1. Joy(value): [1-7]"
    messages = [{"role": "user", "content": f"Rate it.\n{form}"}, {"role": "assistant", "content": "Q1. Joy(value): 3"},
                {"role": "user", "content": "Another text"}]  # fmt: skip
    assert all(re.fullmatch(r"Q1\. Joy\(value\): [1-7]", text) for text in thirty(messages))


@pytest.mark.parametrize(("prompt", "script"), [
    ("この文章を要約してください。", "[ぁ-ん]"), ("이 글을 요약해 주세요.", "[가-힣]"), ("请总结这段文字。", "[一-鿿]"),
    ("Summarise the text in 1-2 sentences.", "rehearsal"),
    ("Fassen Sie bitte den Text zusammen, und zwar auf Deutsch mit einer kurzen Einleitung.", "Probeantwort"),
    ("Кратко изложите текст.", "[а-я]"),
])  # fmt: skip
def test_the_prompts_language(prompt: str, script: str):
    """A short text in the language of the prompt where no form is asked for."""
    assert re.search(script, said(prompt))


def test_a_form_in_english_about_a_japanese_text():
    """The form's language is the answer's."""
    assert said("Rate it: 吾輩は猫である。\n\nQ1. Joy(value): [1-7]\nQ1. Joy(reason): [reason]").isascii()


def test_scales_in_the_text_itself_are_not_the_form():
    """Neither a rating that a review mentions, nor years; where there is no instruction there is no number."""
    review = '"""I waited 10 to 20 minutes, pages 3-5 were missing. Open 9-17."""'
    assert "rehearsal answer" in said(f"Translate this review.\n{review}")
    values = [float(said(f"{review}\nRate it from 1 to 7. Only the number.", n)) for n in range(30)]
    assert 1 <= min(values) <= max(values) <= 7


def scores(prompt: str, **more: object) -> list[float]:
    """The numbers that thirty trials give on a scale from 0 to 100."""
    turns = {"system": more.pop("system", "You are a critic."), "user": f"{prompt}\nQ1. Joy(value): [0-100]"}
    messages = [{"role": role, "content": content} for role, content in turns.items()]
    return [float(text.rpartition(" ")[2]) for text in thirty(messages, **more)]


def test_temperature_is_how_far_trials_vary():
    """None at 0, more the hotter; a `seed` holds an answer still as well."""
    spreads = [pstdev(scores("A text.", temperature=heat)) for heat in (0, 0.2, 1, 2)]
    assert spreads[0] == 0 < spreads[1] < spreads[2] < spreads[3]
    assert len(set(thirty("Tell me something.", temperature=0))) == 1 < len(set(thirty("Tell me something.", temperature=0.5)))
    assert len(set(scores("A text.", seed=7))) == 1
    choices = outcome("Answer yes or no.", temperature=0, n=3).body["choices"]
    assert len({choice["message"]["content"] for choice in choices}) == 1


def test_opinions_depend_on_reader_text_and_model():
    """The same prompt has one distribution; personas, texts and models have effects that a table shows."""
    means = {system: {text: mean(scores(text, system=system, temperature=0.3)) for text in ("text a", "text b", "text c")}
             for system in ("You are a poet.", "You are a robot.", "You are a child.")}  # fmt: skip
    readers = [mean(row.values()) for row in means.values()]
    texts = [mean(row[text] for row in means.values()) for text in ("text a", "text b", "text c")]
    assert max(readers) - min(readers) > 3 and max(texts) - min(texts) > 3
    models = [mean(scores("text a", model=model, temperature=0.3)) for model in ("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "other")]
    assert max(models) - min(models) > 1
    tally = Counter(said(f"Text {n}. Answer with one of: positive, negative, neutral.") for n in range(90))
    assert min(tally.values()) > 5 and len(tally) == 3


def test_odd_forms_of_new_kinds():
    """A share of answers is odd: JSON in a fence or among prose, a choice in bold or in a sentence."""
    odd = {**SHARES, "odd": 1.0}
    for text in thirty('Answer as JSON: {"label": "a|b"}', shares=odd):
        assert text[:1] != "{" or text[-1:] != "}"
        assert json.loads(re.search(r"\{.*\}", text, re.DOTALL)[0])["label"] in ("a", "b")
    texts = thirty("Answer yes or no.", shares=odd)
    assert not set(texts) & {"yes", "no"} and all(re.search("yes|no", text) for text in texts)


@pytest.mark.parametrize("piece",
["one of ", "one of: a, ", "か", "「a」", "1-", "answer a, ", 'json {"a": ', "a|", "**", "Q1. ", "classify ", "- a\n", "または"])
def test_hostile_prompts_cost_little(piece: str):
    """No prompt makes the patterns run away."""
    before = process_time()
    said(piece * (20_000 // len(piece)))
    assert process_time() - before < 1

"""Questions of experiment.toml: each type with its defaults, and each wrong key in one line."""

import orjson
import pytest

from common.errors import InputError
from common.experiment.questions import asked_of, question_columns
from common.experiment.read import load
from common.nouns import Question
from common.results.origin import _question

BASE = '''
name = "q"
max_tokens = 9
[prompt]
user = "{text}"
[[persona]]
id = "1"
name = "A"
[[text]]
id = "t1"
file = "t1.txt"
'''
CHOICE = 'type = "choice"\nchoices = ["a", { is = "b", also = ["B.", "two"] }]'


def read(folder, question, answer="", name="Mood"):
    (folder / "t1.txt").write_text("text")
    (folder / "experiment.toml").write_text(f'{BASE}\n[answer]\n{answer}\n[[question]]\nid = "Q1"\nname = "{name}"\n{question}\n')
    return load(folder).questions


def test_without_a_type_all_is_as_ever(tmp_path):
    """A number from 0 to 100 with a reason."""
    assert read(tmp_path, "") == (Question("Q1", "Mood"),)


def test_each_type(tmp_path):
    """Types ask for no reason unless they are told to, and make their columns."""
    (tmp_path / "s.json").write_text('{"type": "object", "properties": {"n": {"type": "integer"}}}')
    (q,) = read(tmp_path, CHOICE)
    assert (q.type, q.choices, q.reason) == ("choice", (("a", ()), ("b", ("B.", "two"))), "no")
    (q,) = read(tmp_path, 'type = "json"\nschema = "s.json"\nfields = ["n", "m.o"]\nreason = "optional"', 'format = "json"')
    assert (q.form, q.reason, orjson.loads(q.schema)["type"]) == ("json", "optional", "object")
    assert [name for name, _ in question_columns(q)] == ["Q1_Mood", "Q1_Mood_reason", "Q1_Mood_pattern", "Q1_n", "Q1_m.o"]
    assert question_columns(q)[3][1] is int
    (q,) = read(tmp_path, 'type = "integer"\nmin = -3\nmax = 3\nreason = true')
    assert (q.minimum, q.maximum, q.reason) == (-3, 3, "yes")


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        ('type = "scale"', "", ("question[1].type", "'scale'", "yes_no")),
        ('type = "choice"', "", ("question[1].choices", "missing")),
        ('type = "choice"\nchoices = []', "", ("choices", "at least two")),
        ('type = "choice"\nchoices = ["a", "a"]', "", ("choices", "each once")),
        ('type = "choice"\nchoices = ["a", "Ａ"]', "", ("choices", "cannot be told apart")),
        ('type = "choice"\nchoices = ["a", 1]', "", ("choices", "holds 1")),
        ('type = "choice"\nchoices = ["a", { is = "b", so = 1 }]', "", ("choices", "also")),
        ('type = "choices"\nchoices = ["a", "b; c"]', "", ("choices", "';'")),
        ('choices = ["a", "b"]', "", ("choices", "type = choice or choices")),
        ('type = "text"\nmin = 1', "", ("min", "type = number or integer")),
        ('type = "integer"\nmin = 0.5', "", ("min", "no whole number")),
        ('type = "yes_no"\nreason = "maybe"', "", ("reason", "'maybe'", "optional")),
        ('type = "yes_no"\nreason = 1', "", ("reason", "1", "optional")),
        ('type = "json"\nschema = "none.json"', "", ("schema", "none.json", "cannot be read")),
        ('type = "json"\nschema = "t1.txt"', "", ("schema", "not valid JSON")),
        ('type = "json"\nschema = "bad.json"', "", ("schema", "not a valid JSON Schema", "nope")),
        ('type = "json"\nschema = "far.json"', "", ("schema", "not a valid JSON Schema")),
        ('type = "json"', 'format = "json"', ("schema", "missing")),
        ('type = "json"\nfields = ["a..b"]', "", ("fields", "author.name")),
        ('type = "json"\nfields = ["Mood"]', "", ("id", "second 'Q1_Mood'")),
        ("", 'format = "xml"', ("answer.format", "'xml'")),
        ("", 'value = 1', ("answer.value", "expected a text")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, question, answer, told):
    """File, key and what was expected, in one line."""
    (tmp_path / "bad.json").write_text('{"type": "nope"}')
    (tmp_path / "far.json").write_text('{"$ref": "http://127.0.0.1:1/x"}')
    with pytest.raises(InputError) as error:
        read(tmp_path, question, answer)
    assert "\n" not in str(error.value) and "experiment.toml" in str(error.value)
    assert [word for word in told if word not in str(error.value)] == []


def test_a_typed_question_makes_another_run(tmp_path):
    """Choices are part of what is asked; a plain number keeps the digest that it always had."""
    assert asked_of(Question("Q1", "Joy")) == ["Q1", "Joy", 0.0, 100.0, "value", "reason"]
    read(tmp_path, CHOICE)
    before = load(tmp_path).digest()
    read(tmp_path, CHOICE.replace("two", "zwei"))
    assert load(tmp_path).digest() != before


def test_questions_in_a_manifest():
    """Six fields in a list, as earlier versions wrote them, and all fields by name, both load."""
    from dataclasses import asdict

    assert _question(["Q1", "Joy", 0, 100, "value", "reason"]) == Question("Q1", "Joy", 0, 100)
    question = Question("Q1", "Joy", type="choice", choices=(("a", ("b",)), ("c", ())), fields=("x",), reason="no", form="json")
    assert _question(orjson.loads(orjson.dumps(asdict(question)))) == question

"""Answers as JSON are read by the questions' types, in prose too; what is ambiguous, broken or hostile is a problem."""

import csv
import json
import time

import orjson
import pytest
from arro3.io import read_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from common.experiment.schema import schema_of, validator
from common.nouns import Question, Result
from common.results.checked import kinds
from common.results.json_answers import JsonChecker
from common.results.origin import Meta
from common.results.parquet import write_parquet
from common.results.rows import Row
from common.results.tables import write_csv, write_jsonl

MOODS = (("positive", ("good",)), ("negative", ()), ("中立", ("neutral",)))
SHAPE = json.dumps(
    {
        "type": "object",
        "required": ["title"],
        "$defs": {"year": {"type": "integer", "minimum": 0}},
        "properties": {
            "title": {"type": "string"},
            "author": {"type": "object", "properties": {"born": {"$ref": "#/$defs/year"}}},
            "pages": {"type": "integer"},
            "tags": {"type": "array"},
        },
    }
)
QUESTIONS = (
    Question("Q1", "Stars", 1, 7, form="json"),
    Question("Q2", "Count", 0, 9, type="integer", reason="no", form="json"),
    Question("Q3", "Mood", type="choice", choices=MOODS, reason="optional", form="json"),
    Question("Q4", "Moods", type="choices", choices=MOODS, reason="no", form="json"),
    Question("Q5", "Useful", type="yes_no", reason="no", form="json"),
    Question("Q6", "Title", type="text", reason="no", form="json"),
    Question("Q7", "Book", type="json", schema=SHAPE, fields=("title", "author.born", "pages", "tags"), reason="no", form="json"),
)
CLEAN = {
    "Q1": 5.5,
    "Q1_reason": "why",
    "Q2": 3,
    "Q3": "positive",
    "Q3_reason": None,
    "Q4": ["中立", "positive"],
    "Q5": True,
    "Q6": "A\nb",
    "Q7": {"title": "T", "author": {"born": 1900}, "pages": 3, "tags": ["x"]},
}
VALUES = (5.5, 3, "positive", "positive; 中立", "yes", "A\nb")
CHECKER = JsonChecker(QUESTIONS)


def check(**changes):
    return CHECKER.check(json.dumps({**CLEAN, **changes}, ensure_ascii=False))


def one(text, **more):
    more = {"reason": "no", **more}
    return JsonChecker([Question("Q1", "Mood", 0, 100, form="json", **more)]).check(text)


def test_a_clean_answer():
    """Each value has its type; extra keys and key order do not matter."""
    checked = CHECKER.check(json.dumps({"extra": [1], **dict(reversed(CLEAN.items()))}))
    assert (checked.status, checked.values[:6], checked.patterns) == ("success", VALUES, ("json",) * 7)
    assert json.loads(checked.values[6]) == CLEAN["Q7"]
    assert checked.reasons == ("why", *("",) * 6)


@pytest.mark.parametrize(
    "dress", ["```json\n{}\n```", "Here it is:\n{}\nI hope {that} helps.", '<think>{{"Q1": 1}}</think>\n{}!', "[{}]", "{}\n\n{}"]
)
def test_prose_around_one_object(dress):
    """Fences and prose are told in the pattern; drafts and the same object twice do not matter."""
    checked = CHECKER.check(dress.replace("{}", json.dumps(CLEAN)).replace("{{", "{").replace("}}</", "}</"))
    assert (checked.status, checked.values[:6], checked.patterns) == ("success", VALUES, ("json_in_prose",) * 7)


@pytest.mark.parametrize(
    ("key", "given", "meant"),
    [
        ("Q1", "5.5", 5.5),
        ("Q1", "5,5", 5.5),
        ("Q1", "5/7", 5.0),
        ("Q2", "3", 3),
        ("Q4", "good, neutral", "positive; 中立"),
        ("Q5", "Yes", "yes"),
    ],
)
def test_a_value_in_quotes(key, given, meant):
    """A text that can mean one value only is taken, and told."""
    checked = check(**{key: given})
    n = int(key[1]) - 1
    assert (checked.status, checked.values[n], checked.patterns[n], checked.patterns[6]) == ("success", meant, "quoted", "json")


@pytest.mark.parametrize(
    ("key", "given", "kind"),
    [
        ("Q1", 8, "value outside 1–7"),
        ("Q1", None, "no value found"),
        ("Q1", True, "not one number"),
        ("Q1", [5], "not one number"),
        ("Q1", "5-6", "not one number"),
        ("Q1", 10**400, "value outside 1–7"),
        ("Q1_reason", "", "no reason found"),
        ("Q1_reason", 3, "no reason found"),
        ("Q2", 5.5, "not a whole number"),
        ("Q3", "not positive", "not one of the choices"),
        ("Q3", ["positive"], "not one of the choices"),
        ("Q3", "positive or negative", "several choices"),
        ("Q4", ["positive", "x"], "not a list of the choices"),
        ("Q5", "maybe", "not yes or no"),
        ("Q5", 1, "not yes or no"),
        ("Q6", {"a": 1}, "not a text"),
        ("Q6", " ", "no value found"),
        ("Q7", {}, "not valid by its schema"),
        ("Q7", {"title": "T", "author": {"born": -1}}, "not valid by its schema"),
    ],
)
def test_what_is_not_clean(key, given, kind):
    """A value of another type, out of range or not by its schema is none, and the kind of problem is told."""
    checked = check(**{key: given})
    assert (checked.status, kinds(checked.problems)) == ("partial", {kind})
    if "reason" not in key:
        assert checked.values[int(key[1]) - 1] is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "no JSON object"),
        ("negative", "no JSON object"),
        ("[1]", "no JSON object"),
        ('{"Q1": 1', "broken JSON"),
        ('{"Q1": 1} {"Q1": 2}', "two JSON objects"),
        ('{"Q1": 1, "Q1": 2}', "a key given twice in JSON"),
        ('{"Q1": NaN}', "a number in JSON that is none"),
        ('{"x": 1}', "no value found"),
        ('{"Q1": 1e999}', "a number in JSON that is none"),
        ('{"Q1":' * 20_000, "JSON nested too deep"),
        ('{"Q1": ' + "[" * 20_000, "JSON nested too deep"),
        ("{" * 20_000, "broken JSON"),
        ('{"Q1": ' + "9" * 5000 + "}", "broken JSON"),
    ],
)
def test_no_object_to_be_read(text, kind):
    """No, broken, ambiguous or hostile JSON fails with one problem."""
    checked = one(text)
    assert (checked.status, kinds(checked.problems)) == ("failed", {kind})


def test_line_breaks_in_strings_and_half_characters():
    """A raw line break in a string is what models write; half an emoji is replaced."""
    assert one('{"Q1": "a\nb"}', type="text").values == ("a\nb",)
    assert one('{"Q1": "cut \\ud83d"}', type="text").values == ("cut ?",)


# ---- the schema that asks, and the reader that checks, agree


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_what_the_schema_allows_is_clean(data):
    """Any answer by the schema is valid by it and read back exactly, in the range that the description names."""
    texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
    picked = data.draw(st.lists(st.sampled_from([name for name, _ in MOODS]), unique=True))
    answer = {
        "Q1": data.draw(st.floats(1, 7)),
        "Q1_reason": data.draw(texts),
        "Q2": data.draw(st.integers(0, 9)),
        "Q3": data.draw(st.sampled_from([name for name, _ in MOODS])),
        "Q3_reason": data.draw(st.none() | texts),
        "Q4": picked,
        "Q5": data.draw(st.booleans()),
        "Q6": data.draw(texts),
        "Q7": {"title": data.draw(st.text(st.characters(codec="utf-8")))},
    }
    assert validator(orjson.dumps(schema_of(QUESTIONS)).decode()).is_valid(answer)
    checked = CHECKER.check(json.dumps(answer, ensure_ascii=data.draw(st.booleans())))
    assert checked.status == "success", checked
    assert checked.values[:3] == (answer["Q1"], answer["Q2"], answer["Q3"])
    assert {*filter(None, checked.values[3].split("; "))} == {*picked}
    assert checked.values[5] == answer["Q6"] and json.loads(checked.values[6]) == answer["Q7"]


def test_the_schema_fits_strict_modes():
    """All keys required, no others; definitions at the root, references following them."""
    schema = schema_of(QUESTIONS)
    assert schema["required"] == [*schema["properties"]] and schema["additionalProperties"] is False
    assert schema["properties"]["Q3"] == {"type": "string", "enum": ["positive", "negative", "中立"], "description": "Mood"}
    assert schema["properties"]["Q3_reason"]["type"] == ["string", "null"] and "Q2_reason" not in schema["properties"]
    assert schema["properties"]["Q1"]["description"] == "Stars, from 1 to 7" and [*schema["$defs"]] == ["year"]
    twins = [Question(f"Q{n}", "Book", type="json", schema=SHAPE, reason="no", form="json") for n in (1, 2)]
    assert [*schema_of(twins)["$defs"]] == ["year", "year_2"]
    assert not validator(orjson.dumps(schema_of(twins)).decode()).is_valid(
        {"Q1": {"title": ""}, "Q2": {"title": "", "author": {"born": -1}}}
    )


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from('{}[]"\\:,Q1_reason0.5eE-+truefalsnNa \n') | st.characters(codec="utf-8")))
def test_any_text_is_survived(text):
    """Nothing raises, whatever stands in or around an object."""
    for given_text in (text, '{"Q1": ' + text, '{"Q1": 5, ' + text + "}"):
        assert CHECKER.check(given_text).status in ("success", "partial", "failed")


@pytest.mark.parametrize("piece", ["{", '{"', '{"a":', '{"Q1":1}', "[", '"', "\\", '{"a', "}", '{"\\"'])
def test_hostile_length_costs_linear_time(piece):
    """No answer can make the reader run away."""
    begin = time.perf_counter()
    CHECKER.check("x" + piece * (50_000 // len(piece)))
    assert time.perf_counter() - begin < 2


def test_columns_have_the_types_of_their_questions(tmp_path):
    """Whole numbers are whole, fields are columns of their own, and an absent value is an empty cell in each format."""

    class Origin:
        kept, of_rehearsed = (), False
        questions = QUESTIONS

    rows = [Row(Meta(str(n)), Result(str(n), "succeeded", "x"), c) for n, c in enumerate([check(), CHECKER.check(""), check(Q1=9)])]
    for write, name in ((write_csv, "t.csv"), (write_jsonl, "t.jsonl"), (write_parquet, "t.parquet")):
        assert write(iter(rows), tmp_path / name, Origin) == 3
    found = [orjson.loads(line) for line in (tmp_path / "t.jsonl").read_bytes().splitlines()]
    table = read_parquet(tmp_path / "t.parquet").read_all()
    assert found == [dict(zip(table.column_names, row)) for row in zip(*(column.to_pylist() for column in table.columns))]
    first, none, wrong = found
    mine = [name for name in first if name[:1] == "Q"]
    assert mine == [
        "Q1_Stars",
        "Q1_Stars_reason",
        "Q1_Stars_pattern",
        "Q2_Count",
        "Q2_Count_pattern",
        "Q3_Mood",
        "Q3_Mood_reason",
        "Q3_Mood_pattern",
        "Q4_Moods",
        "Q4_Moods_pattern",
        "Q5_Useful",
        "Q5_Useful_pattern",
        "Q6_Title",
        "Q6_Title_pattern",
        "Q7_Book",
        "Q7_Book_pattern",
        "Q7_title",
        "Q7_author.born",
        "Q7_pages",
        "Q7_tags",
    ]
    assert (first["Q2_Count"], first["Q7_pages"], first["Q7_title"], first["Q7_tags"], first["problems"]) == (3, 3, "T", '["x"]', "")
    assert str(table.schema.field("Q2_Count").type) == str(table.schema.field("Q7_pages").type) and "Int64" in str(
        table.schema.field("Q2_Count").type
    )
    assert none["problems"] == "no JSON object" and {none[name] for name in mine} == {None, ""}
    assert wrong["problems"] == "Q1 Stars: 9 is outside 1–7"
    with open(tmp_path / "t.csv", encoding="utf-8-sig", newline="") as file:
        from_csv = list(csv.DictReader(file))
    assert (from_csv[0]["Q2_Count"], from_csv[1]["Q2_Count"], from_csv[0]["Q6_Title"]) == ("3", "", "A\nb")

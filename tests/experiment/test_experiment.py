"""Experiments: what a person writes becomes conditions with the right prompt, temperature and ids, whatever the data holds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from common import catalog
from common.errors import InputError
from common.experiment import cut
from common.experiment.duplicates import BLOCK, Repeats
from common.experiment.experiment import Experiment, narrow
from common.experiment.grid import Grid
from common.experiment.ids import check_ids, id_parser, make_id
from common.experiment.marks import moved
from common.experiment.read import load
from common.nouns import Limits, Model
from tests.basics import ROOT

OPENAI, ANTHROPIC = catalog.hosts()["openai"].limits, catalog.hosts()["anthropic"].limits
GPT = catalog.resolve("gpt-4.1", "openai")[0]
HAIKU = catalog.resolve("claude-haiku-4-5", "anthropic")[0]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)

visible = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda t: t.isprintable() and t == t.strip())
cell_text = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=20)


def conditions(experiment: Experiment, model: Model = GPT, limits: Limits = OPENAI) -> list:
    """All conditions of a model."""
    host = replace(catalog.hosts()[model.provider], limits=limits)
    return [asked.condition for asked in Grid(experiment, model, host).conditions()]


# ---- ids


def test_the_documented_id() -> None:
    """The id of the guide, letter by letter."""
    assert make_id("1", "gpt-4.1", 1, "t1") == "p1_gpt-4.1_n01_t1"
    assert make_id("12", "deepseekv3-0324", 100, "a_b") == "p12_deepseekv3-0324_n100_a_b"


@given(visible, visible, st.integers(1, 10**6), visible)
def test_an_id_is_read_back(persona: str, model: str, trial: int, text: str) -> None:
    """What make_id makes, id_parser takes apart, also with underscores and digits everywhere."""
    assert id_parser([(persona, model)])(make_id(persona, model, trial, text)) == (persona, model, trial, text, ())


few = st.lists(visible, min_size=1, max_size=3, unique=True)


@given(few, few, visible, st.integers(1, 99))
@SHARED
def test_many_pairs_are_told_apart(study: Callable, personas: list, aliases: list, text: str, trial: int) -> None:
    """Where check_ids lets personas and models pass, each id is read back as what it was made of."""
    rows = ", ".join(f'{{id = {json.dumps(p, ensure_ascii=False)}, name = "n"}}' for p in personas)
    models = [Model(alias=alias, id=alias, provider="openai") for alias in aliases]
    try:
        experiment = load(study(persona=f"[{rows}]"))
        check_ids(experiment, models)
    except InputError as error:
        assume("begin alike" in str(error))
        return
    pairs = [(p, a) for p in personas for a in aliases]
    for persona, alias in pairs:
        assert id_parser(pairs)(make_id(persona, alias, trial, text)) == (persona, alias, trial, text, ())


@given(st.text(max_size=30))
def test_a_foreign_id_is_none_of_ours(custom_id: str) -> None:
    """An id that nobody made is None, or begins with a pair of ours."""
    found = id_parser([("1", "gpt-4.1"), ("2", "o3")])(custom_id)
    assert found is None or custom_id.startswith(("p1_gpt-4.1_n", "p2_o3_n"))


NEARLY = ["", "p1_gpt-4.1_n01_", "p1_gpt-4.1_n_t1", "p1_gpt-4.1_nx1_t1", "p1_gpt-4.1_n１_t1", "p2_gpt-4.1_n01_t1"]


@pytest.mark.parametrize("custom_id", NEARLY)
def test_not_quite_an_id(custom_id: str) -> None:
    """Near misses are not taken for ids."""
    assert id_parser([("1", "gpt-4.1")])(custom_id) is None


def test_ids_that_begin_alike_are_refused(study: Callable) -> None:
    """Two pairs that make the same beginning could make the same id."""
    experiment = load(study(persona='[{id = "1", name = "a"}, {id = "1_a", name = "b"}]'))
    models = [Model(alias="a_b", id="x", provider="openai"), Model(alias="b", id="y", provider="openai")]
    with pytest.raises(InputError, match="begin alike"):
        check_ids(experiment, models)


def test_ids_that_differ_in_case_only_are_noticed(study: Callable) -> None:
    """Such ids are allowed, but their files must be told apart."""
    folder = study(text='[{id = "a", file = "t1.txt"}, {id = "A", file = "t1.txt"}]')
    assert check_ids(load(folder), [GPT]).alike
    assert check_ids(load(study(text='[{id = "a", file = "t1.txt"}]')), [GPT]) == (False, 1)


@given(st.lists(visible, max_size=40))
def test_repeats_are_found(names: list[str]) -> None:
    """Exactly the strings that occur twice are found."""
    repeats = Repeats()
    for start in range(0, len(names), 7):
        repeats.add(names[start : start + 7])
    twice = {hash(name) for name in names if names.count(name) > 1}
    assert repeats.found(at_most=1000) == twice


def test_repeats_far_apart() -> None:
    """Two equal strings in different blocks on the disk find each other."""
    repeats = Repeats()
    repeats.add(str(n % (2 * BLOCK)) for n in range(2 * BLOCK + 10))
    assert repeats.found(at_most=100) == {hash(str(n)) for n in range(10)}


# ---- prompts


def test_the_literary_study() -> None:
    """The study of the guide: four personas with their temperatures, three texts, ten trials, four questions."""
    experiment = load(ROOT / "experiments/literary")
    assert {p.id: p.temperature for p in experiment.personas} == {"1": 0.7, "2": 0.4, "3": 0.9, "4": 0.1}
    assert (experiment.trials, len(conditions(experiment))) == (10, 12)
    assert [q.name for q in experiment.questions] == ["面白さ", "驚き", "悲しみ", "怒り"]
    assert [(q.minimum, q.maximum) for q in experiment.questions] == [(0, 100)] * 4
    for condition in conditions(experiment):
        assert 600 <= len(condition.user) <= 2500
        assert "{" not in condition.system + condition.user
        heads = (f"Q{n}. {q.name}({label}): " for n, q in enumerate(experiment.questions, 1) for label in ("数値", "理由"))
        assert all(head in condition.user for head in heads)


def test_a_data_set_is_an_experiment() -> None:
    """The second experiment takes its texts from rows: the ids are a column, every column is a name in the prompt."""
    experiment = load(ROOT / "experiments/reviews")
    with open(ROOT / "experiments/reviews/reviews.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = conditions(experiment)
    assert [c.text for c in found] == [row["review_id"] for row in rows for _ in experiment.personas]
    assert all(rows[n // 2]["review"] in c.user and rows[n // 2]["product"] in c.user for n, c in enumerate(found))


def test_placeholders(study: Callable) -> None:
    """All keys of persona and text are names; doubled braces are literal ones; a value is not read as a prompt again."""
    folder = study(
        {"t1.txt": "{persona.id} {text} {{"},
        prompt='{system = "{persona.mood} {{x}}", user = "{id}|{title}|{genre}|{persona.id}|{text}"}',
        persona='[{id = "7", name = "N", mood = "{id}"}]',
        text='[{id = "t1", title = "T", file = "t1.txt", genre = "tale"}]',
    )
    (condition,) = conditions(load(folder))
    assert (condition.system, condition.user) == ("{id} {x}", "t1|T|tale|7|{persona.id} {text} {{")


@given(cell_text.filter(str.strip), st.text(st.sampled_from("{}ab. "), max_size=12))
@SHARED
def test_text_arrives_as_it_is(study: Callable, text: str, braces: str) -> None:
    """Whatever stands in a text is asked as it stands there, braces included."""
    content = f"{braces}x{text.strip(chr(10))}x"
    folder = study({"t1.txt": content.encode("utf-8", "surrogatepass")}, prompt='{user = "<{text}>"}')
    assert [c.user for c in conditions(load(folder))] == [f"<{content}>"]


# ---- temperature


@pytest.mark.parametrize(
    ("base", "modifier", "limits", "model", "sent"),
    [
        ("0.7", "0.1", OPENAI, GPT, 0.8),
        ("0.1", "-0.5", OPENAI, GPT, 0.0),
        ("1.9", "0.5", OPENAI, GPT, 2.0),
        ("0.9", "0.5", ANTHROPIC, HAIKU, 1.0),
        ("0.1", "0.2", OPENAI, GPT, 0.3),  # not 0.30000000000000004
        ("1", "0", OPENAI, GPT, 1.0),
        (None, "0.5", OPENAI, GPT, None),
        ("0.7", "0", OPENAI, catalog.resolve("o3", "openai")[0], None),
        ("0.7", "0", OPENAI, catalog.resolve("gpt-6-luna", "openai")[0], None),
        ("0.7", "0", ANTHROPIC, catalog.resolve("claude-sonnet-5", "anthropic")[0], None),
    ],
)
def test_temperature(study: Callable, base: str | None, modifier: str, limits: Limits, model: Model, sent: float | None) -> None:
    """Base plus modifier, clipped to what the API takes; None where the model takes none or the persona has none."""
    temperature = f", temperature = {base}" if base else ""
    folder = study(persona=f'[{{id = "1", name = "n"{temperature}}}]', text=f'[{{id = "t1", file = "t1.txt", modifier = {modifier}}}]')
    assert [c.temperature for c in conditions(load(folder), model, limits)] == [sent]


def test_effort_none_brings_the_temperature_back(study: Callable) -> None:
    """Models that take a temperature only without reasoning get it when the experiment says so; older ones never do."""
    experiment = load(study(reasoning_effort='"none"'))
    assert [c.temperature for c in conditions(experiment, catalog.resolve("gpt-6-luna", "openai")[0])] == [0.7]
    assert [c.temperature for c in conditions(experiment, catalog.resolve("o3", "openai")[0])] == [None]


def test_a_modifier_from_a_column(study: Callable) -> None:
    """The temperature's modifier can be a column; a condition that is no number names its row."""
    keys = {"text": None, "prompt": '{user = "{t}"}', "data": '{file = "d.csv", modifier = "m"}'}
    experiment = load(study({"d.csv": "t,m\na,0.1\nb,\n"}, **keys))
    assert [(c.text, c.temperature) for c in conditions(experiment)] == [("t1", 0.8), ("t2", 0.7)]
    with pytest.raises(InputError, match=r"d.csv, row 3: m is 'warm'; expected a number"):
        conditions(load(study({"d.csv": "t,m\na,0.1\nb,warm\n"}, **keys)))


# ---- data sets

DATA = {"text": None, "prompt": '{user = "{a}|{b}"}', "data": '{file = "d.csv"}'}


@given(st.lists(st.tuples(cell_text, cell_text), min_size=1, max_size=8))
@SHARED
def test_csv_cells_arrive_whole(study: Callable, tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Commas, quotes and newlines inside conditions reach the prompt as they are."""
    folder = study(**DATA, trials="1")
    with open(folder / "d.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("a", "b"), *rows])
    found = conditions(load(folder))
    assert [c.user for c in found] == [f"{a}|{b}".strip("\n") for a, b in rows]
    assert [c.text for c in found] == [f"t{n}" for n in range(1, len(rows) + 1)]


any_text = st.text(st.characters(codec="utf-8"), max_size=20)
any_value = st.one_of(st.integers(-9, 9), st.booleans(), st.none())


@given(st.lists(st.tuples(any_text, any_value), min_size=1, max_size=6))
@SHARED
def test_jsonl_values_arrive_whole(study: Callable, rows: list[tuple]) -> None:
    """Texts of a JSONL file are taken as they are, other values as JSON, null as nothing."""
    folder = study(**{**DATA, "data": '{file = "d.jsonl"}'})
    (folder / "d.jsonl").write_text("\n\n".join(json.dumps({"a": a, "b": b}) for a, b in rows), encoding="utf-8")
    assert [c.user for c in conditions(load(folder))] == [f"{a}|{'' if b is None else json.dumps(b)}".strip("\n") for a, b in rows]


def test_a_spreadsheets_csv(study: Callable) -> None:
    """A byte order mark, CRLF line ends and a trailing empty line, as spreadsheets write them."""
    folder = study({"d.csv": "\ufeffa,b\r\n1,2\r\n\r\n"}, **{**DATA, "data": '{file = "d.csv", id = "a"}'})
    assert [(c.text, c.user) for c in conditions(load(folder))] == [("1", "1|2")]


# ---- narrowing, and the digest


def test_narrow(study: Callable) -> None:
    """--trials, --persona and --text leave what they name."""
    folder = study(
        persona='[{id = "1", name = "a"}, {id = "2", name = "b"}]', text='[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t1.txt"}]'
    )
    experiment = load(folder)
    some = narrow(experiment, 5, None, ["2"], ["t1"])
    assert (some.trials, [(c.persona, c.text) for c in conditions(some)]) == (5, [("2", "t1")])
    assert narrow(experiment, None, None, None, None) == experiment
    with pytest.raises(InputError, match=r"no persona '9'; --persona names ids of 1, 2"):
        narrow(experiment, None, None, ["9"], None)
    with pytest.raises(InputError, match=r"no text t9; --text names ids of t1, t2"):
        check_ids(narrow(experiment, None, None, None, ["t9"]), [GPT])


CHANGES = {
    "trials": "3",
    "max_tokens": "65",
    "name": '"other"',
    "reasoning_effort": '"low"',
    "cut_off_factor": "2",
    "prompt": '{system = "You are {persona.name}!", user = "Read {text}"}',
    "persona": '[{id = "1", name = "a reader", temperature = 0.8}]',
    "text": '[{id = "t2", file = "t1.txt"}]',
    "question": '[{id = "Q1", name = "Joy"}]',
}


@pytest.mark.parametrize("key", CHANGES)
def test_the_digest_knows_every_change(study: Callable, key: str) -> None:
    """Whatever changes what is asked changes the run; what does not, does not."""
    before = load(study()).digest(models=["m"])
    assert load(study(title='"for people only"')).digest(models=["m"]) == before
    assert load(study(**{key: CHANGES[key]})).digest(models=["m"]) != before
    assert load(study({"t1.txt": "Another text."})).digest(models=["m"]) != before
    assert load(study()).digest(models=["n"]) != before


# ---- request ids


@given(st.lists(visible, max_size=20, unique=True))
def test_wire_ids_are_legal_and_different(names: list[str]) -> None:
    """Any custom_ids become different ids that Anthropic takes; legal ones stay as they are."""
    request_ids = [cut.sent_id(name, ANTHROPIC) for name in names]
    assert len(set(request_ids)) == len(names)
    marked = [cut.sent_id(name, ANTHROPIC, mark) for mark in ("0123abcd", "ffffffff") for name in names]
    assert len(set(marked)) == len(marked)
    assert all(len(sent) <= 64 and sent[-9:] in ("-0123abcd", "-ffffffff") for sent in marked)
    assert [moved(sent, "0123abcd", "ffffffff") for sent in marked[: len(names)]] == marked[len(names) :]
    assert all(c.isascii() and (c.isalnum() or c in "_-") for sent in marked for c in sent)
    for name, request_id in zip(names, request_ids, strict=True):
        legal = all(c.isascii() and (c.isalnum() or c in "_-") for c in name) and 0 < len(name) <= 64
        assert request_id == name if legal else 0 < len(request_id) <= 64
        assert all(c.isascii() and (c.isalnum() or c in "_-") for c in request_id)


@pytest.mark.parametrize(("skip", "count"), [('""', 2), ("\"persona == '1' and lang == 'en'\"", 1), ("\"persona.age < 18\"", 0)])
def test_requests_that_ask_the_same_are_counted_where_both_are_asked(study: Callable, skip: str, count: int) -> None:
    """Two personas of whom the prompt says nothing ask the same of a text, unless a rule leaves one of them out there."""
    personas = '[{id = "1", name = "a", age = 12}, {id = "2", name = "b", age = 30}]'
    keys = {"persona": personas, "skip": None if skip == '""' else skip, "columns": '["persona.age"]', "trials": "1"}
    data = {"d.csv": "id,review,lang\nr1,Good.,en\nr2,Gut.,de\n"}
    prompt = '{user = "Read {review}"}'
    grid = Grid(load(study(data, text=None, data='{file = "d.csv", id = "id"}', prompt=prompt, **keys)), GPT, catalog.hosts()["openai"])
    assert len([*grid.conditions()]) == {2: 4, 1: 3, 0: 2}[count] and grid.identical == count

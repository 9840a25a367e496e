"""Any grid: personas × texts × factors × models × trials with hostile names, from the file that is written to the rows that come out."""

from __future__ import annotations

import json
import keyword
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from common import catalog
from common.errors import InputError
from common.experiment.experiment import narrow
from common.experiment.ids import make_id
from common.experiment.kept import NAME
from common.experiment.read import load
from common.nouns import Run
from common.providers import connect
from common.providers.account import Account
from common.results.origin import RunOrigin
from common.runs.journal import Journal
from common.runs.order import Order, Site
from common.runs.plan import Planned, plan
from common.runs.queue import Queues

FIELD = "\x1e"  # stands between the holes of a prompt, and in no value
HOSTILE = [
    "1", "01", "n01", "_", "__", "a_b", "b", "t1", "n01_t1", "gpt-4.1", "p1_gpt-4.1_n01_t1", "-", ".", "*", "(a|b)", "a\\b", "'", '"',
    "{x}", "=1+1", "é", "e\u0301", "🧑", "👍🏽", "שלום", "ﷺ", "ไทย", "漢字", "ß", "SS", "İ", "x" * 200,
]  # fmt: skip
visible = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda t: t.isprintable() and t == t.strip())
an_id = st.sampled_from(HOSTILE) | visible
ids = st.lists(an_id, min_size=1, max_size=3, unique=True)
value = st.sampled_from(["", "a", "b"]) | st.text(st.characters(codec="utf-8", exclude_characters=FIELD + "\0\r\n"), max_size=8)
FACTORS = ["w", "語彙", "ﬁx", "class", "_", "w_1", "Straße", "models", "texts"]
MODELS = {  # by host; that of kluster shows no metadata, so its ids end in a mark
    "openai": ["gpt-4.1", "o3", "gpt-4.1-mini"],
    "anthropic": ["claude-haiku-4-5", "claude-sonnet-4-6"],
    "kluster": ["deepseekv3", "llama4-scout"],
}


def toml(value: object) -> str:
    """A text as TOML has it."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass
class Drawn:
    """An experiment as a person would write it, and what a plain reading of it asks."""

    personas: dict[str, str]  # id → age
    factors: dict[str, dict[str, str]]  # name → id of a level → what it says
    texts: dict[str, str]  # id → gold
    inline: bool
    host: str
    models: list[str]
    trials: int
    rules: list[tuple[str, str, list[str], bool]]  # (only or skip, name, values, in or not in)
    names: list[str]  # in the prompt

    def known(self, model: str, persona: str, text: str, levels: tuple[str, ...]) -> dict[str, str]:
        """Every name of a combination."""
        found = {"model": model, "persona": persona, "id": text, "gold": self.texts[text], "persona.age": self.personas[persona]}
        for (name, rows), level in zip(self.factors.items(), levels):
            found |= {name: level, f"{name}.say": rows[level]}
        return found

    def combinations(self) -> Iterator[tuple[str, str, str, tuple[str, ...], dict[str, str]]]:
        """What is asked, counted out by hand."""
        for model, persona, text, *levels in product(self.models, self.personas, self.texts, *self.factors.values()):
            known = self.known(model, persona, text, tuple(levels))
            if all(((known[name] in values) is inside) is (kind == "only") for kind, name, values, inside in self.rules):
                yield model, persona, text, tuple(levels), known

    def requests(self) -> dict[str, tuple]:
        """custom_id → (model, persona, trial, text, levels, every name) of all that is asked."""
        return {
            make_id(persona, model, trial, text, levels): (model, persona, trial, text, levels, known)
            for model, persona, text, levels, known in self.combinations()
            for trial in range(1, self.trials + 1)
        }

    def write(self, folder: Path) -> None:
        """The files of it."""
        rules = {kind: [_rule(*rule) for of, *rule in self.rules if of == kind] for kind in ("only", "skip")}
        lines = ['name = "drawn"', f"trials = {self.trials}", "max_tokens = 9"]
        lines += [f"{kind} = [{', '.join(map(toml, said))}]" for kind, said in rules.items() if said]
        lines += ['columns = ["*", "gold", "persona.age", {}]'.format(", ".join(toml(f"{name}.say") for name in self.factors))]
        lines += ["[prompt]", f"user = {toml(FIELD.join(f'{{{name}}}' for name in self.names))}"]
        for own_id, age in self.personas.items():
            lines += ["[[persona]]", f"id = {toml(own_id)}", 'name = "n"', f"age = {toml(age)}"]
        for name, rows in self.factors.items():
            levels = ", ".join(f"{{id = {toml(level)}, say = {toml(say)}}}" for level, say in rows.items())
            lines += ["[[factor]]", f"name = {toml(name)}", f"level = [{levels}]"]
        if self.inline:
            (folder / "t.txt").write_text("A text.")
            for own_id, gold in self.texts.items():
                lines += ["[[text]]", f"id = {toml(own_id)}", 'file = "t.txt"', f"gold = {toml(gold)}"]
        else:
            lines += ["[data]", 'file = "d.jsonl"', 'id = "id"']
            (folder / "d.jsonl").write_bytes(b"".join(orjson.dumps({"id": i, "gold": g}) + b"\n" for i, g in self.texts.items()))
        (folder / "experiment.toml").write_text("\n".join(lines), encoding="utf-8")


def _rule(name: str, values: list[str], inside: bool) -> str:
    plain = name.replace(".", "").isidentifier() and not any(map(keyword.iskeyword, name.split(".")))
    column = name if plain else f"column({name!r})"
    return f"{column} {'in' if inside else 'not in'} ({', '.join(map(repr, values))},)"


@st.composite
def experiments(draw: st.DrawFn) -> Drawn:
    """A grid of any kind; what the reader refuses to take apart is left out later."""
    personas = {own_id: draw(value) for own_id in draw(ids)}
    names = draw(st.lists(st.sampled_from(FACTORS), max_size=2, unique=True))
    levels = st.lists(an_id, min_size=2, max_size=3, unique=True)
    factors = {name: {level: draw(value) for level in draw(levels)} for name in names}
    texts = {own_id: f"g{draw(value)}" for own_id in draw(ids)}  # a row of which nothing stands in a prompt is not asked
    host = draw(st.sampled_from([*MODELS]))
    known = {"model": MODELS[host], "persona": [*personas], "id": [*texts], "gold": [*texts.values()]}
    known |= {"persona.age": [*personas.values()], **{name: [*levels] for name, levels in factors.items()}}
    rules = []
    for kind, name in draw(st.lists(st.tuples(st.sampled_from(["only", "skip"]), st.sampled_from(sorted(known))), max_size=2)):
        rules.append((kind, name, draw(st.lists(st.sampled_from(known[name]), min_size=1, max_size=2)), draw(st.booleans())))
    asked = ["id", "gold", *(draw(st.sampled_from([name, f"{name}.say"])) for name in names), *["persona.age"] * draw(st.booleans())]
    models = draw(st.lists(st.sampled_from(MODELS[host]), min_size=1, max_size=2, unique=True))
    inline, trials, names = draw(st.booleans()), draw(st.integers(1, 3)), draw(st.permutations(asked))
    return Drawn(personas, factors, texts, inline, host, models, trials, rules, names)


class Planner:
    """Plans experiments one after the other in one results folder; no host is spoken to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n = folder, 0
        self.journal = Journal(folder / "results")

    def __call__(self, drawn: Drawn, limit: int | None = None, sample: int | None = None) -> Planned:
        self.n += 1
        study = self.folder / f"study{self.n}"
        study.mkdir()
        drawn.write(study)
        experiment = narrow(load(study), None, limit, None, None, sample, "1")
        models = [catalog.resolve(name, drawn.host)[0] for name in drawn.models]
        account = Account(catalog.hosts()[drawn.host], "http://127.0.0.1:9")
        with closing(connect(account)) as provider:
            site = Site(self.journal, provider, account, drawn.host, Queues(self.journal))
            return plan(site, experiment, models, Order(f"run{self.n}"))


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """Plans in a folder of the test's own."""
    with closing((made := Planner(tmp_path)).journal):
        yield made


def sent(run: Run, shards: list) -> Iterator[tuple[dict, object]]:
    """(body, what its id stands for) of each request of a plan, from its files alone."""
    origin = RunOrigin(run)
    for shard in shards:
        described = origin.of(shard)
        for line in shard.path.read_bytes().splitlines():
            row = orjson.loads(line)
            yield row.get("body") or row["params"], described.describe(row["custom_id"])


REFUSALS = ("begin alike", "could not be taken apart", "leave nothing")
PROPERTY = settings(suppress_health_check=[*HealthCheck], deadline=None, max_examples=40)


def planned_or_refused(planner: Planner, drawn: Drawn, **narrowed: int | None) -> Planned:
    """The plan; what is refused for a reason that a person is told is another test's."""
    try:
        return planner(drawn, **narrowed)
    except InputError as error:
        if not any(why in str(error) for why in REFUSALS):
            raise
        assert "leave nothing" not in str(error) or not [*drawn.combinations()]
    raise UnsatisfiedAssumption


@given(experiments())
@PROPERTY
def test_each_combination_is_asked_once_and_known_again(planner: Planner, drawn: Drawn) -> None:
    """Ids unique and read back, no combination twice or left out, prompts and the table's columns right, sameness counted."""
    made = planned_or_refused(planner, drawn)
    expected = drawn.requests()
    found = list(sent(made.run, made.shards))
    assert Counter(meta.custom_id for _, meta in found) == Counter(expected.keys())
    assert len({*(headers := RunOrigin(made.run).kept)}) == len(headers)
    seen: dict[tuple, tuple] = {}
    again: Counter[str] = Counter()
    for body, meta in found:
        model, persona, trial, text, levels, known = expected[meta.custom_id]
        assert (meta.model, meta.persona, meta.trial, meta.text) == (model, persona, trial, text)
        user = body["messages"][-1]["content"]
        assert user == FIELD.join(known[name] for name in drawn.names)
        names = [*drawn.factors, "gold", "persona.age", *(f"{name}.say" for name in drawn.factors)]
        cells = dict(zip(headers, meta.kept, strict=True))
        assert {name: cells[name.replace(".", "_")] for name in names} == {name: known[name] for name in names}
        again[model] += seen.setdefault((model, text, user), (persona, levels)) != (persona, levels)
    told = orjson.loads((made.run.folder / "run.json").read_bytes())["told"]
    assert [line for line in told if "word for word" in line] == [
        f"{model}: {again[model]:,} requests ask word for word what others of them ask; they count as more trials"
        for model in drawn.models
        if again[model]
    ]


@given(experiments(), st.integers(1, 40), st.booleans())
@PROPERTY
def test_a_part_is_as_large_as_was_said(planner: Planner, drawn: Drawn, n: int, at_random: bool) -> None:
    """A sample or the first N of a grid with rules: so many requests of it, none twice; --limit is shared evenly among the models asked."""
    made = planned_or_refused(planner, drawn, **({"sample": n} if at_random else {"limit": n}))
    whole = Counter(model for model, *_ in drawn.requests().values())
    asked = [model for model in drawn.models if whole[model]]
    shares = {model: (n + len(asked) - 1 - at) // len(asked) for at, model in enumerate(asked)}
    expected = min(n, whole.total()) if at_random else sum(min(shares[model], whole[model]) for model in asked)
    ids_asked = [meta.custom_id for _, meta in sent(made.run, made.shards)]
    assert (len(ids_asked), len(set(ids_asked))) == (expected, expected)
    assert drawn.requests().keys() >= set(ids_asked)


# ---- what the table shows of a text


def test_what_is_kept_of_a_text_is_never_that_of_another(planner: Planner) -> None:
    """Lines of texts.jsonl that were edited, moved or cut: the cells are right or empty, also for a line of any length."""
    drawn = Drawn({"1": "a"}, {}, {"t1": "gold1", "t2": "gold2", "t3": "x" * 100_000}, False, "openai", ["gpt-4.1"], 1, [], ["gold"])
    made = planner(drawn)
    path, right = made.run.folder / NAME, drawn.texts
    whole = path.read_bytes()

    def shown() -> dict[str, str]:
        return {meta.text: meta.kept[RunOrigin(made.run).kept.index("gold")] for _, meta in sent(made.run, made.shards)}

    assert shown() == right
    first, second, third = whole.splitlines(keepends=True)
    for edited in (second + first + third, second + third, whole[len(first) :], whole[:-9], b"", b"\n" * len(whole), b"5\n" * len(whole)):
        path.write_bytes(edited)
        assert all(cell in ("", right[text]) for text, cell in shown().items())
    path.unlink()
    assert set(shown().values()) == {""}


def test_a_model_that_asks_nothing_takes_no_share_of_a_limit(planner: Planner) -> None:
    """The first model is left out by a rule: the one request goes to the other one."""
    left_out = [("skip", "model", ["gpt-4.1"], True)]
    drawn = Drawn({"1": ""}, {}, {"1": "g"}, False, "openai", ["gpt-4.1", "o3"], 1, left_out, ["id", "gold"])
    assert [(shard.model, shard.count) for shard in planner(drawn, limit=1).shards] == [("o3", 1)]

"""Random edits of random studies, with kills in between: no equal request is bought twice, no answer goes to another question."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.torture.kills import Verdict
from tests.torture.world import PROFILES, QUICK, World

MODELS = {
    "openai": ["gpt-4.1", "gpt-4.1-mini", "gpt-4o"],
    "anthropic": ["claude-haiku-4-5", "claude-sonnet-4-6"],
    "kluster": ["deepseekv3", "deepseekr1"],
}
WORDS = ("Read", "Judge")
BODIES = ("A rose.", "A storm.", "Night.")  # few, so that texts of one study may ask the same
PART = st.one_of(
    st.none(),
    st.tuples(st.just("--limit"), st.integers(1, 9)),
    st.tuples(st.just("--sample"), st.integers(1, 6)),
)
STUDY = st.fixed_dictionaries(
    {
        "trials": st.integers(1, 3),
        "models": st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True),
        "word": st.sampled_from(WORDS),
        "personas": st.lists(st.sampled_from(["a reader", "a critic"]), min_size=1, max_size=2),
        "bodies": st.lists(st.sampled_from(BODIES), min_size=1, max_size=3),
        "factor": st.sampled_from([(), ("plain", "loud"), ("loud", "plain", "sad")]),
        "scale": st.sampled_from([10, 100]),
        "part": PART,
    }
)
KEYS = ("trials", "models", "word", "personas", "bodies", "factor", "scale", "part")
EDIT = st.lists(st.sampled_from(KEYS), min_size=1, max_size=2)  # what a person changes: one thing or two
STEP = st.fixed_dictionaries(
    {
        "edit": EDIT,
        "to": STUDY,
        "how": st.sampled_from(["go", "go", "no wait", "plan", "kill", "kill", "collect"]),
        "kill_at": st.integers(1, 260),
        "failing": st.sampled_from([0, 0, 0, 0.5]),  # share of rows that fail at first
    }
)
LIFE = st.fixed_dictionaries({"profile": st.sampled_from(sorted(MODELS)), "first": STUDY, "steps": st.lists(STEP, min_size=2, max_size=4)})


def campaign(world: World, examples: int, number: int) -> Verdict:
    """So many random lives of a study from one seed; what failed is said with what it takes to repeat it."""
    verdict = Verdict()

    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(LIFE)
    def trial(life: dict) -> None:
        verdict.trials += len(life["steps"])
        wrong = try_one(world, life, verdict)
        verdict.failed += bool(wrong)
        verdict.failures += [f"seed {number}, {json.dumps(life, ensure_ascii=False)}: {text}" for text in wrong]

    trial()
    return verdict


def try_one(world: World, life: dict, verdict: Verdict) -> list[str]:
    """One life of a study; what is wrong at its end."""
    profile, study, asked, ends = life["profile"], life["first"], [], []
    world.reset()
    for step in life["steps"]:
        asked.append(study)
        folder, how = _written(world.folder / "growing", study), step["how"]
        create = "messages.batches.create" if profile == "anthropic" else "batches.create"
        fate = {"fate": {"rows": {"share": step["failing"], "status": 500, "times": 1}}}
        world.control("faults", [{"call": create, "times": -1, "action": fate}] if step["failing"] else [])
        if how == "collect":
            ends.append(world.zygote.run(tool="collect", argv=QUICK[:-1], env=world.environment()))
        else:
            more = {"no wait": ["--no-wait"], "plan": ["--dry-run"]}.get(how, [])
            kill = {"kill_at": step["kill_at"]} if how == "kill" else {}
            ends.append(world.run(profile, argv=[*_command(profile, study, folder), *more], **kill))
            verdict.kills += ends[-1]["code"] == -9
        study = {**study, **{key: step["to"][key] for key in step["edit"]}}
    world.control("faults", [])
    wrong, tables = [], {}
    for one in [*asked, study]:
        folder = _written(world.folder / "growing", one)
        for _ in range(3):
            ends.append(end := world.run(profile, argv=[*_command(profile, one, folder), "--json"]))
            if end["code"] == 0:
                break
        if end["code"] != 0:
            return [f"ended with {[e['code'] for e in ends]}: {end['err'][-400:]}"]
        summary = json.loads(end["out"])
        rows = _rows(world.results / PROFILES[profile][0] / summary["run"] / "results.csv", one)
        tables[summary["run"]] = rows
        if not summary["adds_up"] or summary["taken_over"] != sum(taken for *_, taken in rows):
            wrong.append(f"the sum of {summary['run']} does not add up: {summary['outcomes']}, {summary['taken_over']} taken over")
    if said := [end["err"] for end in ends if "Traceback" in end["err"] or "unexpected" in end["err"]]:
        wrong.append(f"a bug reached the user: {said[0][-600:]}")
    return wrong + judged(tables, world.billed().total())


def judged(tables: dict[str, list[tuple]], billed: int) -> list[str]:
    """What is wrong with tables of (what was asked, answer, whether it was taken over), by run; `billed`: answers by the ledger."""
    wrong = []
    bought = Counter((asked, answer) for rows in tables.values() for asked, answer, taken in rows if not taken)
    times = Counter(asked for asked, _ in bought.elements())
    needed: Counter = Counter()
    for rows in tables.values():
        needed |= Counter(asked for asked, *_ in rows)
    if bought.total() != billed:
        wrong.append(f"{billed} answers were paid, {bought.total()} are in the tables")
    if twice := times - needed:
        wrong.append(f"{twice.total()} requests bought twice, e.g. {next(iter(twice))}")
    for run, rows in tables.items():
        if foreign := Counter((asked, answer) for asked, answer, taken in rows if taken) - bought:
            wrong.append(f"{run}: {foreign.total()} answers of other questions, or taken twice, e.g. {next(iter(foreign))}")
    return wrong


def _command(profile: str, study: dict, folder: Path) -> list[str]:
    names = MODELS[profile]
    models = list(dict.fromkeys(names[n % len(names)] for n in study["models"]))
    send = ["--batch"] if profile != "kluster" else []
    return [*send, "--experiment", str(folder), "--model", *models, *map(str, study["part"] or ()), *QUICK]


def _written(folder: Path, study: dict) -> Path:
    """A study on disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open(folder / "rows.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "body"), *((f"t{n}", body) for n, body in enumerate(study["bodies"]))])
    levels = f'[[factor]]\nname = "tone"\nlevels = {json.dumps(study["factor"])}\n' if study["factor"] else ""
    personas = "".join(f'[[persona]]\nid = "{n}"\nname = "{name}"\ntemperature = 0.5\n' for n, name in enumerate(study["personas"], 1))
    (folder / "experiment.toml").write_text(
        f'name = "growing"\ntrials = {study["trials"]}\nmax_tokens = 100\n[prompt]\nsystem = "You are {{persona.name}}."\n'
        f'user = "{study["word"]}: {{body}}{" Be {tone}." if levels else ""}\\nQ1. Joy(value): [0-100]\\nQ1. Joy(reason): [why]"\n'
        f'{personas}{levels}[data]\nfile = "rows.csv"\nid = "id"\n[[question]]\nid = "Q1"\nname = "Joy"\nmax = {study["scale"]}\n',
        encoding="utf-8",
    )
    return folder


def _rows(path: Path, study: dict) -> list[tuple[tuple, str, bool]]:
    """(what was asked, answer, whether it was taken over) of each row of a table."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [(_asked(row, study), row["answer"], row["taken_from"] != "") for row in csv.DictReader(file)]


def _asked(row: dict, study: dict) -> tuple:
    body = study["bodies"][int(row["text"][1:])]
    return row["model"], row["persona_name"], study["word"], body, row.get("tone", ""), row["trial"]

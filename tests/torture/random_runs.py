"""Random experiments × random faults × random kills: whatever happens, the sum must add up and nothing be paid twice."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.torture.kills import Verdict
from tests.torture.matrix import CALLS, fate, rule
from tests.torture.world import PROFILES, World

PERMANENT = {
    "status": 400,
    "code": "content_policy_violation",
    "type": "invalid_request_error",
    "message": "no",
    "times": -1,
}
FAULTS = [
    ("create", rule(status=500, when="after")),
    ("create", rule(drop="after")),
    ("create", rule(drop="before")),
    ("create", rule(nth=2, times=2, drop="after")),
    ("create", rule(times=2, status=429, headers={"retry-after": "0.2"})),
    ("look", rule(times=2, status=503)),
    ("list", rule(times=2, drop="before")),
    ("list", rule(times=3, lag=0.2)),
    ("fetch", rule(truncate=0.3)),
    ("fetch", rule(nth=2, status=500)),
    ("fetch", rule(lines={"missing": 1})),
    ("fetch", rule(lines={"malformed": 1})),
    ("fetch", rule(times=-1, lines={"duplicate": 2, "foreign": 1})),
    ("create", fate(expire_at=0.5)),
    ("create", fate(rows={"share": 0.5, "status": 500, "times": 1})),
    ("create", fate(rows={"share": 0.3, **PERMANENT})),
]
IDS = st.text(
    st.characters(codec="utf-8", categories=("L", "N"), include_characters="-_. ,\"'/\\{}<>=+@あ面😀"),
    min_size=1,
    max_size=30,
).filter(lambda name: name == name.strip() and name.isprintable())
EXPERIMENTS = st.fixed_dictionaries(
    {
        "personas": st.integers(1, 3),
        "trials": st.integers(1, 4),
        "rows": st.lists(IDS, min_size=1, max_size=4, unique=True),
        "text": st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=80).filter(str.strip),
    }
)
TROUBLE = st.fixed_dictionaries(
    {
        "profile": st.sampled_from(sorted(PROFILES)),
        "faults": st.lists(st.sampled_from(FAULTS), max_size=3),
        "kills": st.lists(st.integers(1, 400), max_size=3),
    }
)


def write_experiment(folder: Path, shape: dict) -> Path:
    """An experiment on disk: its texts are the rows of a CSV file."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open(folder / "rows.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "body"])
        writer.writerows([name, shape["text"]] for name in shape["rows"])
    personas = "".join(
        f'[[persona]]\nid = "{n}"\nname = "Nr. {n}"\ntemperature = 0.5\n' for n in range(1, shape["personas"] + 1)
    )
    (folder / "experiment.toml").write_text(
        f'name = "random"\ntrials = {shape["trials"]}\nmax_tokens = 100\n'
        '[prompt]\nsystem = "You are {persona.name}."\nuser = "{body}\\nQ1. Joy(value): [0-100]\\nQ1. Joy(reason): [why]"\n'
        f'{personas}[data]\nfile = "rows.csv"\nid = "id"\n[[question]]\nid = "Q1"\nname = "Joy"\n',
        encoding="utf-8",
    )
    return folder


def campaign(world: World, examples: int, number: int) -> Verdict:
    """So many random trials from one seed; what failed is said with what it takes to repeat it."""
    verdict = Verdict()

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(EXPERIMENTS, TROUBLE)
    def trial(shape: dict, trouble: dict) -> None:
        verdict.trials += 1
        wrong = try_one(world, shape, trouble, verdict)
        verdict.failed += bool(wrong)
        verdict.failures += [
            f"seed {number}, {json.dumps([shape, trouble], ensure_ascii=False)}: {text}" for text in wrong
        ]

    trial()
    return verdict


def try_one(world: World, shape: dict, trouble: dict, verdict: Verdict) -> list[str]:
    """One random trial; what is wrong at its end."""
    profile = trouble["profile"]
    experiment = write_experiment(world.folder / "random", shape)
    argv = ("--experiment", str(experiment))
    reference, _ = world.reference(profile, *argv)
    world.reset()
    world.control("faults", [{"call": CALLS[call][profile], **more} for call, more in trouble["faults"]])
    permanent = any(more["action"].get("fate", {}).get("rows", {}).get("times") == -1 for _, more in trouble["faults"])
    ends = []
    for point in trouble["kills"]:
        ends.append(world.run(profile, *argv, kill_at=point))
        verdict.kills += ends[-1]["code"] == -9
    ends += world.run_to_the_end(profile, *argv, most=2 if permanent else 6)
    wrong = [text for text in world.judge(profile, reference) if not (permanent and "rows lost" in text)]
    allowed = (0, 1) if permanent else (0,)
    if ends[-1]["code"] not in allowed:
        wrong.append(f"ended with {[e['code'] for e in ends]}: {ends[-1]['err'][-400:]}")
    if any("Traceback" in end["err"] for end in ends):
        wrong.append("a traceback reached the user")
    summary = json.loads(next((world.results / PROFILES[profile][0]).glob("*/summary.json")).read_text())
    if not summary["adds_up"] or summary["rows"] != len(reference):
        wrong.append(f"the sum does not add up: {summary['outcomes']}, {len(reference)} planned")
    return wrong

"""An edited experiment says what changed since its run before, and which run is not finished, with the command that finishes it."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from tests.cli.scripts import OK, only_run, table
from tests.cli.test_study import asked
from tests.support import STUDY, Commands, later
from tests.torture.world import World

TEXTS = '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t2.txt"}]'
JOY = '[{id = "Q1", name = "Joy", max = 10}, {id = "Q2", name = "Anger"}]'
WORDING = '[{name = "wording", levels = ["plain", "kind"]}]'
BASE = {
    "text": TEXTS, "question": JOY, "factor": WORDING,
    "prompt": '{system = "You are {persona.name}, {persona.age}.", user = "Read {text} {wording}"}',
    "persona": '[{id = "1", name = "a reader", age = "20"}, {id = "2", name = "a poet", age = "30"}]',
}  # fmt: skip
FILES = {"t2.txt": "Another text.\n"}
ALONE = ("--model", "gpt-4.1", "--batch")


@pytest.fixture(scope="module")
def answered(calm: World, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A results folder with a finished run of 2 personas × 2 texts × 2 wordings × 2 trials."""
    calm.reset()
    folder = tmp_path_factory.mktemp("answered")
    for name, text in {"t1.txt": "A text.\n", **FILES}.items():
        (folder / name).write_text(text)
    (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in {**STUDY, **BASE}.items()))
    run = Commands(calm, folder / "results")
    end = run("openai", "--experiment", folder, *ALONE)
    assert (end.code, "changed since" in end.out, "is unfinished" in end.out) == (OK, False, False), end.said
    return run


EDITS = {
    "trials": ({"trials": "5"}, ["trials 2 → 5"], 24),
    "a text changed, one is new": (
        {"text": TEXTS[:-1] + ', {id = "t4", file = "t4.txt"}]', "files": {"t2.txt": "Another text!\n", "t4.txt": "It."}},
        ["texts: t2 changed, t4 is new"], 16,
    ),
    "a text is gone": ({"text": '[{id = "t1", file = "t1.txt"}]'}, ["texts: t2 is gone"], 0),
    "the prompt": ({"prompt": BASE["prompt"].replace("Read", "Look at")}, ["prompt changed"], 16),
    "a persona": ({"persona": BASE["persona"].replace('"30"', '"31"')}, ["personas: 2 (age) changed"], 8),
    "a level": (
        {"factor": WORDING.replace('"kind"', '"kind", "strict"')}, ["factor wording: strict is new"], 8,
    ),
    "a cap": ({"max_tokens": "80"}, ["max_tokens 64 → 80", "reasoning_max_tokens 512 → 640"], 16),
    "scoring": ({"question": JOY.replace("10", "7")}, ["questions: Q1 Joy: range 0–10 → 0–7 – scoring only, asks the same"], 0),
    "parameters": ({"request": "{seed = 7}"}, ["request parameters changed"], 16),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_what_changed(answered: Commands, study: Callable, edit: str) -> None:
    """The plan says it in plain lines, with the number of requests that are new; nothing is sent, and an earlier plan is no run before."""
    keys, what, new = EDITS[edit]
    files, made = keys.get("files", {}), answered.attempts()
    folder = study(FILES | files, **{**BASE, **{name: text for name, text in keys.items() if name != "files"}})
    for _ in range(2):  # also where the plan is there already
        plan = answered("openai", "--experiment", folder, *ALONE, "--dry-run", "--json").json
        found = plan["changed"]
        assert (found["what"], found["requests_new"]) == (what, new)
        assert (plan["requests"] - plan["taken_over"], found["requests"]) == (new, plan["requests"])
    shown = answered("openai", "--experiment", folder, *ALONE, "--dry-run").out
    assert f"changed since run {found['run']} of {found['of']}:\n  {what[0]}\n" in shown
    assert f"  {new} of {plan['requests']} requests {'is' if new == 1 else 'are'} new" in shown
    assert (answered.attempts(), "is unfinished" in shown) == (made, False)


def test_models_and_what_is_a_run_of_its_own(answered: Commands, study: Callable) -> None:
    """One more model is told; a name of its own compares with nothing, nor does another provider."""
    base = ("--experiment", study(FILES, **BASE), "--dry-run")
    more = answered("openai", *base, "--model", "gpt-4.1-mini", "gpt-4.1", "--json").json
    assert (more["changed"]["what"], more["changed"]["requests_new"]) == (["models: + gpt-4.1-mini"], 16)
    instead = answered("openai", *base, "--model", "gpt-4o", "--json").json
    assert instead["changed"]["what"] == ["models: + gpt-4o, − gpt-4.1"]
    assert answered("openai", *base, "--model", "gpt-4.1", "--trials", "3", "--run", "own", "--json").json["changed"] == {}
    assert answered("claude", *base, "--model", "claude-haiku-4-5", "--json").json["changed"] == {}
    fresh = answered("openai", *base, "--model", "gpt-4.1", "--trials", "3", "--fresh").out
    assert "  trials 2 → 3\n" in fresh and "are new" not in fresh


def test_many_texts(run: Commands, study: Callable) -> None:
    """Of a large data set the digest and the number of rows are told, not each row."""
    keys = {"text": None, "data": '{file = "d.csv", id = "id"}', "prompt": '{user = "Read {body}"}', "trials": "1"}
    rows = ["id,body", *(f"r{n},Text {n}" for n in range(1002))]
    base = ("openai", "--model", "gpt-4.1", "--batch", "--experiment")
    assert run(*base, study({"d.csv": "\n".join(rows)}, **keys), "--no-texts").code in (0, 1)
    plan = run(*base, study({"d.csv": "\n".join([*rows, "new,One more"])}, **keys), "--dry-run", "--json").json
    assert plan["changed"]["what"] == ["texts: the data changed (1,002 → 1,003 rows)"]


def test_an_unfinished_run_is_finished_by_what_is_named(still: Commands, study: Callable) -> None:
    """What is out before the experiment was edited: the command that is named collects it, and the edited one takes it over."""
    base = ("openai", "--model", "gpt-4.1", "--batch", "--experiment")
    assert still(*base, study(), "--no-wait").code == OK
    plan = still(*base, study(trials="3"), "--dry-run")
    (line,) = [line for line in plan.out.splitlines() if line.startswith("the run ")]
    assert line.endswith("is unfinished; finish it with: make collect") and "trials 2 → 3" in plan.out
    assert "1 of 3 requests is new" in plan.out and "2 of them are being asked by openai/small-" in plan.out
    later(still)
    assert still.tool("collect", "--poll", "0.02").code == OK
    again = still(*base, study(trials="3"), "--dry-run")
    assert ("is unfinished" in again.out, "1 of 3 requests is new" in again.out) == (False, True), again.out
    assert "2 answered already, 1 to send: costs at most $0.0003 instead of $0.0008" in again.out


def test_a_paused_run(still: Commands, study: Callable) -> None:
    """One that waits for a person is left alone by make collect: the command that is named takes it up, whatever the experiment is now."""
    quota = {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota"}}
    still.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"status": 429, "body": quota}}])
    base = ("openai", "--model", "gpt-4.1", "--batch", "--experiment")
    assert still(*base, study(), "--no-wait").code not in (OK, 1)
    name = only_run(still.results, "openai").name
    plan = still(*base, study(prompt='{user = "{text}"}'), "--dry-run", "--json").json
    (found,) = plan["changed"]["unfinished"]
    assert (found["run"], "quota" in found["paused"]) == (name, True)
    assert found["finish_with"] == f"python openai_example.py --retry-failed {name}"
    end = still("openai", *shlex.split(found["finish_with"])[2:], "--no-wait")
    assert end.code == OK, end.said
    later(still)
    assert still.requests() == 2
    assert still.tool("collect", "--poll", "0.02").code == OK
    assert [row["outcome"] for row in table(still.results / "openai" / name)] == ["succeeded"] * 2


def test_a_study(run: Commands, study: Callable) -> None:
    """What has changed at all of its providers is told once, and where."""
    assert asked(run, study(), "--batch", models=("gpt-4.1", "claude-haiku-4-5")).code == OK
    plan = asked(run, study(trials="3"), models=("gpt-4.1", "claude-haiku-4-5", "gpt-4.1-mini"))
    assert "changed since the runs before:\n" in plan.out
    assert "  trials 2 → 3 (openai, claude)\n" in plan.out and "  models: + gpt-4.1-mini (openai)\n" in plan.out
    assert "9 requests at 2 providers; 4 of them answered already" in plan.out


def test_texts_that_are_alike(run: Commands, study: Callable) -> None:
    """Two texts of the same words are two questions: the one answer there is taken over once, however often one looks."""
    base, two = ("openai", "--model", "gpt-4.1", "--batch", "--trials", "1", "--experiment"), {"t2.txt": "A text.\n"}
    assert run(*base, study()).code == OK
    for _ in range(2):
        assert run(*base, study(two, text=TEXTS), "--dry-run", "--json").json["changed"]["requests_new"] == 1
    end = run(*base, study(two, text=TEXTS), "--json")
    assert (end.json["taken_over"], end.json["outcomes"], run.world.billed().total()) == (1, {"succeeded": 2}, 2)

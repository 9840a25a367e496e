"""One study at several providers: one plan, one price, one cap; each model at its host, and nobody waits for another's failure."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common.runs.journal import Journal
from tests.basics import wait_for
from tests.cli.scripts import DETACHED, INPUT, OK, REFUSED, UNFINISHED, only_run, table
from tests.service import KEYS
from tests.support import NO_KEY, QUICK, Commands, End, later
from tests.torture.world import World

MODELS = ("gpt-4.1", "claude-haiku-4-5", "deepseekv3")
FOLDERS = ("openai", "claude", "deepseek")


def asked(run: Commands, folder: Path, *more: object, models: tuple[str, ...] = MODELS, env: dict[str, str] | None = None) -> End:
    """The command of a study, run to its end."""
    return run.tool("study", folder, *(["--model", *models] if models else []), *more, *QUICK, env=env)


def test_each_model_at_its_host(run: Commands, study: Callable) -> None:
    """The plan sends nothing; --batch sends each request once; the same command buys nothing; all know the study's name."""
    plan = asked(run, study(), "--run", "mine")
    assert (plan.code, run.attempts()) == (OK, []), plan.said
    assert "study mine: 6 requests at 3 providers" in plan.out and "nothing was sent; add --batch" in plan.out
    for code in (OK, OK):
        done = asked(run, study(), "--run", "mine", "--batch", "--json")
        assert (done.code, [summary["outcomes"] for summary in done.json["runs"]]) == (code, [{"succeeded": 2}] * 3), done.said
        assert [*run.world.billed().values()] == [1] * 6
    with closing(Journal(run.results)) as journal:
        assert [(one.provider, one.name, one.study) for one in journal.runs()] == [(folder, "mine", "mine") for folder in FOLDERS]
    for folder in FOLDERS:
        assert json.loads((run.results / folder / "mine/run.json").read_bytes())["study"] == "mine"
        assert len(table(run.results / folder / "mine")) == 2


def test_at_most_so_many_requests_in_all(run: Commands, study: Callable) -> None:
    """--limit holds for the study, evenly among its models; a provider that gets none is left out."""
    plan = asked(run, study(trials="5"), "--limit", 4, "--json")
    assert [sum(shard["requests"] for shard in one["shards"]) for one in plan.json["runs"]] == [2, 1, 1]
    assert [one["provider"] for one in asked(run, study(), "--limit", 2, "--json").json["runs"]] == ["openai", "claude"]


@pytest.mark.parametrize(("models", "said"), [(("gpt-4.1", "gpt-9-2027"), "gpt-9-2027"), ((), "--model")])
def test_a_model_that_nobody_has(run: Commands, study: Callable, models: tuple[str, ...], said: str) -> None:
    """Exit 2, nothing sent."""
    end = asked(run, study(), "--batch", models=models)
    assert (end.code, run.attempts(), said in end.error) == (INPUT, [], True)


def test_a_provider_without_a_key(run: Commands, study: Callable) -> None:
    """Said before anything is sent anywhere; the plan alone needs no key, nor does the local service."""
    end = asked(run, study(), "--batch", env={"KLUSTERAI_API_KEY": ""})
    assert (end.code, run.attempts(), "KLUSTERAI_API_KEY" in end.error) == (INPUT, [], True)
    every = asked(run, study(), "--batch", env=NO_KEY).error
    assert {key for key in NO_KEY if key in every} == set(NO_KEY) - {"OPENROUTER_API_KEY"}  # of which it asks nothing
    assert asked(run, study(), env=NO_KEY).code == OK
    local = asked(run, study(), "--batch", "--local", env={**NO_KEY, "RESULTS_DIR": str(run.results / "local")})
    assert (local.code, run.attempts(), "SIMULATED" in local.out) == (OK, [], True), local.said


def test_one_cap_for_all(calm: World, study: Callable, tmp_path: Path) -> None:
    """The cap holds for the sum of all providers, and counts what the study has cost before."""
    calm.reset()
    run = Commands(calm, tmp_path / "results")
    most = asked(run, study(), "--json").json["max_cost_usd"]
    refused = asked(run, study(), "--batch", "--max-cost", 0.99 * most)
    assert (refused.code, run.attempts(), "study small could cost up to" in refused.error) == (INPUT, [], True)
    first = asked(run, study(), "--batch", "--max-cost", most, "--json")
    spent = sum(summary["cost_usd"] for summary in first.json["runs"])
    assert (first.code, len(run.creates())) == (OK, 3) and 0 < spent < most
    grown = (*MODELS, "llama4-scout")
    more = asked(run, study(), "--json", models=grown).json["max_cost_usd"]
    refused = asked(run, study(), "--batch", "--max-cost", more + spent / 2, models=grown)
    assert (refused.code, len(run.creates())) == (INPUT, 3), refused.said
    assert asked(run, study(), "--batch", "--max-cost", 1.01 * (more + spent), models=grown).code == OK
    assert [*run.world.billed().values()] == [1] * 8


def test_the_cap_holds_in_each_step(calm: World, study: Callable, tmp_path: Path) -> None:
    """Also by its own script a run of a study is sent only where all of the study stays below the cap."""
    calm.reset()
    run, models = Commands(calm, tmp_path / "results"), ("gpt-4.1", "claude-haiku-4-5")
    assert asked(run, study(), "--batch", "--max-cost", 0.000001, models=models).code == INPUT  # both know their study now
    first = asked(run, study(), "--batch", "--json", models=models[1:]).json["runs"][0]["cost_usd"]
    base = ("openai", "--experiment", study(), "--model", "gpt-4.1")
    most = run(*base, "--json").json["max_cost_usd"]
    end = run(*base, "--batch", "--max-cost", most + first / 2)
    assert (end.code, len(run.creates()), "above the cap" in end.error) == (INPUT, 1, True), end.said
    assert run(*base, "--batch", "--max-cost", 1.01 * (most + first)).code == OK
    assert [*run.world.billed().values()] == [1] * 4


def test_one_failure_is_its_own(run: Commands, study: Callable) -> None:
    """Turned away at one provider: the others end well, and the worst exit code is the study's."""
    body = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    run.world.control("faults", [{"call": "messages.batches.create", "times": -1, "action": {"status": 401, "body": body}}])
    end = asked(run, study(), "--batch")
    assert (end.code, end.error.startswith("error: claude: ")) == (REFUSED, True), end.said
    assert [len(table(only_run(run.results, folder))) for folder in ("openai", "deepseek")] == [2, 2]
    run.world.control("faults", [])
    assert asked(run, study(), "--batch").code == OK
    assert [*run.world.billed().values()] == [1] * 6


def test_new_keys(still: Commands, study: Callable) -> None:
    """What was sent with the old keys is waited for, collected and taken over with the new ones, by the same study and a grown one."""
    new = {name: f"{key}-new" for name, key in KEYS.items()}
    assert asked(still, study(), "--batch", "--no-wait").code == OK
    later(still)
    grown = asked(still, study(trials="3"), "--batch", "--no-wait", env=new)
    assert (grown.code, grown.out.count("this key is new"), grown.err.count("are being asked already")) == (UNFINISHED, 0, 3), grown.said
    done = asked(still, study(), "--batch", env=new)
    assert (done.code, done.out.count("this key is new")) == (OK, 3), done.said
    grown = asked(still, study(trials="3"), "--batch", "--no-wait", env=new)
    later(still)
    assert (grown.code, "this key is new" in grown.out, still.world.billed().total()) == (OK, False, 9), grown.said


def test_detached(still: Commands, study: Callable) -> None:
    """Ctrl-C ends all; the command that is named goes on, and nothing is bought twice."""
    started = still.start(f"python tools/study.py {study()} --batch --model {' '.join(MODELS)} {' '.join(QUICK)}")
    wait_for(lambda: len(still.creates()) == 3)
    end = started.signalled(signal.SIGTERM)
    assert (end.code, "go on at their providers" in end.err) == (DETACHED, True), end.said
    later(still)
    done = still.typed(end.err.partition("Go on with: ")[2].strip())
    assert (done.code, [*still.world.billed().values()]) == (OK, [1] * 6), done.said

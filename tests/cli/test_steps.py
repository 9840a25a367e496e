"""A run in steps: submitted, looked at, cancelled, interrupted, taken up again; and what programs are told on the way."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common.runs.journal import Journal
from tests.basics import ROOT, SCRIPTS, wait_for
from tests.cli.scripts import CREATE_CALL, DETACHED, FILE, INPUT, MODEL, OK, REFUSED, UNFINISHED, only_run, table
from tests.support import NO_KEY, QUICK, Commands, End, later

# ---- in steps


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_wait_then_status_then_the_same_command(still: Commands, study: Callable, script: str) -> None:
    """--no-wait submits and returns; --status looks, by batch and by run, before and after the end; the command collects."""
    command = (script, "--batch", "--experiment", study(), "--model", MODEL[script])
    begun = still(*command, "--no-wait")
    assert (begun.code, "submitted: 2 requests are still to come" in begun.out) == (OK, True), begun.said
    (batch,) = still.creates()
    name = only_run(still.results, script).name
    for wanted in (batch["batch_id"], name):
        seen = still(script, "--status", wanted, "--json")
        (row,) = seen.json["batches"]
        assert (seen.code, row["state"], row["batch_id"], row["requests"]) == (UNFINISHED, "submitted", batch["batch_id"], 2)
        assert row["age_seconds"] >= 0 and row["seconds_left"] > 80_000
    assert still(*command, "--no-wait").code == OK
    later(still)
    ended = still(script, "--status", batch["batch_id"], "--json")  # collects
    assert (ended.code, ended.json["batches"][0]["state"], ended.json["summary"]["outcomes"]) == (OK, "collected", {"succeeded": 2})
    assert still(script, "--status", name).code == OK
    done = still(*command)
    assert (done.code, "2 planned = 2 succeeded" in done.out) == (OK, True)
    assert len(still.attempts()) == 1


def test_status_in_words(still: Commands, study: Callable) -> None:
    """--status names batch, counts, age and time left; of a batch that the provider refused it shows why, with its id."""
    fate = {"fail": {"code": "mismatched_model", "message": "no two models", "line": 2}}
    still.world.control("faults", [{"call": "batches.create", "action": {"fate": fate}, "times": 1}])
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "o3")
    assert still(*command, "--no-wait").code == OK
    later(still)
    (name,) = [path.name for path in (still.results / "openai").iterdir() if path.name.startswith("small")]
    seen = still("openai", "--status", name)
    assert (seen.code, "mismatched_model" in seen.out, "no two models" in seen.out) == (UNFINISHED, True, True), seen.said
    assert "p1_gpt-4.1_n02_t1" in seen.out
    assert "0/2" in seen.out


def test_a_foreign_batch(run: Commands, study: Callable, tmp_path: Path) -> None:
    """A batch that another program or folder made can be looked at and is collected raw."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == OK
    batch_id = run.creates()[0]["batch_id"]
    elsewhere = {"RESULTS_DIR": str(tmp_path / "elsewhere")}
    seen = run("openai", "--status", batch_id, env=elsewhere)
    assert (seen.code, "no run here made it" in seen.out) == (OK, True), seen.said
    assert (tmp_path / "elsewhere/openai/batch_results" / f"{batch_id}_output.jsonl").exists()
    listed = run("openai", "--list", "--json", env=elsewhere).json
    assert batch_id in [batch["batch_id"] for batch in listed["batches"]]


@pytest.mark.parametrize("script", SCRIPTS)
def test_cancel_a_run(still: Commands, study: Callable, script: str) -> None:
    """--cancel RUN stops its batches; the same command then says so, and --retry-failed takes it up again."""
    command = (script, "--batch", "--experiment", study(), "--model", MODEL[script])
    still(*command, "--no-wait")
    name = only_run(still.results, script).name
    stopped = still(script, "--cancel", name, "--json")
    assert (stopped.code, stopped.json["run"], len(stopped.json["cancelling"])) == (OK, name, 1)
    later(still)
    outcomes = still(script, "--status", name, "--json").json["summary"]["outcomes"]
    assert outcomes["cancelled"] == 2 - outcomes.get("succeeded", 0) > 0  # what was answered before is kept
    assert still(*command).code == UNFINISHED
    assert len(still.attempts()) == 1
    assert still(script, "--retry-failed", name, "--no-wait").code == OK
    later(still)
    assert still(script, "--retry-failed", name).code == OK
    assert len(still.attempts()) == 2
    assert set(still.world.billed().values()) == {1}


def test_cancel_a_batch(still: Commands, study: Callable) -> None:
    """--cancel BATCH stops one batch of a run; the other goes on."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "gpt-4.1-mini")
    still(*command, "--no-wait")
    victim = still.creates()[0]["batch_id"]
    assert still("openai", "--cancel", victim).code == OK
    later(still)
    end = still(*command)
    assert (end.code, "2 cancelled" in end.out, "2 succeeded" in end.out) == (UNFINISHED, True, True), end.said
    assert len(still.attempts()) == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_list(run: Commands, study: Callable, script: str) -> None:
    """--list shows the runs of this folder and the account's batches; without a key only the runs."""
    empty = run(script, "--list")
    assert empty.code == OK, empty.said
    assert run(script, "--batch", "--experiment", study(), "--model", MODEL[script]).code == OK
    name = only_run(run.results, script).name
    listed = run(script, "--list", "--json").json
    assert [r["run"] for r in listed["runs"]] == [name]
    assert {b["batch_id"]: b["run"] for b in listed["batches"]} == dict.fromkeys((c["batch_id"] for c in run.creates()), name)
    text = run(script, "--list")
    assert name in text.out and run.creates()[0]["batch_id"] in text.out
    keyless = run(script, "--list", "--json", env=NO_KEY)
    assert (keyless.code, len(keyless.json["runs"]), keyless.json["batches"]) == (OK, 1, [])


def test_retry_failed(run: Commands, study: Callable) -> None:
    """Rows that failed for good are exit 1 and named; --retry-failed sends those rows once more, and only those."""
    rows = {"share": 0.3, "status": 400, "code": "content_policy_violation", "message": "no", "times": -1}
    run.world.control("faults", [{"call": "batches.create", "times": -1, "action": {"fate": {"rows": rows}}}])
    command = ("openai", "--batch", "--experiment", study(trials="40"), "--model", "gpt-4.1")
    end = run(*command)
    name = only_run(run.results, "openai").name
    assert (end.code, f"--retry-failed {name}" in end.out) == (UNFINISHED, True), end.said
    failed = {row["custom_id"] for row in table(run.results / "openai" / name) if row["outcome"] != "succeeded"}
    assert 0 < len(failed) < 40
    made = run.creates()
    assert run(*command).code == UNFINISHED
    assert run.creates() == made
    run.world.control("faults", [])
    again = run("openai", "--retry-failed", name)
    assert (again.code, f"{len(failed)} rows of run {name} are sent once more" in again.said) == (OK, True), again.said
    assert [create["requests"] for create in run.creates() if create not in made][0] == len(failed)
    assert set(run.world.billed().values()) == {1}


def test_cut_off_answers_are_asked_again_with_a_higher_cap(run: Commands, study: Callable) -> None:
    """What was cut off is named with the command for it, which asks those rows and no others, at the price of the cap."""
    rows = {"share": 0.3, "status": 400, "code": "content_policy_violation", "message": "no", "times": -1}
    run.world.control("faults", [{"call": "batches.create", "times": -1, "action": {"fate": {"rows": rows}}}])
    end = run("openai", "--batch", "--experiment", study(trials="40", max_tokens="4"), "--model", "gpt-4.1")
    name = only_run(run.results, "openai").name
    cut = {row["custom_id"] for row in table(run.results / "openai" / name) if row["outcome"] == "truncated"}
    assert 0 < len(cut) < 40 and end.code == UNFINISHED, end.said
    assert f"--retry-failed {name} --max-tokens 8" in end.out, end.out
    made = run.creates()
    low = run("openai", "--retry-failed", name, "--max-tokens", "4")
    assert (low.code, "name a higher cap" in low.said, run.creates()) == (INPUT, True, made), low.said
    alone = run("openai", "--max-tokens", "9", "--batch", "--experiment", study())
    assert (alone.code, "--retry-failed RUN" in alone.said) == (INPUT, True), alone.said
    run.world.control("faults", [])
    for cap in (8, 400):  # cut off again, and with enough: each time at its own cap's price
        again = run("openai", "--retry-failed", name, "--max-tokens", str(cap))
        assert f"{len(cut)} rows of run {name}" in again.said, again.said
    assert "succeeded" in again.out and "truncated" not in again.out.partition("sum:")[2].splitlines()[0]
    with closing(Journal(run.results)) as journal:
        shards = journal.shards(journal.run(f"openai/{name}"))
    for cap in (8, 400):
        lines = [line for shard in shards if shard.max_tokens == cap for line in shard.path.read_text().splitlines()]
        sent = [json.loads(line) for line in lines]
        assert sorted(row["custom_id"] for row in sent) == sorted(cut)
        assert {row["body"].get("max_tokens") or row["body"]["max_completion_tokens"] for row in sent} == {cap}
    for shard in shards:
        assert shard.reserve / shard.count == pytest.approx(shards[0].reserve / 40 * shard.max_tokens / 4)


# ---- for programs


def test_json_everywhere(still: Commands, study: Callable) -> None:
    """With --json stdout is one object, whatever the command and however it stands."""
    base = ("openai", "--experiment", study(), "--model", "gpt-4.1", "--json")
    assert still(*base).json["to_send_add"] == "--batch"
    assert still(*base, "--dry-run").json["sent"] is False
    assert still(*base, "--batch", "--no-wait").json["outcomes"] == {"pending": 2}
    (batch,) = still.creates()
    name = still("openai", "--list", "--json").json["runs"][0]["run"]
    assert still("openai", "--status", name, "--json").json["run"] == name
    assert still("openai", "--status", batch["batch_id"], "--json").json["states"] == {"submitted": 1}
    later(still)
    assert still(*base, "--batch").json["outcomes"] == {"succeeded": 2}
    assert still("openai", "--retry-failed", name, "--json").json["adds_up"] is True
    foreign = still("openai", "--status", batch["batch_id"], "--json", env={"RESULTS_DIR": str(still.results / "x")})
    assert foreign.json["batch_id"] == batch["batch_id"]


# ---- interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_detach_while_watching(still: Commands, study: Callable, number: int) -> None:
    """A signal while batches run: exit 130 and the command that goes on; that very command finishes, buying nothing twice."""
    line = f"python openai_example.py --batch --experiment {study()} --model gpt-4.1 gpt-4.1-mini {' '.join(QUICK)}"
    started = still.start(line)
    wait_for(lambda: len(still.creates()) == 2)
    end = started.signalled(number)
    assert (end.code, "batches go on at the provider" in end.err) == (DETACHED, True), end.said
    assert (only_run(still.results, "openai") / "summary.json").exists()
    later(still)
    done = still.typed(go_on(end))
    assert (done.code, "4 planned = 4 succeeded" in done.out) == (OK, True), done.said
    assert sorted(still.world.billed().values()) == [1] * 4


def go_on(end: End) -> str:
    """The command that an end named."""
    return re.search(r"Go on with: (python .*)", end.err)[1]


@pytest.mark.parametrize("script", ["openai", "claude"])
def test_detach_in_the_middle_of_the_create(run: Commands, study: Callable, script: str) -> None:
    """Ctrl-C while the answer of the call that costs money is on its way: the batch is found again, not bought again."""
    run.world.control("faults", [{"call": CREATE_CALL[script], "action": {"slow": 100}}])
    line = f"python {FILE[script]} --batch --experiment {study()} --model {MODEL[script]} {' '.join(QUICK)}"
    started = run.start(line)
    (made,) = wait_for(run.creates)
    end = started.signalled(signal.SIGINT)
    assert end.code == DETACHED, end.said
    run.world.control("faults", [])
    done = run.typed(go_on(end))
    assert (done.code, "found again after its answer was lost" in done.err) == (OK, True), done.said
    assert [create["batch_id"] for create in run.creates() if create["requests"] == 2] == [made["batch_id"]]
    assert list(run.world.billed().values()) == [1, 1]


def test_detach_while_waiting_for_the_provider(run: Commands, study: Callable) -> None:
    """Ctrl-C during a long Retry-After ends at once."""
    rule = {"call": "files.create", "times": -1, "action": {"status": 429, "headers": {"retry-after": "600"}}}
    run.world.control("faults", [rule])
    line = f"python openai_example.py --batch --experiment {study()} --model gpt-4.1 --poll 0.02"
    started = run.start(line)
    wait_for(lambda: run.world.control("faults")["rules"][0]["fired"])
    end = started.signalled(signal.SIGINT)
    assert (end.code, run.attempts()) == (DETACHED, [])
    run.world.control("faults", [])
    shutil.rmtree(run.results / "rates")  # somebody knows that the pause, which all commands keep, is over
    assert run.typed(go_on(end)).code == OK
    assert set(run.world.billed().values()) == {1}


def test_two_at_once(still: Commands, study: Callable) -> None:
    """The same command twice at the same time: one works, the other says who does and sends nothing."""
    line = f"python openai_example.py --batch --experiment {study()} --model gpt-4.1 {' '.join(QUICK)}"
    started = still.start(line)
    wait_for(still.creates)
    second = still.typed(line)
    assert (second.code, "in work by another process" in second.error) == (INPUT, True)
    looked = still("openai", "--status", only_run(still.results, "openai").name)
    assert looked.code == UNFINISHED
    assert started.signalled(signal.SIGTERM).code == DETACHED
    assert len(still.attempts()) == 1


# ---- exit codes


def test_money_pauses_the_run(run: Commands, study: Callable) -> None:
    """Without quota the run pauses with exit 3; once that is settled the same command goes on."""
    body = {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota"}}
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"status": 429, "body": body}}])
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    end = run(*command)
    assert (end.code, "quota" in end.error) == (REFUSED, True)
    assert run.creates() == []
    assert run(*command).code == OK


def test_an_unreachable_provider(run: Commands, study: Callable) -> None:
    """Nobody listens there: exit 1 after the patience, nothing lost, and which command goes on."""
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--patience", "0.2", quick=False, env=env)
    assert (end.code, "could not be reached" in end.error, "go on with: python openai_example.py" in end.error) == (UNFINISHED, True, True)


def test_from_another_folder(run: Commands, study: Callable, tmp_path: Path) -> None:
    """The scripts work from any folder."""
    line = f"cd {tmp_path} && exec {sys.executable} {ROOT}/llama_batch_example.py --dry-run --experiment study --json"
    study()
    end = run.shell(f"bash -c {shlex.quote(line)}")
    assert (end.code, end.json["requests"]) == (OK, 6)

"""Owed, not final: what was accepted is looked for and fetched again, and never bought again unasked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Commands, later

ENDED = {"openai": {"status": "completed"}, "claude": {"processing_status": "ended"}}
LOOKS = {"openai": ("batches.retrieve", "batches.list"), "claude": ("messages.batches.retrieve", "messages.batches.list")}
CONTENT = {"openai": "files.content", "claude": "messages.batches.results"}
LATE = {"openai": {"output_file_id": None, "error_file_id": None}, "claude": {"results_url": None}}
COUNTS = {"openai": {"request_counts": None}}
HTML = {"body": "<html>Sign in</html>", "headers": {"content-type": "text/html"}}


def looks(script: str, change: dict, times: int = -1) -> list[dict]:
    """A plan: what every look at an ended batch shows."""
    return [{"call": call, "times": times, "where": ENDED[script], "action": {"object": change}} for call in LOOKS[script]]


def asked(run: Commands, script: str, study: Callable[..., Path], *more: str):
    """One command on a study of four requests."""
    model = {"openai": "gpt-4.1", "claude": "claude-haiku-4-5"}[script]
    return run(script, "--batch", "--experiment", study(trials="4"), "--model", model, "--json", *more)


def bought_twice(run: Commands) -> int:
    """How many answers were paid more than once, by the service's own ledger."""
    return sum(times - 1 for times in run.world.billed().values())


def total(end) -> dict:
    """The outcomes that a command ended with."""
    return end.json["outcomes"]


PLANS = [
    ("openai", looks("openai", LATE["openai"])),
    ("claude", looks("claude", LATE["claude"])),
    ("openai", looks("openai", {**LATE["openai"], **COUNTS["openai"]})),
    ("openai", looks("openai", {**LATE["openai"], "request_counts": {"total": 0, "completed": 0, "failed": 0}})),
    *(("openai", [{"call": "files.content", "times": -1, "action": {"status": s}}]) for s in (404, 409, 410, 423, 425)),
    *(("claude", [{"call": "messages.batches.results", "times": -1, "action": {"status": s}}]) for s in (404, 410)),
    ("openai", [{"call": "files.content", "times": -1, "action": HTML}]),
    ("claude", [{"call": "messages.batches.results", "times": -1, "action": HTML}]),
    ("openai", [{"call": "files.content", "times": -1, "action": {"status": 204}}]),
]


@pytest.mark.parametrize(("script", "plan"), PLANS, ids=lambda value: value if isinstance(value, str) else json.dumps(value[0]["action"]))
def test_late_results_are_owed(run: Commands, study: Callable[..., Path], script: str, plan: list[dict]) -> None:
    """As long as results cannot be had they are owed; then the same command has them. Nothing is bought twice."""
    run.world.control("faults", plan)
    first = asked(run, script, study, "--patience", "0.2")
    assert (first.code, total(first)) == (1, {"owed": 4}), first.said
    assert first.json["adds_up"]
    run.world.control("faults", [])
    second = asked(run, script, study)
    assert total(second).get("succeeded", 0) + total(second).get("truncated", 0) == 4, second.said
    assert bought_twice(run) == 0


def test_retry_failed_looks_first(run: Commands, study: Callable[..., Path]) -> None:
    """--retry-failed fetches what is owed before it plans anything, and buys none of it again."""
    run.world.control("faults", looks("openai", LATE["openai"]))
    name = asked(run, "openai", study, "--patience", "0.2").json["run"]
    run.world.control("faults", [])
    end = run("openai", "--retry-failed", name, "--json")
    assert "owed" not in total(end), end.said
    assert bought_twice(run) <= total(end).get("truncated", 0)  # what was cut off is asked again: that is what was typed


def test_what_was_collected_before_a_kill_is_in_the_table(run: Commands, study: Callable[..., Path]) -> None:
    """A table that was derived while rows were owed is derived anew, although nothing happens in the command that finds it so."""
    run.world.control("faults", [{"call": "files.content", "times": -1, "action": {"status": 404}}])
    first = asked(run, "openai", study, "--patience", "0.2")
    assert total(first) == {"owed": 4}
    derived = run.results / "openai" / first.json["run"] / "summary.json"
    before = derived.read_bytes()
    run.world.control("faults", [])
    asked(run, "openai", study)
    derived.write_bytes(before)  # as after a kill between the last commit and the new table
    assert "owed" not in total(asked(run, "openai", study))


def test_a_person_gives_it_up(run: Commands, study: Callable[..., Path]) -> None:
    """--give-up closes what is owed; its rows count as paid and are not proposed for buying again."""
    run.world.control("faults", looks("openai", LATE["openai"]))
    first = asked(run, "openai", study, "--patience", "0.2")
    assert first.json["cost_usd"] is not None
    end = run("openai", "--give-up", first.json["run"])
    assert (end.code, "given up" in end.out) == (0, True), end.said
    again = run("openai", "--give-up", first.json["run"])
    assert (again.code, "nothing is owed" in again.error) == (2, True)
    last = asked(run, "openai", study)
    assert (total(last), run.requests()) == ({"given_up": 4}, 4)


def test_a_damaged_raw_file_is_fetched_again(run: Commands, study: Callable[..., Path]) -> None:
    """A raw file that was cut, emptied, edited or deleted is had again from the host; edited answers reach no table."""
    first = asked(run, "openai", study)
    raw = next((run.results / "openai/batch_results").glob("*_output.jsonl"))
    whole = raw.read_bytes()
    for damage in (b"", whole[:50], whole.replace(b"choices", b"chances"), None):
        raw.unlink() if damage is None else raw.write_bytes(damage)
        assert total(asked(run, "openai", study)) == total(first)
        assert raw.read_bytes() == whole
    assert bought_twice(run) == 0


@pytest.mark.parametrize("how", ["deleted", "older"])
def test_a_lost_journal_buys_nothing_again(still: Commands, study: Callable[..., Path], how: str) -> None:
    """The notes beside the shards say what was created: it is adopted under its id."""
    (plan := asked(still, "openai", study, "--dry-run"))
    shutil.copy(still.results / "journal.db", still.results / "older.db")
    assert asked(still, "openai", study, "--no-wait").code == 0
    for path in still.results.glob("journal.db*"):
        path.unlink()
    if how == "older":
        (still.results / "older.db").rename(still.results / "journal.db")
    assert plan.code == 0
    assert asked(still, "openai", study, "--no-wait").code == 0
    assert len(still.creates()) == 1


def test_one_bad_batch_does_not_stop_the_others(run: Commands, study: Callable[..., Path]) -> None:
    """The results of one batch cannot be had; those of the other are collected all the same."""
    run.world.control("faults", [{"call": "files.content", "times": -1, "where": {"purpose": "batch_output"}, "action": {"status": 410}}])
    end = run("openai", "--batch", "--experiment", study(trials="4"), "--model", "gpt-4.1", "--json", "--patience", "0.2")
    assert total(end) == {"owed": 4}
    run.world.control("faults", [])
    both = run("openai", "--batch", "--experiment", study(trials="4"), "--model", "gpt-4.1", "gpt-4.1-mini", "--json")
    assert "owed" not in total(both), both.said


def test_a_lost_creation_whose_batch_shows_nothing_yet(still: Commands, study: Callable[..., Path]) -> None:
    """A batch whose creation went unanswered and that has ended, with counts and results late: it is not bought again."""
    lost = {"call": "messages.batches.create", "times": 1, "action": {"drop": "after"}}
    still.world.control("faults", [lost, {"call": "messages.batches.list", "nth": 2, "times": -1, "action": {"status": 503}}])
    asked(still, "claude", study, "--patience", "0.2", "--grace", "9")
    assert still.world.billed() or still.creates()
    later(still)
    still.world.control("faults", looks("claude", {**LATE["claude"], "request_counts": None}))
    asked(still, "claude", study, "--patience", "0.2", "--grace", "0.2")
    still.world.control("faults", [])
    later(still)
    end = asked(still, "claude", study)
    assert bought_twice(still) == 0, end.said
    assert total(end).get("succeeded", 0) + total(end).get("truncated", 0) == 4, end.said


def test_a_table_made_while_raw_files_were_gone_is_made_anew(run: Commands, study: Callable[..., Path]) -> None:
    """They are had again by --retry-failed, which sends nothing: the rows of before are no longer missing."""
    name = asked(run, "openai", study).json["run"]
    for path in (run.results / "openai/batch_results").glob("*_output.jsonl"):
        path.unlink()
    (run.results / "openai" / name / "summary.json").unlink()  # as if killed before it was made
    run.world.control("faults", [{"call": "files.content", "times": -1, "action": {"status": 404}}])
    assert asked(run, "openai", study).code == 2
    run.world.control("faults", [])
    end = run("openai", "--retry-failed", name, "--json")
    assert "missing" not in total(end), end.said

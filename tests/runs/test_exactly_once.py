"""The short version of the campaign behind `make torture`: kills, faults, lost answers, and that the tests bite."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
from contextlib import closing

import pytest

from tests.torture import claims, growing, kills, lookalikes, matrix, random_runs
from tests.torture.jobs import LOST_AND_WAIT
from tests.torture.kills import SMALL
from tests.torture.trials import Play
from tests.torture.world import PROFILES, QUICK, World, Zygote

ALL = ("openai", "anthropic", "kluster")
# each case of the matrix once, the profiles taking turns; `make torture` plays all of them on all
TURNS = [(case, case.profiles[n % len(case.profiles)]) for n, case in enumerate(matrix.CASES)]
OTHER_DAY = 3 * 86400.0


@pytest.fixture(scope="session")
def references() -> dict[tuple[int, str], dict[str, str]]:
    """Answers of undisturbed runs, kept for the tests that follow."""
    return {}


def reference(world: World, profile: str, kept: dict) -> dict[str, str]:
    """The answers of an undisturbed run in a world."""
    key = (id(world), profile)
    if key not in kept:
        kept[key] = world.reference(profile, *SMALL)[0]
    return kept[key]


@pytest.mark.parametrize("profile", [*ALL, "openrouter"])
def test_killed_anywhere(world: World, profile: str) -> None:
    """Killed at points spread over the whole run, the same command ends with every row, each paid once."""
    answers, total = world.reference(profile, *SMALL)
    verdict = kills.campaign(world, profile, kills.points_of(total, 6), answers, seed=1)
    assert verdict.failures == []
    assert verdict.kills >= 4  # a run may be a few boundaries shorter than the one that was measured


@pytest.mark.parametrize(("case", "profile"), TURNS, ids=[f"{profile}: {case.name}" for case, profile in TURNS])
def test_fault(calm: World, references: dict, case: matrix.Case, profile: str) -> None:
    """Each fault ends in the right state, with the right message and exit code."""
    assert matrix.try_case(calm, case, profile, reference(calm, profile, references), SMALL) == []


def test_a_strangers_batch_of_the_same_size(calm: World, references: dict) -> None:
    """Anthropic: a colleague's batch that looks like our lost one is recognised by its rows and left alone."""
    assert lookalikes.stranger(calm, reference(calm, "anthropic", references), SMALL) == []


def test_a_429_that_was_a_lie_while_another_run_holds_the_batch(calm: World) -> None:
    """Anthropic: two runs see the one lost batch, the wrong one takes it, and the right one waits rather than buys again."""
    with closing(Zygote()) as other:
        play = Play(calm, "anthropic", 0, random.Random(1), other=other)
        calm.reset()
        claims.taken_by_the_other(play, {}, "create 429 after", claims.NEVER)
    assert play.wrong == []


@pytest.mark.parametrize(("profile", "seconds"), [*zip(ALL, (OTHER_DAY, -OTHER_DAY, OTHER_DAY)), ("openai", -OTHER_DAY)])
def test_the_wall_clock_jumps(calm: World, references: dict, profile: str, seconds: float) -> None:
    """A jump of the wall clock while an answer is lost neither buys twice nor waits for days."""
    answers = reference(calm, profile, references)
    calm.reset()
    calm.control("faults", matrix.rules_of(tuple(LOST_AND_WAIT), profile))
    end = calm.run(profile, *SMALL, jump=[3, seconds])
    assert end["code"] == 0, end["err"]
    assert calm.judge(profile, answers) == []


def test_random_trouble(calm: World) -> None:
    """Random experiments × faults × kills: the sum adds up and nothing is paid twice."""
    verdict = random_runs.campaign(calm, examples=4, number=20261122)
    assert verdict.failures == []


def test_random_edits(calm: World) -> None:
    """Random edits of random studies, with kills in between: no equal request is bought twice, no answer goes to another question."""
    verdict = growing.campaign(calm, examples=2, number=20261128)
    assert verdict.failures == []


def test_bites_without_write_ahead(world: World, references: dict) -> None:
    """Without the write-ahead event the campaign finds batches bought twice."""
    answers, total = world.reference("openai", *SMALL)
    points = kills.points_of(total, 60)[24:36]  # in the middle: uploads and creates
    failures = (text for at in points for text in kills.campaign(world, "openai", [at], answers, without=("write-ahead",)).failures)
    assert any("paid more than once" in text for text in failures)  # the first one will do


@pytest.mark.parametrize("profile", ALL)
def test_bites_when_a_create_is_sent_again(calm: World, references: dict, profile: str) -> None:
    """With what the SDKs do by default, a lost answer buys the same batch again."""
    case = next(case for case in matrix.CASES if case.name == "create accepted, then 500")
    wrong = matrix.try_case(calm, case, profile, reference(calm, profile, references), SMALL, without=("single-send",))
    assert any("paid more than once" in text for text in wrong)


def test_another_accounts_key_is_refused(calm: World) -> None:
    """A run goes on only with a key that its batches can be had with, and a key that was refused has not bound it."""
    calm.reset()
    calm.control("faults", [{"call": "files.create", "times": 1, "action": {"status": 401}}])
    assert calm.run("openai", *SMALL, "--no-wait", env={"OPENAI_API_KEY": "sk-wrong"})["code"] == 3
    assert calm.run("openai", *SMALL, "--no-wait")["code"] == 0
    calm.control("faults", [{"call": "batches.retrieve", "times": -1, "action": {"status": 404}}])
    other = calm.run("openai", *SMALL, env={"OPENAI_API_KEY": "sk-another"})
    calm.control("faults", [])
    assert other["code"] == 2
    assert "another key" in other["err"]
    assert calm.run("openai", *SMALL)["code"] == 0


def test_a_newer_journal_is_not_touched(calm: World) -> None:
    """A journal of a newer version is refused, and stays as it is."""
    calm.reset()
    assert calm.run("openai", *SMALL)["code"] == 0
    path = calm.results / "journal.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    end = calm.run("openai", *SMALL)
    assert end["code"] == 2
    assert "newer version" in end["err"]


def test_expired_rows_keep_what_is_paid(calm: World, references: dict) -> None:
    """Of a batch that expired at 60 %, the finished rows are kept and only the others are sent again."""
    reference(calm, "openai", references)
    calm.reset()
    calm.control("faults", [{"call": "batches.create", "times": 1, "action": {"fate": {"expire_at": 0.6}}}])
    assert calm.run("openai", *SMALL)["code"] == 0
    attempts = {row["attempts"] for row in calm.table("openai").values()}
    assert attempts == {"1", "2"}
    assert max(calm.billed().values()) == 1


def test_a_row_on_its_second_way_is_pending(calm: World) -> None:
    """A row that failed and is being asked again counts as pending, not as failed for good."""
    calm.reset()
    calm.control("faults", [
        {"call": "batches.create", "times": 1, "action": {"fate": {"rows": {"share": 1, "status": 500, "times": 1}}}},
        {"call": "batches.create", "nth": 2, "times": 1, "action": {"status": 401}},
    ])  # fmt: skip
    argv = ["--batch", "--model", "gpt-4.1-mini", "--limit", "2", *QUICK]
    assert calm.run("openai", argv=argv)["code"] == 3  # the key was refused on the second way
    summary = json.loads(next((calm.results / "openai").glob("literary-*/summary.json")).read_text())
    assert summary["outcomes"] == {"pending": 2}
    assert calm.run("openai", argv=argv)["code"] == 0


def test_audit_notices_a_changed_file(calm: World) -> None:
    """make audit: ok on an untouched run, and every file that was changed afterwards is named."""
    calm.reset()
    assert calm.run("openai", *SMALL)["code"] == 0
    assert calm.tool("tools.audit")["code"] == 0
    raw = next((calm.results / "openai/batch_results").glob("*_output.jsonl"))
    raw.write_bytes(raw.read_bytes().replace(b"Q1", b"Q9", 1))
    table = next((calm.results / PROFILES["openai"][0]).glob("*/results.csv"))
    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    with open(table, "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows[:-1])
    end = calm.tool("tools.audit")
    assert end["code"] == 1
    assert raw.name in end["out"]
    assert "results.csv" in end["out"]


def test_status_shows_what_was_adopted(calm: World) -> None:
    """A batch that was found again after its answer was lost is marked in --status."""
    calm.reset()
    calm.control("faults", [{"call": "batches.create", "times": 1, "action": {"drop": "after"}}])
    assert calm.run("openai", *SMALL)["code"] == 0
    run = next((calm.results / "openai").glob("literary-*")).name
    shown = json.loads(calm.run("openai", argv=["--status", run, "--json"])["out"])
    assert [batch["adopted"] for batch in shown["batches"]].count(True) == 1

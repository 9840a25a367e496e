"""A batch proves whose it is: by our tag, our input file or the mark in its ids; lists that err buy nothing twice."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from common.experiment import ids_file, shards
from common.experiment.cut import Cutter
from common.experiment.marks import mark_of, moved
from common.nouns import Batch, Condition, Limits, Run, Shard, State
from common.runs.claims import Claimed
from common.runs.journal import Journal
from tests import basics
from tests.runs.test_owed import asked, bought_twice, total
from tests.runs.test_state_machine import MODEL, one_life
from tests.runs.toy import Host, Time, Toy
from tests.support import Commands, later
from tests.torture.world import World
from tools.batch_server.rows import Context, answer

NAMES = {"openai": "batches", "claude": "messages.batches"}


@pytest.fixture
def sure(calm: World, tmp_path: Path) -> Commands:
    """Commands against a quick service at which no row fails."""
    calm.reset()
    return Commands(calm, tmp_path / "results")


def lost(script: str, when: str = "after", **more: object) -> dict:
    """A creation whose answer is lost, after or before it was accepted."""
    return {"call": f"{NAMES[script]}.create", "times": 1, "action": {"drop": when}, **more}


def done(end) -> int:
    """How many requests a command ended with an answer for."""
    return total(end).get("succeeded", 0) + total(end).get("truncated", 0)


def sent(run: Commands) -> list[list[str]]:
    """The ids that each batch of the service has answered, oldest first."""
    world = run.world
    return [[row["custom_id"] for row in world.control(f"ledger?batch={c['batch_id']}")["rows"]] for c in run.creates()]


# ---- marks


def test_sent_ids_end_in_a_mark_that_nobody_sees(run: Commands, study: Callable[..., Path]) -> None:
    """At Anthropic each batch's ids end in its own mark, those sent again in another; tables show the seed's ids."""
    run.world.control("faults", [{"call": "messages.batches.create", "times": 1,
                                  "action": {"fate": {"rows": {"share": 0.5, "status": 500, "times": 1}}}}])  # fmt: skip
    end = asked(run, "claude", study)
    assert (done(end), bought_twice(run)) == (4, 0), end.said
    wanted = {f"p1_claude-haiku-4-5_n{n:02d}_t1" for n in (1, 2, 3, 4)}
    marks = [{name[-9:] for name in names} for names in sent(run)]
    assert all(len(found) == 1 and next(iter(found))[0] == "-" for found in marks)
    assert len(set.union(*marks)) == len(marks) > 1
    assert {name[:-9] for names in sent(run) for name in names} == wanted
    folder = run.results / "claude" / end.json["run"]
    table = (folder / "results.csv").read_text(encoding="utf-8-sig").splitlines()
    assert {line.split(",")[0].strip('"') for line in table[1:] if line.startswith(("p1_", '"p1_'))} <= wanted
    assert not [path for path in (folder / "texts").glob("*") if next(iter(marks[0])) in path.name]


def test_a_lost_journal_at_anthropic_buys_nothing_again(still: Commands, study: Callable[..., Path]) -> None:
    """The marks outlive the journal: the batch that was made before is taken up, and its rows are ours."""
    assert asked(still, "claude", study, "--no-wait").code == 0
    for path in still.results.glob("journal.db*"):
        path.unlink()
    assert asked(still, "claude", study, "--no-wait").code == 0
    later(still)
    assert done(asked(still, "claude", study)) == 4
    assert len(still.creates()) == 1


@pytest.mark.parametrize("trouble", [{}, {"drop": "before"}, {"status": 429}], ids=["well", "lost", "turned down"])
@pytest.mark.parametrize("script", ["openai", "claude"])
def test_a_folder_copied_before_its_first_creation(
    still: Commands, study: Callable[..., Path], tmp_path: Path, script: str, trouble: dict
) -> None:
    """The copy takes up what the other has sent, also where its first try was not the one that came through."""
    asked(still, script, study, "--dry-run")
    shutil.copytree(still.results, tmp_path / "copy")
    if trouble:
        still.world.control("faults", [{"call": f"{NAMES[script]}.create", "times": 1, "action": trouble}])
    asked(still, script, study, "--no-wait", "--grace", "0.2", "--poll", "0.1")
    assert len(still.creates()) == 1
    still.env["RESULTS_DIR"] = str(tmp_path / "copy")
    asked(still, script, study, "--no-wait")
    later(still)
    assert done(asked(still, script, study)) == 4
    assert len(still.creates()) == 1


def test_a_strangers_batch_since_the_plan(sure: Commands, study: Callable[..., Path], tmp_path: Path) -> None:
    """Another folder's run of the same ids and size, made since our plan: held, found out by its marks, and ours is sent."""
    asked(sure, "claude", study, "--dry-run")
    mine, sure.env["RESULTS_DIR"] = sure.env["RESULTS_DIR"], str(tmp_path / "other")
    asked(sure, "claude", study)
    sure.env["RESULTS_DIR"] = mine
    end = sure("claude", "--batch", "--experiment", study(trials="4"), "--model", "claude-haiku-4-5")
    assert (end.code, "is not ours" in end.said) == (0, True), end.said
    assert len(sure.creates()) == 2
    assert asked(sure, "claude", study).json["outcomes"] == {"succeeded": 4}


@pytest.mark.parametrize("text", ["another", None], ids=["other ids", "our ids"])
def test_a_nameless_batch_as_large(sure: Commands, study: Callable[..., Path], tmp_path: Path, text: str | None) -> None:
    """A host that shows neither metadata nor input file, and a batch that another folder made: its rows tell, or nobody can."""
    sure.world.control("faults", [{"call": "*", "times": -1, "action": {"without": ["metadata", "input_file_id"]}}])
    mine, sure.env["RESULTS_DIR"] = sure.env["RESULTS_DIR"], str(tmp_path / "other")
    before = study(text=f'[{{id = "{text or "t1"}", file = "t1.txt"}}]', trials="4")
    assert sure("openai", "--batch", "--experiment", before, "--model", "gpt-4.1").code == 0
    sure.env["RESULTS_DIR"] = mine
    asked(sure, "openai", study, "--dry-run")
    end = asked(sure, "openai", study)
    assert (end.code, len(sure.creates())) == ((0, 2) if text else (2, 1)), end.said
    assert text or "plan anew with --run NAME" in end.said


def test_rehearsals_do_not_depend_on_marks() -> None:
    """The local service answers a request alike, whatever mark its id ends in."""
    context = Context("msgbatch_1", "anthropic", "/v1/messages", 0, {"odd": 0.1, "cut": 0.1, "heal": 0.1, "refuse": 0.1}, "2026-10-21")
    body = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Q1. Joy (0-100):"}]}
    plain, one, two, other = (
        answer(body, f"p1_m_n01_t{end}", context, lambda key: None).body for end in ("1", "1-0123abcd", "1-ffffffff", "2-0123abcd")
    )
    assert plain == one == two != other


# ---- lists


def drops(**change: object) -> list[dict]:
    """A plan: a host whose batches show neither metadata nor our input file."""
    shown = {"metadata": None, "input_file_id": "internal-1", **change}
    return [{"call": f"batches.{call}", "times": -1, "action": {"object": shown}} for call in ("list", "retrieve")]


@pytest.mark.parametrize("change", [{}, {"input_file_id": None}, {"request_counts": None}, {"created_at": None}], ids=json.dumps)
def test_dropped_metadata_has_a_fallback(still: Commands, study: Callable[..., Path], change: dict) -> None:
    """The lost batch is held by its size, and its rows prove it."""
    still.world.control("faults", [lost("openai"), *drops(**change)])
    assert asked(still, "openai", study, "--no-wait").code == 0
    still.world.control("faults", drops(**{k: v for k, v in change.items() if k != "request_counts"}))
    later(still)
    end = asked(still, "openai", study)
    assert (done(end), len(still.creates())) == (4, 1), end.said


@pytest.mark.parametrize("order", [{"order": "asc"}, {"page": 1}, {"page": 1, "circle": True}, {"odd": [None, 7]}], ids=json.dumps)
@pytest.mark.parametrize("script", ["openai", "claude"])
def test_the_whole_list_is_read(sure: Commands, study: Callable[..., Path], script: str, order: dict) -> None:
    """Oldest first, page by page, in circles: the lost batch is found among others."""
    for trials in ("2", "3"):
        asked(sure, script, lambda **_: study(trials=trials))  # noqa: B023
    sure.world.control("faults", [lost(script), {"call": f"{NAMES[script]}.list", "times": -1, "action": {"list": order}}])
    before = len(sure.creates())
    end = asked(sure, script, study)
    assert (done(end), len(sure.creates()) - before) == (4, 1), end.said


def test_an_answer_that_names_a_known_batch_is_a_lost_one(run: Commands, study: Callable[..., Path]) -> None:
    """A 2xx creation with the id of a batch that we have had: the batch that it made is looked for, and found by its tag."""
    asked(run, "openai", lambda **_: study(trials="2"))
    first, before = run.creates()[0]["batch_id"], len(run.creates())
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"object": {"id": first}}}])
    end = asked(run, "openai", study)
    assert (done(end), end.json["batches"][0]["adopted"]) == (4, True), end.said
    assert (len(run.creates()) - before, bought_twice(run)) == (1, 0)  # trials 1 and 2 are taken over


@pytest.mark.parametrize("status", [403, 404, 405, 501])
@pytest.mark.parametrize("script", ["openai", "claude"])
def test_a_host_that_lists_nothing(still: Commands, study: Callable[..., Path], script: str, status: int) -> None:
    """Batches are watched one by one; a lost creation waits for a person, who is told what to type."""
    unlisted = {"call": f"{NAMES[script]}.list", "times": -1, "action": {"status": status}}
    still.world.control("faults", [lost(script), unlisted])
    for _ in range(2):
        end = asked(still, script, study)
        assert (end.code, len(still.creates())) == (1, 1), end.said
        assert "lists no batches" in end.error and "--give-up" in end.error
    name = next(path.parent for path in (still.results / script).glob("*/run.json")).name
    assert still(script, "--retry-failed", name).code == 1
    assert len(still.creates()) == 1
    assert still(script, "--give-up", name).code == 0
    assert still(script, "--retry-failed", name, "--no-wait").code == 0
    later(still)
    end = asked(still, script, study)
    assert (done(end), len(still.creates())) == (4, 2), end.said


# ---- claims


def two(folder: Path) -> tuple[Journal, Shard, Shard]:
    """Two runs at one address, with a lost shard of one size each."""
    journal, made = Journal(folder), []
    for name in "ab":
        run = Run(f"toy/{name}", name, name, "toy", "toy", "here", "e", "", folder / "toy" / name, 0.0, ("m",), mark=name)
        (run.folder / "shards").mkdir(parents=True)
        plan = Cutter(run.key, run.folder / "shards", Limits(9, None), Toy(None), secret=name)
        (shard,) = plan.cut(basics.asked([Condition(MODEL, "1", "t", "", "?", None)], 2, 10), 10, 1, None)
        journal.plan(journal.save_run(run, "created"), [shard])
        made.append(journal.record(shard, "submitting", state=State.SUBMITTING))
    return journal, *made


def test_a_batch_is_claimed_once(tmp_path: Path) -> None:
    """Taken by one, it is no other's; let go, it is anybody's but his who let it go; held, nobody of its size is "never made"."""
    journal, one, other = two(tmp_path)
    with closing(journal):
        batch = Batch("x", "ended", True, total=2)
        held = journal.record(one, "adopted", state=State.SUBMITTED, batch_id="x", adopted=True, unproven=True)
        for kind in ("submitted", "adopted"):
            with pytest.raises(Claimed):
                journal.record(other, kind, state=State.SUBMITTED, batch_id="x", adopted=kind == "adopted", unproven=kind == "adopted")
        assert journal.shards(journal.run(other.run)) == [other]
        free, holder = journal.standing(other, [batch])
        assert (free, holder.batch_id) == ([], "x")
        assert journal.standing(replace(other, count=3), [])[1] is None
        freed = journal.record(held, "disowned", state=State.SUBMITTING, batch_id="", adopted=False, unproven=False)
        assert journal.standing(freed, [batch]) == ([], None)
        assert journal.standing(other, [batch]) == ([batch], None)
        with pytest.raises(Claimed):
            journal.record(freed, "adopted", state=State.SUBMITTED, batch_id="x", adopted=True, unproven=True)
        journal.record(other, "adopted", state=State.SUBMITTED, batch_id="x", adopted=True, unproven=True)


def test_a_tag_decides_alone(tmp_path: Path) -> None:
    """A host that counts anew gives an id twice: with our tag on it, it is ours whoever had it before."""
    journal, one, other = two(tmp_path)
    with closing(journal):
        journal.record(one, "submitted", state=State.SUBMITTED, batch_id="x")
        batch = Batch("x", "ended", True, total=2, tag=other.tag)
        assert journal.standing(other, [batch]) == ([batch], None)
        journal.record(other, "adopted", state=State.SUBMITTED, batch_id="x", adopted=True)


def test_marks_move_between_attempts(tmp_path: Path) -> None:
    """What is sent again bears another mark, in its lines and in its ids file; without the marks the ids are the same."""
    journal, one, other = two(tmp_path)
    journal.close()
    keep = set(ids_file.ids(one))
    again = shards.retry(one, 2, keep, attempt=2)
    assert len({one.mark, other.mark, again.mark}) == 3
    assert [moved(name, again.mark, one.mark) for name in ids_file.ids(again)] == list(ids_file.ids(one))
    assert [orjson.loads(line)["id"] for line in again.path.read_bytes().splitlines()] == list(ids_file.ids(again))
    assert {moved(name, one.mark, "") for name in keep} == {"p1_m_n01_t", "p1_m_n02_t"} == {ids_file.id_at_line(again, n) for n in (1, 2)}
    assert moved("p1_m_n01_t", one.mark, "") == "" and mark_of("", 1, 1) == ""


# ---- two runs of one size at a host without metadata, in any order of events


@pytest.mark.parametrize("part", range(2))
def test_two_runs_without_metadata(tmp_path: Path, part: int) -> None:
    """Kills, lost answers, lagging lists: no run takes the other's batch for good, and nothing is bought twice."""
    for seed in range(part * 20, part * 20 + 20):
        chance = random.Random(seed)
        host = Host(Time(), chance, trouble=chance.choice((0.1, 0.4)), killing=0.2, lives=30, tags=False)
        folder = tmp_path / str(seed)
        runs = [_planned(folder, host, name) for name in "ab"]
        left = list(runs)
        for _ in range(200):  # by turns, each until its process dies
            if left and one_life(folder, run := chance.choice(left), host):
                left.remove(run)
        assert left == []
        assert [name for name, times in host.answered.items() if times > 1] == []
        with closing(Journal(folder)) as journal:
            found = [shard for run in runs for shard in journal.shards(run)]
        assert sum(shard.tally.get("succeeded", 0) for shard in found) == sum(host.answered.values())
        for shard in found:
            assert set(host.batches[shard.batch_id]["ids"]) == ids_file.ids(shard).keys()


def _planned(folder: Path, host: Host, name: str) -> Run:
    with closing(Journal(folder)) as journal:
        run = Run(f"toy/{name}", name, name, "toy", "toy", "local", "e", "", folder / "toy" / name, host.time.at, ("m",), mark=name)
        (run.folder / "shards").mkdir(parents=True)
        plan = Cutter(run.key, run.folder / "shards", Limits(2, None), Toy(host), secret=name)
        made = list(plan.cut(basics.asked([Condition(MODEL, "1", "t", "", "?", None)], 4, 10), 10, 1, None))
        return journal.plan(journal.save_run(run, "created"), made)

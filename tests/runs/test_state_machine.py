"""The loop under thousands of orders of events: in memory, with a clock that only sleeping moves."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import BatchError
from common.experiment import ids_file
from common.experiment.cut import Cutter
from common.nouns import FINAL, Condition, Limits, Model, Run
from common.runs import collect, steps
from common.runs.desk import Desk, Options
from common.runs.journal import Journal
from common.runs.lifecycle import Lifecycle
from common.runs.spending import Caps
from tests.basics import asked
from tests.runs.toy import Host, Killed, Time, Toy

MODEL = Model("m", "m-1", "toy", input=1.0, output=1.0)
OPTIONS = Options(parallel=2, poll=10.0, grace=60.0, patience=600.0, retries=2, caps=Caps(100.0))
LIVES = 60  # processes that a run may use up; more means that it does not get on


def planned(folder: Path, host: Host, requests: int) -> Run:
    """A run of two shards on disk and in the journal; in half of them the first fills the prompt cache for the other."""
    with closing(Journal(folder)) as journal:
        run = Run("toy/r", "r", "d", "toy", "toy", "local", "e", "", folder / "toy/r", host.time.at, ("m",))
        (run.folder / "shards").mkdir(parents=True)
        plan = Cutter(run=run.key, folder=run.folder / "shards", limits=Limits(-(-requests // 2), None), provider=Toy(host))
        made = list(plan.cut(asked([Condition(MODEL, "1", "t", "", "?", None)], requests, 10), 10, 1, None))
        made[0] = replace(made[0], primes=requests % 2 == 0)
        return journal.plan(journal.save_run(run, "created"), made)


def drive(folder: Path, run: Run, host: Host) -> int:
    """The same command again and again, until the run is through; how many processes that took."""
    for life in range(1, LIVES):
        host.time.jump += host.chance.choice((0, 0, 0, 3600, -7200))
        if one_life(folder, run, host):
            return life
    raise AssertionError("it never ended")


def one_life(folder: Path, run: Run, host: Host) -> bool:
    """One process with the same command; whether the run is through."""
    with closing(Journal(folder, clock=host.time.clock.now)) as journal, journal.lock(run):
        desk = Desk(journal.run(run.key), Toy(host), journal, {"m": MODEL}, OPTIONS, clock=host.time.clock)
        try:
            Lifecycle(desk).go()
        except (Killed, BatchError):
            return False
        assert desk.count(*FINAL) == len(desk.shards)
        return True


def trial(folder: Path, seed: int) -> Host:
    """One random life of one random run; returns the host, which knows the truth."""
    chance = random.Random(seed)
    host = Host(Time(), chance, trouble=chance.choice((0, 0.1, 0.4)), killing=chance.choice((0, 0.05, 0.25)))
    run = planned(folder, host, requests=chance.randint(1, 8))
    drive(folder, run, host)
    return host


def judge(folder: Path, host: Host) -> None:
    """Every request was answered at most once, and each answer is one that the journal has counted."""
    assert [sent for sent, times in host.answered.items() if times > 1] == []
    with closing(Journal(folder)) as journal:
        run = journal.run("toy/r")
        found = journal.shards(run)
        counted = sum(shard.tally.get("succeeded", 0) for shard in found)
        assert counted == sum(host.answered.values())
        asked = {sent for shard in found if shard.n == shard.root for sent in ids_file.ids(shard)}
        assert len(asked) == run.planned
        assert {shard.batch_id for shard in found} == host.batches.keys()


@pytest.mark.parametrize("part", range(4))
def test_any_order_of_events(tmp_path: Path, part: int) -> None:
    """Kills, lost answers, lagging lists, busy hosts and jumping clocks in any order: nothing is lost or bought twice."""
    for seed in range(part * 60, part * 60 + 60):
        folder = tmp_path / str(seed)
        judge(folder, trial(folder, seed))


@pytest.mark.parametrize("safeguard", ["write-ahead", "looking"])
def test_the_judge_bites(tmp_path: Path, safeguard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the intent, or without the second look, a few orders of events suffice to buy twice and be noticed."""
    if safeguard == "write-ahead":

        def only_remembered(desk, shard):
            desk._keep(shard)
            return shard

        monkeypatch.setattr(steps, "write_intent", only_remembered)
        monkeypatch.setattr(steps.witness, "intends", lambda shard: None)  # the second witness would make up for it
    else:
        monkeypatch.setattr(steps.Desk, "searched_in_vain", lambda desk, shard: True)
    assert collect.DOWNLOADS > 1
    caught = 0
    for seed in range(60):
        try:
            judge(tmp_path / str(seed), trial(tmp_path / str(seed), seed))
        except AssertionError:
            caught += 1
        if caught > 3:
            return
    raise AssertionError(f"{caught} of 60 were noticed")

"""The journal: money that SQL can sum, a reserve that is written with the intent, and folders of earlier versions."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from common.nouns import Pause, Run, Shard, State
from common.runs.journal import Journal, Terms
from common.runs.schema import VERSION
from common.runs.spending import Caps, OverCap
from tests.torture.world import Zygote

ROOT = Path(__file__).resolve().parents[2]
OLD = Path(__file__).with_name("results_v1.tar.gz")  # one run finished, two submitted, one only planned; made by version 1


def make(folder: Path, reserves: list[float | None]) -> tuple[Journal, Run, list[Shard]]:
    """A journal with one planned run."""
    journal = Journal(folder)
    run = Run("openai/r", "r", "d", "openai", "openai", "local", "e", "", folder / "openai/r", 1.0, ("gpt-4.1",), account="me")
    shards = [
        Shard(run.key, n, n, 1, run.folder / f"shards/s{n}", "", 10, 100, 50, reserve, "gpt-4.1", 5, f"t{n}")
        for n, reserve in enumerate(reserves, 1)
    ]
    return journal, journal.plan(journal.save_run(run, "created"), shards), shards


def test_the_cap_holds_inside_the_transaction(tmp_path: Path) -> None:
    """What would go beyond the cap is not written at all; what was collected counts as it cost."""
    journal, run, (one, two) = make(tmp_path, [0.6, 0.6])
    with closing(journal):
        one = journal.record(one, "submitting", terms=Terms(Caps(1.0)), state=State.SUBMITTING)
        with pytest.raises(OverCap) as over:
            journal.record(two, "submitting", terms=Terms(Caps(1.0)), state=State.SUBMITTING)
        assert over.value.most == pytest.approx(1.2)
        assert journal.states(run) == {"submitting": 1, "planned": 1}
        assert [kind for *_, kind, _ in journal.events(run, 2)] == []
        journal.record(one, "collected", state=State.COLLECTED, spent=0.1)
        assert journal.committed(run.key) == pytest.approx(0.1)
        journal.record(two, "submitting", terms=Terms(Caps(1.0)), state=State.SUBMITTING)
        assert journal.committed(run.key) == pytest.approx(0.7)


def test_sql_sums_money(tmp_path: Path) -> None:
    """Account, model, requests and tokens are columns: no body need be read for a sum."""
    journal, run, (one, two) = make(tmp_path, [0.5, None])
    with closing(journal), closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        journal.record(one, "submitting", state=State.SUBMITTING)
        rows = db.execute("SELECT account, model, sum(requests), sum(tokens), total(committed) FROM money GROUP BY account, model")
        assert rows.fetchall() == [("me", "gpt-4.1", 20, 100, 0.5)]


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    """Enums and paths survive the journal."""
    journal, run, (one,) = make(tmp_path, [0.5])
    with closing(journal):
        saved = journal.save_run(replace(run, paused="x", paused_by=Pause.CAP), "paused")
        assert journal.run(run.key) == saved
        (shard,) = journal.shards(run)
        assert shard == one
        assert shard.state is State.PLANNED


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The results folder of an earlier version."""
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "results"


def test_an_old_journal_is_brought_up_to_date(old: Path) -> None:
    """Every run, shard, batch and event of version 1 is there, under today's names."""
    with closing(sqlite3.connect(old / "journal.db")) as db:
        events = db.execute("SELECT count(*) FROM events").fetchone()[0]
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1
    with closing(Journal(old)) as journal:
        found = {run.name: journal.states(run) for run in journal.runs()}
        assert found == {"literary-a408e6": {"collected": 1}, "half": {"submitted": 1}, "dry": {"planned": 1}, "waiting": {"submitted": 1}}
        assert sum(journal.event_count(run) for run in journal.runs()) == events
        (shard,) = journal.shards(journal.run("openai/literary-a408e6"))
        assert (shard.state, shard.tally, shard.collected_at > 0) == (State.COLLECTED, {"succeeded": 6}, True)
        assert journal.last_event(journal.run("openai/literary-a408e6"), "collected") == pytest.approx(shard.collected_at, abs=60)
        assert journal.committed("openai/literary-a408e6") == shard.spent > 0
    with closing(sqlite3.connect(old / "journal.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == VERSION
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_old_runs_go_on(old: Path, zygote: Zygote) -> None:
    """What version 1 has submitted is collected by the same command, and nothing is sent twice."""
    for script, options, requests in (
        ("claude_example.py", ["--run", "half", "--limit", "6", "--model", "claude-haiku-4-5"], 6),
        ("openai_example.py", ["--run", "waiting", "--limit", "7", "--model", "gpt-4.1"], 7),
        ("openai_example.py", ["--limit", "6", "--model", "gpt-4.1"], 6),
    ):
        done = zygote.run(python=True, argv=[script, "--batch", "--local", "--json", *options], env={"RESULTS_DIR": str(old)})
        assert done["code"] == 0, done["err"]
        summary = json.loads(done["out"])
        assert (summary["outcomes"], len(summary["batches"])) == ({"succeeded": requests}, 1)
    with closing(sqlite3.connect(old / "local_service" / "state.db")) as db:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert db.execute("SELECT count(*) FROM batches").fetchone()[0] == 3, names


OPENER = """
import sys, pathlib
from common.runs.journal import Journal
for folder in sys.argv[1:]:
    print(flush=True)
    sys.stdin.readline()
    Journal(pathlib.Path(folder))
"""


def test_a_new_journal_is_opened_by_many_at_once(tmp_path: Path) -> None:
    """Two first runs that are started together: SQLite answers one of them "locked" at once while the other switches to its log."""
    words = [sys.executable, "-c", OPENER, *(str(tmp_path / f"r{number}") for number in range(5))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    crowd = [subprocess.Popen(words, cwd=ROOT, **pipes) for _ in range(6)]
    for _ in range(5):
        for process in crowd:  # all wait at their line
            process.stdout.readline()
        for process in crowd:
            process.stdin.write(b"\n"), process.stdin.flush()
    said = [process.communicate()[1].decode() for process in crowd]
    assert not any(said), said

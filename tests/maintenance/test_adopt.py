"""make adopt: a journal that is gone, emptied or older is rebuilt from run folders and the host's list, and nothing is bought again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common import cli
from common.runs.journal import Journal
from tests.cli.scripts import MODEL, only_run
from tests.support import STUDY, Commands, later


class Adopting:
    """A study asked in one command, its journal, and what `make adopt` says, in this process."""

    def __init__(self, run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self.run, self.study, self._capsys = run, study, capsys
        for name, value in run.env.items():
            monkeypatch.setenv(name, value)

    def ask(self, script: str, *more: str, **keys: str):
        """One command on the study."""
        first = ["--batch"] if script in ("openai", "claude") else []
        where = self.study(**{"trials": "4", **keys})
        return self.run(script, *first, "--experiment", where, "--model", MODEL[script], "--json", *more)

    def adopt(self) -> tuple[int, str]:
        """(exit code, all that was said)."""
        self._capsys.readouterr()
        code = cli.make("adopt", [])
        said = self._capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out + said.err

    def lose(self, how: str = "gone") -> None:
        """The journal is gone, or empty."""
        for path in self.run.results.glob("journal.db*"):
            path.unlink()
        if how == "emptied":
            (self.run.results / "journal.db").touch()


@pytest.fixture
def quick(run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Adopting:
    """Against the service that is quick, one row in seven fails at first."""
    return Adopting(run, study, monkeypatch, capsys)


@pytest.fixture
def slow(still: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Adopting:
    """Against the service whose time stands still."""
    return Adopting(still, study, monkeypatch, capsys)


def same(one, other) -> bool:
    """Whether two ends of a run say the same of every row, and of the money."""
    keys = ("outcomes", "planned", "adds_up", "cost_usd", "retried_rows", "tokens")
    return [one.json[k] for k in keys] == [other.json[k] for k in keys]


@pytest.mark.parametrize("how", ["gone", "emptied"])
@pytest.mark.parametrize("script", ["openai", "claude", "deepseek"])
def test_a_finished_run(quick: Adopting, script: str, how: str) -> None:
    """Every batch is found again, those of rows sent once more too; the same command collects all without a creation."""
    first = quick.ask(script, trials="12")
    made = len(quick.run.creates())
    quick.lose(how)
    code, said = quick.adopt()
    assert (code, f"1 rebuilt, {made} batches found again, 0 with something open" in said) == (0, True), said
    assert "--status" in said and len(quick.run.attempts()) == made
    again = quick.ask(script, trials="12")
    assert same(first, again), again.said
    assert len(quick.run.attempts()) == made
    code, said = quick.adopt()
    assert (code, "0 rebuilt, 0 batches found again" in said) == (0, True), said


@pytest.mark.parametrize("script", ["openai", "claude"])
@pytest.mark.parametrize("before", ["--dry-run", "--no-wait"])
def test_an_older_journal(slow: Adopting, script: str, before: str) -> None:
    """A copy from before is restored over it: what it has stays, what it lacks is taken up."""
    slow.ask(script, before)
    db, copy = slow.run.results / "journal.db", slow.run.results / "older.db"
    with closing(Journal(slow.run.results)) as journal:
        journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(db, copy)
    slow.ask(script, "--no-wait")
    later(slow.run)
    slow.ask(script)
    slow.lose()
    os.replace(copy, db)
    code, said = slow.adopt()
    found = 1 if before == "--dry-run" else 0
    assert (code, f"0 rebuilt, {found} batches found again" in said) == (0, True), said
    end = slow.ask(script)
    assert (end.json["outcomes"], len(slow.run.attempts())) == ({"succeeded": 4}, 1), end.said


def test_without_the_witness_by_tag(quick: Adopting) -> None:
    """The notes of creations are gone too: the host's list says by our tag which shard a batch is of."""
    first = quick.ask("openai", trials="12")
    made = len(quick.run.creates())
    quick.lose()
    (only_run(quick.run.results, "openai") / "shards/creates.log").unlink()
    code, said = quick.adopt()
    assert (code, f"{made} batches found again" in said) == (0, True), said
    assert same(first, quick.ask("openai", trials="12")) and len(quick.run.attempts()) == made


def test_without_the_witness_by_rows(slow: Adopting) -> None:
    """At Anthropic the raw files on disk say it; without them a batch as large is looked for before anything is sent."""
    slow.ask("claude", "--no-wait")
    later(slow.run)
    folder = only_run(slow.run.results, "claude")
    for raw in (True, False):
        slow.ask("claude") if raw else shutil.rmtree(folder.parent / "batch_results")
        slow.lose()
        (folder / "shards/creates.log").unlink(missing_ok=True)
        code, said = slow.adopt()
        assert (code, "1 batches found again" in said, "still looked for" in said) == ((0, True, False) if raw else (1, False, True)), said
        end = slow.ask("claude")
        assert (end.json["outcomes"], len(slow.run.attempts())) == ({"succeeded": 4}, 1), end.said


def test_a_lost_answer(slow: Adopting) -> None:
    """A creation that went unanswered, and then the journal is lost: found by the same command."""
    slow.run.world.control("faults", [{"call": "messages.batches.create", "action": {"drop": "after"}}])
    slow.ask("claude", "--no-wait", "--patience", "0.1")
    slow.lose()
    slow.adopt()
    later(slow.run)
    assert (slow.ask("claude").json["outcomes"], len(slow.run.creates())) == ({"succeeded": 4}, 1)


def test_nobody_to_look_at(slow: Adopting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the key, or at another address, the run is rebuilt and what was not looked at is told."""
    slow.ask("openai", "--no-wait")
    for name, value, word in (("OPENAI_API_KEY", "", "no OPENAI_API_KEY"), ("OPENAI_BASE_URL", "", "it was made for")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            slow.lose()
            code, said = slow.adopt()
        assert (code, word in said, "1 submitted" in said) == (1, True, True), said
    assert slow.ask("openai", "--no-wait").code == 0 and len(slow.run.attempts()) == 1


@pytest.fixture(scope="module")
def two(worlds: Callable, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Two runs that are out, good and bad, at a service that nobody else asks."""
    world = worlds("--storage-bytes", "1000000000", speed=1e-3)
    world.reset()  # a worker that comes back to this module makes them anew
    run = Commands(world, tmp_path_factory.mktemp("two") / "results")
    folder = tmp_path_factory.mktemp("two")
    (folder / "t1.txt").write_text("A text.\n")
    (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in STUDY.items()))
    for name in ("good", "bad"):
        assert run("openai", "--batch", "--experiment", folder, "--model", MODEL["openai"], "--no-wait", "--run", name).code == 0
    return run


@pytest.mark.parametrize("garbage", [b"", b"{", b"[1]", b"\xff", b"null", b'{"models": 3}'])
@pytest.mark.parametrize("name", ["run.json", "shards/shard-00001.ids", "shards/shard-00001.jsonl", "shards/creates.log"])
def test_garbled(
    two: Commands, study: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
    name: str, garbage: bytes,
) -> None:  # fmt: skip
    """One run's file is garbled: it is named, nothing is bought, and the other run is rebuilt all the same."""
    lost = shutil.copytree(two.results, tmp_path / "results", ignore=shutil.ignore_patterns("journal.db*"))
    (lost / "openai/bad" / name).write_bytes(garbage)
    code, said = Adopting(Commands(two.world, lost), study, monkeypatch, capsys).adopt()
    assert "openai/good: rebuilt" in said and "good" in said
    if name == "shards/creates.log":
        assert (code, "2 rebuilt, 2 batches found again" in said) == (0, True), said
    else:
        assert (code, "openai/bad: could not be rebuilt" in said, "bad" in said) == (1, True, True), said
    assert len(two.attempts()) == 2


def test_no_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Nothing to adopt: one line, and no journal is made. A folder of runs without one: the others name make adopt."""
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path))
    assert cli.make("adopt", []) == 2
    assert "no run folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "openai/x/shards").mkdir(parents=True)
    assert cli.make("status", []) == 2
    assert "make adopt" in capsys.readouterr().err

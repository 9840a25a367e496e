"""make forget: plans and finished runs go, the latter into an archive first; what is out, owed or waiting stays."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from common.runs.journal import Journal
from tests.cli.scripts import INPUT, OK, only_run, table
from tests.support import Commands, End, later


def forget(run: Commands, *arguments: str) -> tuple[int, str]:
    """The tool on the commands' results folder: its exit code, and all that it said."""
    done = run.typed(shlex.join(["python", "-m", "tools.forget", *arguments]))
    return done.code, done.said


def everything(folder: Path) -> set[Path]:
    """All that lies in a folder, but for locks and SQLite's own files beside a journal."""
    return {path for path in folder.rglob("*") if not path.name.startswith("journal.db-") and path.name != "lock"}


def test_a_plan(run: Commands, study: Callable) -> None:
    """A dry run names what removes it; that shows first, removes with YES, and nothing of it is left."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == OK
    before = everything(run.results)
    dry = run("openai", "--dry-run", "--experiment", study(trials="3"), "--model", "gpt-4.1")
    name = dry.out.partition("make forget RUN=")[2].split()[0]
    code, said = forget(run, name)
    assert (code, "never sent; would remove" in said, "nothing was removed" in said) == (OK, True, True), said
    assert everything(run.results) > before
    assert forget(run, name, "--yes")[0] == OK
    assert {path for path in everything(run.results) if path.suffix != ".answered"} == before
    assert forget(run, name, "--yes")[0] == INPUT


def test_a_rehearsal_that_is_only_planned(run: Commands, study: Callable) -> None:
    """A dry run starts no local service, and so leaves none of its files."""
    assert run("claude", "--dry-run", "--local", "--experiment", study()).code == OK
    assert not (run.results / "local_service").exists()


def test_a_finished_run(run: Commands, study: Callable) -> None:
    """Its folder and raw files go into an archive with the journal, from which all comes back."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert run(*command).code == OK
    folder = only_run(run.results, "openai")
    rows, files = table(folder), everything(run.results)
    code, said = forget(run, folder.name, "--yes")
    assert (code, folder.exists(), [*(run.results / "openai/batch_results").iterdir()]) == (OK, False, []), said
    (archive,) = (run.results / "backups").iterdir()
    assert run.typed(f"python -m tools.restore {archive}").code == OK
    archive.unlink()
    archive.parent.rmdir()
    assert (everything(run.results), table(folder)) == (files, rows)
    made = run.creates()
    assert (run(*command).code, run.creates()) == (OK, made)


def test_what_is_not_over(still: Commands, study: Callable) -> None:
    """In flight, waiting to be sent again, owed: exit 2, nothing removed, also where it stands beside what could go."""
    rows = {"share": 0.5, "status": 500, "code": "server_error", "message": "try later", "times": 1}
    still.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"fate": {"rows": rows}}}])
    base = ("openai", "--experiment", study(trials="20"), "--model", "gpt-4.1")
    assert still(*base, "--dry-run", "--run", "plan").code == OK
    assert still(*base, "--batch", "--no-wait", "--run", "mine").code == OK
    for why in ("are out", "wait to be sent"):
        before = everything(still.results)
        code, said = forget(still, "plan", "mine", "--yes")
        assert (code, why in said, everything(still.results)) == (INPUT, True, before), said
        later(still)
        still("openai", "--status", "mine")
    (create,) = still.creates()
    with closing(Journal(still.results)) as journal:
        (shard,) = [one for one in journal.shards(journal.run("openai/mine")) if one.batch_id == create["batch_id"]]
        journal.record(shard, "owed", state="owed")
    code, said = forget(still, "mine", "--yes")
    assert (code, "owed" in said) == (INPUT, True), said


def test_a_folder_that_was_deleted_by_hand(run: Commands, study: Callable) -> None:
    """audit tells it, looks at the other runs all the same, and what it says to type mends it."""
    for name in ("gone", "kept"):
        assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--run", name).code == OK
    shutil.rmtree(run.results / "openai/gone")
    done = _audit(run)
    assert (done.code, "openai/gone: is gone" in done.out.replace(f"{run.results}/", "")) == (1, True), done.out
    assert "openai/kept: 2 requests, ok" in done.out and "make forget RUN=openai/gone YES=1" in done.out
    assert forget(run, "openai/gone", "--yes")[0] == OK
    assert _audit(run).out.splitlines()[-1] == "1 runs, 0 with findings"


def _audit(run: Commands) -> End:
    return run.typed("python -m tools.audit")

"""make tidy and make disk: raw files get smaller and stay what came, a kill loses nothing, and only what is safe goes at a provider."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from common.maintenance.packing import pack_run
from common.results.opened import is_packed
from common.results.packed import raw_sha256
from common.runs.journal import Journal
from tests.cli.scripts import table
from tests.support import Commands, later
from tests.torture.world import World

ALL = ("openai", "--batch", "--model", "gpt-4.1")
RAW, REMOTE = {"KEEP_RAW_DAYS": "0"}, {"KEEP_REMOTE_DAYS": "0"}


def raws(run: Commands) -> dict[str, bytes]:
    """The raw files as they came, by name."""
    found = {}
    for path in sorted((run.results / "openai/batch_results").glob("*.jsonl")):
        found[path.name] = gzip.decompress(path.read_bytes()) if is_packed(path) else path.read_bytes()
    return found


@pytest.fixture
def smooth(calm: World, tmp_path: Path) -> Commands:
    """Commands against the service that answers every row at once."""
    return Commands(calm, tmp_path / "results")


def test_packed_files_are_what_came(smooth: Commands, study: Callable, made: Callable, tmp_path: Path) -> None:
    """Shown first, then packed: audit, the run's command, a grown study, share and import read them; nothing is fetched or bought."""
    run, base = smooth, (*ALL, "--experiment", study(trials="30"))
    assert run(*base, "--run", "first").code == 0
    before, bought = raws(run), len(run.creates())
    assert "nothing is tidied" in made("tidy", run).out
    assert "make tidy YES=1" in made("tidy", run, **RAW).out and not any(map(is_packed, raw_paths(run)))
    end = made("tidy", run, "--yes", **RAW)
    assert end.code == 0 and "1 raw files packed" in end.out
    assert any(map(is_packed, raw_paths(run))) and raws(run) == before
    shutil.rmtree(run.results / "openai/first/texts")
    (run.results / "openai/first/results.csv").unlink()
    end = run(*base, "--run", "first")
    assert end.code == 0 and "fetching it again" not in end.said and len(table(run.results / "openai/first")) == 30
    assert run(*ALL, "--experiment", study(trials="31"), "--run", "second", "--reuse").code == 0
    assert [one["requests"] for one in run.creates()[bought:]] == [1]
    assert (made("audit", run).code, made("share", run, "first").code) == (0, 0)
    (shared,) = (run.results / "shared").iterdir()
    assert made("import", tmp_path / "other", shared).code == 0
    assert made("audit", tmp_path / "other").code == 0


def raw_paths(run: Commands) -> list[Path]:
    """The raw files of its runs at OpenAI."""
    return sorted((run.results / "openai/batch_results").iterdir())


class Killed(BaseException):
    """The process is gone."""


STEPS = ("replace", "link", "unlink", "fsync")  # of os: around what changes a name or is promised


def test_killed_while_packing(smooth: Commands, study: Callable, made: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any step, with a copy in backups/ under the same inode: what came is there each time, and the next call ends it."""
    run = smooth
    assert run(*ALL, "--experiment", study(trials="30"), "--run", "first").code == 0
    assert made("clean", run, "--all", "--yes").code == 0
    whole, before = run.results.with_name("whole"), raws(run)
    shutil.copytree(run.results, whole)
    step, over = 0, False
    while not over:
        step += 1
        shutil.rmtree(run.results)
        shutil.copytree(whole, run.results)
        relink(run.results)
        over = not killed_at(step, lambda: packed(run.results), monkeypatch)
        assert raws(run) == before
        assert all(one == before[name] for name, one in copies(run.results).items())
        packed(run.results)
        assert raws(run) == before and all(one == before[name] for name, one in copies(run.results).items())
        (manifest,) = (run.results / "backups").glob("*/*/*/manifest.json")
        entry = next(one for one in orjson.loads(manifest.read_bytes())["files"] if one["kind"] == "output")
        copy = manifest.parent / entry["name"]
        assert copy.samefile(next(path for path in raw_paths(run) if is_packed(path)))
        assert raw_sha256(copy, entry["sha256"]) == entry["sha256"] and not (manifest.parent / "output.jsonl").exists()
    assert step > 8


def relink(results: Path) -> None:
    """A copied folder's copies in backups/ are its raw files again."""
    (copy,) = results.glob("backups/*/*/*/output.jsonl")
    (raw,) = results.glob("openai/batch_results/*_output.jsonl")
    copy.unlink()
    os.link(raw, copy)


def copies(results: Path) -> dict[str, bytes]:
    """What the manifest of the copy in backups/ names as output, by the raw file's name; fails where it is not there."""
    (raw,) = results.glob("openai/batch_results/*_output.jsonl")
    (manifest,) = (results / "backups").glob("*/*/*/manifest.json")
    names = [one["name"] for one in orjson.loads(manifest.read_bytes())["files"] if one["kind"] == "output"]
    path = manifest.parent / names[0]
    return {raw.name: gzip.decompress(path.read_bytes()) if is_packed(path) else path.read_bytes()}


def packed(results: Path) -> None:
    """Pack all that is there."""
    journal = Journal(results)
    try:
        for run in journal.runs():
            assert [said for _, said in pack_run(journal, run, time.time() + 1) if isinstance(said, str)] == []
    finally:
        journal.close()


def killed_at(step: int, work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Work, and die before the step of that number; whether there was one."""
    count = 0

    def counted(real: Callable) -> Callable:
        def call(*args: object, **more: object) -> object:
            nonlocal count
            count += 1
            if count >= step:
                raise Killed
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        except Killed:
            return True
    return False


def test_a_changed_file_is_not_packed(smooth: Commands, study: Callable, made: Callable) -> None:
    """What is not what came is left as it is, and said; the others are packed."""
    run = smooth
    assert run(*ALL, "--experiment", study(), "--run", "first").code == 0
    (path,) = (path for path in raw_paths(run) if path.name.endswith("_output.jsonl"))
    path.write_bytes(path.read_bytes() + b" \n")
    content = path.read_bytes()
    end = made("tidy", run, "--yes", **RAW)
    assert (end.code, path.read_bytes()) == (1, content) and "left as it is" in end.err


def test_old_batches_at_the_provider(still: Commands, study: Callable, made: Callable) -> None:
    """Shown first; then what was collected is saved and deleted; what is not collected, or not old enough, stays."""
    run = still
    first = (*ALL, "--experiment", study())
    assert run(*first, "--run", "first", "--no-wait").code == 0
    later(run)
    assert run("openai", "--status", "first").code == 0
    assert run(*first, "--trials", "5", "--run", "second", "--no-wait").code == 0
    young = made("tidy", run, "--yes", KEEP_REMOTE_DAYS="1")
    assert (young.code, (run.results / "backups").exists()) == (0, False), young.said
    dry = made("tidy", run, **REMOTE)
    assert "nothing was changed" in dry.out and not (run.results / "backups").exists(), dry.said
    assert "openai: not looked at" in made("tidy", run, "--yes", **{**REMOTE, "OPENAI_API_KEY": ""}).out
    end = made("tidy", run, "--yes", **REMOTE)
    assert end.code == 0 and "1 batches cleaned, 0 left, 0 failed" in end.out, end.said
    assert len([*run.results.glob("backups/openai/*/*/manifest.json")]) == 1


def test_killed_while_deleting(run: Commands, study: Callable, made: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any step: what the provider has no longer is in a whole copy here; the next call ends it."""
    assert run(*ALL, "--experiment", study(), "--run", "first").code == 0
    there, step, killed = held(run, made), 0, True
    while killed:
        step += 1
        killed = killed_at(step, lambda: made("tidy", run, "--yes", **REMOTE), monkeypatch)
        if (left := held(run, made)) < there:
            assert whole_copies(run.results) >= 1 and (left == 0 or killed)
    assert (step > 4, held(run, made), whole_copies(run.results)) == (True, 0, len(run.creates()))
    assert made("audit", run).code == 0


def held(run: Commands, made: Callable) -> int:
    """How many files the account has at the provider."""
    return made("disk", run, "--json").json["at_the_providers"]["openai"]["files"]


def whole_copies(results: Path) -> int:
    """How many batches have a copy in backups/ that is what its manifest says."""
    found = {}
    for path in results.glob("backups/openai/*/*/manifest.json"):
        told = orjson.loads(path.read_bytes())
        assert all(raw_sha256(path.parent / one["name"], one["sha256"]) == one["sha256"] for one in told["files"])
        found[told["batch_id"]] = {one["kind"] for one in told["files"]}
    return sum({"batch", "input"} < kinds for kinds in found.values())


def test_days_that_are_none(run: Commands, study: Callable, made: Callable) -> None:
    """A garbled number is one line, and nothing is done."""
    end = made("tidy", run, "--yes", KEEP_RAW_DAYS="a month")
    assert end.code == 2 and "KEEP_RAW_DAYS" in end.error and "30" in end.error


def test_what_takes_room(run: Commands, study: Callable, made: Callable) -> None:
    """Each file is counted once, where it belongs; the provider's files are asked for with a few calls, or not at all."""
    assert run(*ALL, "--experiment", study(trials="30"), "--run", "first").code == 0
    assert made("clean", run, "--all", "--yes").code == 0
    assert run(*ALL, "--experiment", study(trials="31"), "--run", "second").code == 0
    found = made("disk", run, "--json").json
    files = {(s.st_dev, s.st_ino): s.st_blocks * 512 for p in run.results.rglob("*") if p.is_file() for s in [p.stat()]}
    journal = sum(path.stat().st_blocks * 512 for path in run.results.glob("journal.db-*"))
    assert abs(found["total"] - sum(files.values())) <= max(journal, 200_000)
    assert found["runs"]["openai/first"]["raw files"] > 0 < found["runs"]["openai/first"]["texts"]
    at = found["at_the_providers"]["openai"]
    count = len(run.creates())
    assert at["batches"] == at["made_here"] == count and 0 < at["files"] <= 3 * count and at["bytes"] > 0, at
    assert made("disk", run, "--json", "--offline").json["at_the_providers"] == {}
    said = made("disk", run, "--offline").out
    assert "openai/first" in said and "free on its disk" in said

"""Backup, wipe, restore: what was there comes back, what is newer stays, and an archive that is not whole changes nothing."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import cli
from common.errors import InputError
from common.maintenance.backup import backup
from common.maintenance.inventory import MANIFEST, Entry, written
from common.maintenance.places import Folder, place, split
from common.maintenance.restore import restore
from tests.support import STUDY, Commands

ALL = ("openai", "--batch", "--model", "gpt-4.1", "--experiment")


@pytest.fixture(scope="module")
def finished(calm: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with two runs, which tests copy."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "t1.txt").write_text("A text. 本文。\n")
    (folder / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in STUDY.items()))
    run = Commands(calm, folder / "results")
    assert run(*ALL, folder, "--run", "small").code == 0
    assert run(*ALL, folder, "--run", "more", "--trials", "3").code == 0
    return folder / "results"


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "results"))


def everything(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for archives, locks, the pace of calls and SQLite's own files."""
    return {
        path.relative_to(folder).as_posix(): b"" if path.name == "journal.db" else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {"backups", "rates"} & {*path.parts} and not path.name.startswith("journal.db-") and path.name != "lock"
    }


def raw_of(folder: Path) -> Path:
    """One of the raw files."""
    return min((folder / "openai/batch_results").iterdir())


def test_backup_wipe_restore(results: Path, tmp_path: Path, made: Callable) -> None:
    """Twice saved, the second time only what is new; wiped; brought back from the second: all of it, and the audit is content."""
    first = made("backup", results)
    assert first.code == 0 and "verified" in first.out
    (results / "notes.txt").write_text("mine")
    second = made("backup", results)
    assert "1 of them are new or changed" in second.out
    before, archives = everything(results), sorted((results / "backups").iterdir(), key=lambda path: (len(path.name), path.name))
    assert len(archives) == 2
    shutil.move(results / "backups", tmp_path / "kept")
    shutil.rmtree(results)
    end = made("restore", results, tmp_path / "kept" / archives[1].name)
    assert (end.code, everything(results)) == (0, before)
    assert made("audit", results).out.splitlines()[-1] == "2 runs, 0 with findings"
    (tmp_path / "kept" / archives[0].name).unlink()
    shutil.rmtree(results)
    end = made("restore", results, tmp_path / "kept" / archives[1].name)
    assert (end.code, archives[0].name in end.err, results.exists()) == (2, True, False)


def test_a_backup_whose_forerunner_is_gone(results: Path, made: Callable) -> None:
    """What lay in an archive that is gone is saved again; FULL saves all."""
    made("backup", results)
    (first,) = (results / "backups").iterdir()
    first.unlink()
    assert "new or changed" not in made("backup", results).out
    assert "new or changed" not in made("backup", results, "--full").out


def test_restore_into_a_folder_in_use(results: Path, made: Callable) -> None:
    """What is missing comes back, a damaged raw file too; the journal here and what a person changed stay."""
    made("backup", results)
    (archive,) = (results / "backups").iterdir()
    raw, table, page = raw_of(results), results / "openai/more/results.csv", results / "openai/small/run.json"
    good, journal = raw.read_bytes(), (results / "journal.db").read_bytes()
    raw.write_bytes(good[:-20])
    table.unlink()
    page.write_bytes(page.read_bytes() + b"\n")
    assert made("audit", results).code == 1
    end = made("restore", results, archive)
    assert end.code == 0 and "1 damaged files replaced" in end.out and "openai/small/run.json" in end.out
    assert (raw.read_bytes(), table.exists(), page.read_bytes()[-1:]) == (good, True, b"\n")
    assert (results / "journal.db").read_bytes() == journal
    assert made("audit", results).out.splitlines()[-1] == "2 runs, 0 with findings"


@pytest.fixture(scope="module")
def archive(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of it."""
    target = tmp_path_factory.mktemp("archive")
    folder = shutil.copytree(finished, target / "results")
    return Path(backup(Path(folder), Folder(target / "saved")).path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_archive_changes_nothing(archive: Path, tmp_path: Path, at: float, bit: int, cut: bool) -> None:
    """One bit turned or the end cut off: refused in a line and nothing is there, or all that is there is right."""
    data = bytearray(archive.read_bytes())
    where = int(at * len(data))
    data[where] ^= 1 << bit
    bad, target = tmp_path / archive.name, tmp_path / "results"
    bad.write_bytes(data[:where] if cut else data)
    shutil.rmtree(target, ignore_errors=True)
    try:
        restore(target, *split(str(bad)))
    except InputError as error:
        assert "\n" not in str(error) and not target.exists()
    else:
        with tarfile.open(archive) as packed:
            whole = {info.name: packed.extractfile(info).read() for info in packed if info.name != ".backup.json"}
        assert {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()} == whole


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(st.sampled_from(("stay", "gone", "other")), min_size=60, max_size=60))
def test_nothing_newer_is_lost(archive: Path, tmp_path: Path, fates: list[str]) -> None:
    """Whatever is gone or other here: what is gone comes back, what never changes is as it came, all else that differs stays."""
    target = tmp_path / "results"
    shutil.rmtree(target, ignore_errors=True)
    restore(target, *split(str(archive)))
    whole = everything(target)
    fate = dict(zip(sorted(whole.keys() - {"journal.db"}), fates))
    for name, one in fate.items():
        if one == "gone":
            (target / name).unlink()
        elif one == "other":
            (target / name).write_bytes(whole[name] + b"newer")
    found, now = restore(target, *split(str(archive))), everything(target)
    proven = {name for name in whole if "/batch_results/" in name or name.endswith(".ids") or "/shards/shard-" in name and ".jsonl" in name}
    others = {name for name, one in fate.items() if one == "other"}
    assert {*found.added} == {name for name, one in fate.items() if one == "gone"}
    assert ({*found.mended}, {*found.kept} - {"journal.db"}) == (others & proven, others - proven)
    assert now == {name: whole[name] + (b"newer" if name in others - proven else b"") for name in whole}


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", range(1, 40, 3))
def test_killed_while_restoring(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Killed before any of its steps that change names, the same command goes on; a journal comes only with all files."""
    target, calls, real = tmp_path / "results", iter(range(1, 10_000)), os.replace

    def replace(*names: object) -> None:
        if next(calls) == step:
            raise Killed
        real(*names)

    monkeypatch.setattr(os, "replace", replace)
    try:
        restore(target, *split(str(archive)))
    except Killed:
        assert not (target / "journal.db").exists()
    monkeypatch.setattr(os, "replace", real)
    found = restore(target, *split(str(archive)))
    assert (found.kept, found.mended) == ([], [])
    with tarfile.open(archive) as packed:
        names = {info.name for info in packed} - {".backup.json"}
    assert names == {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def test_names_that_leave_the_folder(tmp_path: Path) -> None:
    """An archive that somebody else made puts nothing outside, nor into the archives."""
    for name in ("../out", "/etc/out", "a/../../out", "backups/out"):
        bad = tmp_path / "results-bad.tar.gz"
        with tarfile.open(bad, "w:gz") as packed:
            content = written({name: Entry(0, "0" * 64, bad.name)}, {})
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
        with pytest.raises(InputError, match="no file of a results folder"):
            restore(tmp_path / "results", *split(str(bad)))
        assert not (tmp_path / "results").exists()


def test_a_store_by_its_address(results: Path, tmp_path: Path, made: Callable) -> None:
    """Backup, restore, share and export take an address; what is brought there is read again."""
    pytest.importorskip("fsspec")
    assert made("backup", results, "--out", "memory://mine/deep").code == 0
    (name,) = place("memory://mine/deep").sizes()
    (results / "notes.txt").write_text("mine")
    assert "1 of them are new" in made("backup", results, "--out", "memory://mine/deep").out
    end = made("restore", tmp_path / "new", f"memory://mine/deep/{name}")
    assert end.code == 0 and made("audit", tmp_path / "new").code == 0
    assert "memory://mine/given/openai-small" in made("share", results, "small", "--out", "memory://mine/given").out
    assert made("export", results, "small", "--out", "memory://mine/table").code == 0
    assert {"data.csv", "codebook.csv"} <= place("memory://mine/table").sizes().keys()
    assert made("export", results, "small", "--out", "memory://mine/table").code == 2


@pytest.mark.parametrize(("typed", "said"), [("s3://bucket/x", "pip install s3fs"), ("s3://key:secret@bucket/x", "environment")])
def test_an_address_that_cannot_be_had(results: Path, made: Callable, monkeypatch: pytest.MonkeyPatch, typed: str, said: str) -> None:
    """A package that is not there, a key in the address: one line, and the key is not in it."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)  # as where it was never installed
    end = made("backup", results, "--out", typed)
    assert end.code == 2 and said in end.err and "secret" not in end.err


def test_results_stay_on_this_machine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """RESULTS_DIR takes no address."""
    monkeypatch.setenv("RESULTS_DIR", "s3://bucket/results")
    assert cli.make("backup", []) == 2
    assert "stay on this machine's disk" in capsys.readouterr().err

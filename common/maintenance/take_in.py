"""An archive of `make share` into a results folder: unpacked beside it and looked at, then moved, and noted in one transaction."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import orjson

from common.errors import InputError
from common.files import write_whole
from common.maintenance import extract
from common.maintenance.archive import JOURNAL, Archive, opened
from common.maintenance.extract import Extract
from common.nouns import Run, Shard
from common.results.origin import manifest_of
from common.results.parts import INDEX
from common.results.raw import own_files, raw_files
from common.runs.journal import Journal
from common.runs.segments import SUFFIX
from common.text import one_line, size

_NO_ROWS = (ValueError, TypeError, LookupError, AttributeError, RecursionError)  # what hostile rows make of reading them


def take_in(path: Path, results: Path, name: str | None = None) -> Run:
    """Import an archive, as `name` if given; returns the run. Raises InputError, and then nothing was written; OSError."""
    with opened(path) as archive, _scratch(results) as scratch:
        if (free := shutil.disk_usage(scratch).free) < archive.bytes:
            raise InputError(f"{results}: {size(free)} free, {size(archive.bytes)} needed; make room first")
        folder = scratch / "new"  # one deeper than a run may lie, should it ever be left behind
        archive.unpack(folder)
        found = _read(archive, folder)
        run = _here(found.run, results, name)
        _check_free(run, path)
        files = {shard.n: _names(found.run, run, shard) for shard in found.shards}
        if not all(files[shard.n].keys() >= shard.files.keys() for shard in found.shards):
            raise archive.refused("a raw file has the name of another batch")
        moves = {folder / "batch_results" / old: files[s.n][old] for s in found.shards for old in s.files} | {folder / "run": run.folder}
        shards = [_moved(shard, run, files[shard.n]) for shard in found.shards]
        _mark(folder / "run", run)
        for path in (folder / "run/shards").glob(f"*{SUFFIX}"):
            path.unlink()  # where answers are is found out here, not believed
        with _in_place(moves), closing(Journal(results)) as journal:
            journal.take_in(run, shards, found.events, found.claims)
    return run


@contextmanager
def _scratch(results: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, on the disk where results lie; so is a results folder that nothing came into."""
    made = [folder for folder in (results, *results.parents) if not folder.exists()]
    results.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".import-", dir=results) as scratch:
            yield Path(scratch)
    finally:
        with suppress(OSError):  # it holds something
            for folder in made:
                folder.rmdir()


def _read(archive: Archive, folder: Path) -> Extract:
    """The rows of the journal that came, once they and the files fit each other. Raises InputError."""
    try:
        found = extract.read(folder / JOURNAL)
        if not set(found.run.models) <= manifest_of(folder / "run/run.json")["models"].keys():
            raise ValueError("a model that its run.json does not have")
    except InputError:
        raise archive.refused("its run.json is garbled") from None
    except OSError:
        raise archive.refused("its journal or run.json is missing") from None
    except _NO_ROWS as error:
        raise archive.refused(f"its journal is garbled ({one_line(error, 100)})") from None
    if name := extract.misfit(found, archive.sums):
        raise archive.refused(f"{one_line(name, 200)} is not what its journal says")
    return found


def _here(run: Run, results: Path, name: str | None) -> Run:
    """The run as it will be known here."""
    new = name or run.name
    folder, named = results / run.provider / new, run.named or new != run.name
    return replace(run, key=f"{run.provider}/{new}", name=new, folder=folder, named=named, imported=time.time())


def _check_free(run: Run, path: Path) -> None:
    there, results = run.folder.exists(), run.folder.parent.parent
    if (results / "journal.db").exists():
        with closing(Journal(results)) as journal:
            there = there or journal.run(run.key) is not None
    if there:
        raise InputError(f"run {run.key} is here already; to have both, type: make import FILE={path} AS={run.name}-2")


def _names(before: Run, run: Run, shard: Shard) -> dict[str, Path]:
    """Where a batch's raw files go, by the names that they may have: beside those of another run with such a batch, never over them."""
    plain, own = raw_files(run.folder.parent, shard.batch_id), own_files(run, shard.batch_id)
    targets = own if any(path.exists() for path in plain) else plain
    elsewhere = replace(before, folder=run.folder)  # its own names follow from its key, in whatever folder
    return {old.name: new for olds in (plain, own_files(elsewhere, shard.batch_id)) for old, new in zip(olds, targets)}


def _moved(shard: Shard, run: Run, names: dict[str, Path]) -> Shard:
    path = run.folder / "shards" / shard.path.name
    return replace(shard, run=run.key, path=path, files={names[name].name: sha256 for name, sha256 in shard.files.items()})


def _mark(folder: Path, run: Run) -> None:
    """Note in the run's own folder that it is a record: a journal that is rebuilt from folders must know it too.

    What was said of a table elsewhere is not believed: it is made anew from the raw files when it is next made.
    """
    (folder / INDEX).unlink(missing_ok=True)
    path = folder / "run.json"
    found = orjson.loads(path.read_bytes())
    told = found["run"] if isinstance(found.get("run"), dict) else {}
    found["run"] = {**told, "imported": run.imported, "source": ""}
    write_whole(path, orjson.dumps(found, option=orjson.OPT_INDENT_2))


@contextmanager
def _in_place(moves: dict[Path, Path]) -> Iterator[None]:
    """Move what was unpacked to its places for good, or, where anything goes wrong then, not at all."""
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise InputError(f"{target} is there already; move it elsewhere")
            os.rename(source, target)
            done.append((source, target))
        yield
    except BaseException:
        for source, target in reversed(done):
            os.rename(target, source)
        raise

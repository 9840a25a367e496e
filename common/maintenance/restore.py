"""An archive of make backup into a results folder: proven beside it first, then what is missing is put in; nothing newer is lost."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError
from common.files import file_sha256, sync_folder
from common.maintenance.inventory import MANIFEST, Entry, inventory, unpacking
from common.maintenance.places import Place
from common.results.opened import BLOCK
from common.results.packed import raw_sha256
from common.runs.reading import reading
from common.text import one_line, size

JOURNAL = "journal.db"
_BESIDE = ("journal.db-wal", "journal.db-shm")  # of a journal that is gone; SQLite would mix them into another one


class Restored(NamedTuple):
    """What became of an archive's files: put where none was, put for a damaged one, there already, and left as they are here."""

    added: list[str]
    mended: list[str]
    same: int
    kept: list[str]


def restore(results: Path, place: Place, name: str) -> Restored:
    """Put what an archive has, and the results folder lacks, into it; what differs here stays, unless the journal here says
    that the archive's is the right one. Raises InputError, and then nothing was changed; OSError.

    Killed on the way, the same call goes on: the journal is put last.
    """
    found = inventory(place, name)
    _check_whole(place, found.files)
    made = results.exists()
    results.mkdir(parents=True, exist_ok=True)
    try:
        added, mended, same, kept = _compared(results, found.files)
        todo = {member: found.files[member] for member in (*added, *mended)}
        need, free = sum(entry.bytes for entry in todo.values()), shutil.disk_usage(results).free
        if free < need:
            raise InputError(f"{results}: {size(free)} free, {size(need)} needed; make room first")
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=results) as scratch:
            for archive in sorted({entry.archive for entry in todo.values()}):
                _unpack(place, archive, {m: e for m, e in todo.items() if e.archive == archive}, Path(scratch))
            _put(results, Path(scratch), added, mended)
    finally:
        if not made:
            with suppress(OSError):  # it holds something
                results.rmdir()
    return Restored(added, mended, same, kept)


def _check_whole(place: Place, files: Mapping[str, Entry]) -> None:
    there = place.sizes()
    if gone := sorted({entry.archive for entry in files.values()} - there.keys()):
        raise InputError(f"{place.at(gone[0])}: is gone, and has files of this backup; put it back beside the others, or take another one")


def _compared(results: Path, files: Mapping[str, Entry]) -> tuple[list[str], list[str], int, list[str]]:
    noted = _noted(results)
    added, mended, same, kept = [], [], 0, []
    for member, entry in files.items():
        here = results / member
        if not here.exists():
            added.append(member)
        elif file_sha256(here) == entry.sha256:
            same += 1
        elif (right := noted.get(member)) and right == entry.sha256 and raw_sha256(here, right) != right:
            mended.append(member)
        elif right and raw_sha256(here, right) == right:
            same += 1  # packed since, or before
        else:
            kept.append(member)
    return added, mended, same, kept


def _noted(results: Path) -> dict[str, str]:
    """The digests that the journal here knows of files that never change; nothing where there is no journal."""
    noted: dict[str, str] = {}
    if (results / JOURNAL).exists():
        with reading(results) as journal:
            for run in journal.runs():
                for shard in journal.shards(run):
                    ids = shard.path.with_suffix(".ids")
                    noted |= {path.relative_to(results).as_posix(): digest
                              for path, digest in ((shard.path, shard.sha256), (ids, shard.ids_sha256))}  # fmt: skip
                    noted |= {f"{run.provider}/batch_results/{name}": digest for name, digest in shard.files.items()}
    return noted


def _unpack(place: Place, archive: str, wanted: dict[str, Entry], folder: Path) -> None:
    """Write an archive's wanted members into a new folder. Raises InputError where one is missing or not what the manifest says."""
    left = dict(wanted)
    with unpacking(place, archive) as packed:
        for info in packed:
            if info.name != MANIFEST and info.isreg() and (entry := left.pop(info.name, None)):
                _write(packed, info, entry, folder / info.name)
    if left:
        raise InputError(f"{place.at(archive)}: lacks {one_line(min(left), 200)}; nothing was restored")


def _write(packed: tarfile.TarFile, info: tarfile.TarInfo, entry: Entry, target: Path) -> None:
    if info.size != entry.bytes:
        raise ValueError(f"{info.name} is not as large as the manifest says")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "xb") as file:
        shutil.copyfileobj(packed.extractfile(info), file, BLOCK)
        file.flush()
        os.fsync(file.fileno())
    if file_sha256(target) != entry.sha256:
        raise ValueError(f"{info.name} is not what the manifest says")


def _put(results: Path, scratch: Path, added: list[str], mended: list[str]) -> None:
    folders = set()
    for member in sorted((*added, *mended), key=lambda one: one == JOURNAL):  # the journal last
        target = results / member
        target.parent.mkdir(parents=True, exist_ok=True)
        if member == JOURNAL:
            for name in _BESIDE:
                with suppress(FileNotFoundError):
                    os.replace(results / name, results / f"{name}.before-restore")
        if member in mended or not target.exists():
            os.replace(scratch / member, target)
        folders.add(target.parent)
    for folder in folders:
        sync_folder(folder)

"""Archives of a results folder: journal, raw files, runs. Each holds what those before it do not, and is read before it counts."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError
from common.files import file_sha256, whole_file
from common.maintenance.inventory import MANIFEST, Entry, Inventory, newest, written
from common.maintenance.places import Folder, Place
from common.nouns import Run

LEFT_OUT = {
    "backups", "local_service", "standard_service", "rates", "shared", "browse", "journal.db", "journal.db-wal", "journal.db-shm",
}  # fmt: skip
_HIDDEN = (".import-", ".restore-")  # what a command that was killed may leave


class Saved(NamedTuple):
    """An archive that was made: its whole name, its bytes, the files that it stands for and those that are in itself."""

    path: str
    bytes: int
    files: int
    new: int


def backup(results: Path, place: Place | None = None, full: bool = False) -> Saved:
    """Make and verify an archive under results/backups, or at `place`, of what its newest one there does not have already.

    `full`: of everything. Raises InputError where there is no journal, and OSError as the disk does or when a file changed
    meanwhile.
    """
    if not (results / "journal.db").exists():
        raise InputError(f"{results}: no journal, so nothing to save yet")
    place = place or Folder(results / "backups")
    return _saved(results, "results", _files(results), place, None if full else newest(place))


def backup_of(results: Path, run: Run, raw: Iterable[Path]) -> Path:
    """The same of one run, complete in itself: its folder and its raw files, together with the journal. Returns the archive."""
    raw = frozenset(raw)
    mine = (path for path in _files(results) if path.is_relative_to(run.folder) or path in raw)
    return Path(_saved(results, f"{run.provider}-{run.name}", mine, Folder(results / "backups"), None).path)


def _saved(results: Path, name: str, files: Iterable[Path], place: Place, base: Inventory | None) -> Saved:
    backups = results / "backups"
    backups.mkdir(exist_ok=True)
    there = place.sizes()
    name = _new_name(f"{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}", there)
    with tempfile.TemporaryDirectory(dir=backups) as scratch:
        journal = _journal(results, Path(scratch))
        paths = {"journal.db": journal} | {path.relative_to(results).as_posix(): path for path in files}
        entries = {member: _entry(path, member, name, base) for member, path in paths.items()}
        todo = {member: path for member, path in paths.items() if entries[member].archive == name}
        others = {entry.archive for entry in entries.values()} - {name}
        archive = Path(scratch, name)
        with whole_file(archive) as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as packed:
                _add_manifest(packed, written(entries, {other: there[other] for other in others}))
                for member, path in todo.items():
                    packed.add(path, member)
            file.flush()
            _verify(Path(file.name), {member: entries[member].sha256 for member in todo})
        place.put(archive, name)
        return Saved(place.at(name), archive.stat().st_size, len(entries), len(todo))


def _new_name(stem: str, there: Iterable[str]) -> str:
    """A name that no archive has: another's must never be written over, since later ones build on it."""
    names = (f"{stem}{more}.tar.gz" for more in ("", *(f"-{n}" for n in range(2, 10_000))))
    return next(name for name in names if name not in there)


def _journal(results: Path, scratch: Path) -> Path:
    """A copy of the journal, a whole one even while a run writes."""
    path = scratch / "journal.db"
    with closing(sqlite3.connect(results / "journal.db")) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


def _files(results: Path) -> Iterator[Path]:
    for path in sorted(results.rglob("*")):
        first = path.relative_to(results).parts[0]
        kept = first not in LEFT_OUT and not first.startswith(_HIDDEN)
        if kept and path.is_file() and not path.is_symlink() and path.suffix != ".part" and path.name != "lock":
            yield path


def _entry(path: Path, member: str, name: str, base: Inventory | None) -> Entry:
    """What the manifest says of a file: that it is in this archive, or in the one that has the same bytes of it."""
    size, sha256 = path.stat().st_size, file_sha256(path)
    held = base.files.get(member) if base else None
    same = held is not None and (held.bytes, held.sha256) == (size, sha256)
    return Entry(size, sha256, held.archive if same else name)


def _add_manifest(archive: tarfile.TarFile, content: bytes) -> None:
    info = tarfile.TarInfo(MANIFEST)
    info.size, info.mtime = len(content), int(time.time())
    archive.addfile(info, io.BytesIO(content))


def _verify(path: Path, sums: dict[str, str]) -> None:
    """Read the archive back. Raises OSError when a file in it is not what was put in."""
    left = dict(sums)
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name == MANIFEST:
                continue
            if hashlib.file_digest(archive.extractfile(member), "sha256").hexdigest() != left.pop(member.name, None):
                raise OSError(f"{path.name}: {member.name} changed while it was saved; run make backup again")
    if left:
        raise OSError(f"{path.name}: {len(left)} files are missing")

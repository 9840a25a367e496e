"""One archive of a results folder: journal, raw files and runs, read again before it counts."""

from __future__ import annotations

import hashlib
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from common.errors import InputError
from common.files import whole_file
from common.nouns import Run

LEFT_OUT = {
    "backups", "local_service", "standard_service", "rates", "shared", "browse", "journal.db", "journal.db-wal", "journal.db-shm",
}  # fmt: skip


def backup(results: Path) -> tuple[Path, int]:
    """Make and verify an archive under results/backups; returns it and how many files are in it.

    Raises InputError where there is no journal, and OSError as the disk does or when a file changed meanwhile.
    """
    if not (results / "journal.db").exists():
        raise InputError(f"{results}: no journal, so nothing to save yet")
    return _saved(results, "results", _files(results))


def backup_of(results: Path, run: Run, raw: Iterable[Path]) -> Path:
    """The same of one run: its folder and its raw files, together with the journal. Returns the archive."""
    raw = frozenset(raw)
    mine = (path for path in _files(results) if path.is_relative_to(run.folder) or path in raw)
    return _saved(results, f"{run.provider}-{run.name}", mine)[0]


def _saved(results: Path, name: str, files: Iterable[Path]) -> tuple[Path, int]:
    folder = results / "backups"
    folder.mkdir(exist_ok=True)
    target = folder / f"{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"
    sums: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=folder) as scratch, whole_file(target) as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
            _add(archive, _journal(results, Path(scratch)), "journal.db", sums)
            for path in files:
                _add(archive, path, path.relative_to(results).as_posix(), sums)
        file.flush()
        _verify(Path(file.name), sums)
    return target, len(sums)


def _journal(results: Path, scratch: Path) -> Path:
    """A copy of the journal, a whole one even while a run writes."""
    path = scratch / "journal.db"
    with closing(sqlite3.connect(results / "journal.db")) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


def _files(results: Path) -> Iterator[Path]:
    for path in sorted(results.rglob("*")):
        kept = path.relative_to(results).parts[0] not in LEFT_OUT
        if kept and path.is_file() and not path.is_symlink() and path.suffix != ".part":
            yield path


def _add(archive: tarfile.TarFile, path: Path, name: str, sums: dict[str, str]) -> None:
    with open(path, "rb") as file:
        sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    archive.add(path, name)


def _verify(path: Path, sums: dict[str, str]) -> None:
    """Read the archive back. Raises OSError when a file in it is not what was put in."""
    left = dict(sums)
    with tarfile.open(path) as archive:
        for member in archive:
            if hashlib.file_digest(archive.extractfile(member), "sha256").hexdigest() != left.pop(member.name, None):
                raise OSError(f"{path}: {member.name} changed while it was saved; run make backup again")
    if left:
        raise OSError(f"{path}: {len(left)} files are missing")

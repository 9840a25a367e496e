"""make backup: journal, raw files and runs into one archive under results/backups, read again before it counts."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path

from common.cli import tool
from common.errors import InputError
from common.text import size

LEFT_OUT = {"backups", "local_service", "journal.db", "journal.db-wal", "journal.db-shm"}


def main(results: Path) -> int:
    """Make and verify the archive; returns the exit code."""
    if not (results / "journal.db").exists():
        raise InputError(f"{results}: no journal, so nothing to save yet")
    folder = results / "backups"
    folder.mkdir(exist_ok=True)
    target = folder / f"results-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"
    part = target.with_suffix(".part")
    sums: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=folder) as scratch, tarfile.open(part, "w:gz", compresslevel=3) as archive:
        journal = Path(scratch) / "journal.db"
        with closing(sqlite3.connect(results / "journal.db")) as source, closing(sqlite3.connect(journal)) as copy:
            source.backup(copy)  # a whole one, even while a run writes
        _add(archive, journal, "journal.db", sums)
        for path in sorted(results.rglob("*")):
            inside = path.relative_to(results)
            if inside.parts[0] not in LEFT_OUT and path.is_file() and not path.is_symlink() and path.suffix != ".part":
                _add(archive, path, inside.as_posix(), sums)
    _verify(part, sums)
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    print(f"{target}: {len(sums):,} files, {size(target.stat().st_size)}, verified")
    return 0


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


if __name__ == "__main__":
    sys.exit(tool.run(main, "make backup"))

"""Files that are there whole or not at all, and lines read from them without holding them."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

BUFFER = 1 << 18  # bytes; so that many rows of a table are one write

LOG = "run.log"  # in a run's folder: what went wrong, for people; rotated ones begin with the same name


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears under `path` only when its block ends without an error, synced to the disk.

    It is written as `<name>.part`, which is removed on an error. Raises OSError as the disk does.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb", buffering=BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make names that were just added to a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all."""
    with whole_file(path) as file:
        file.write(data)


_LONGEST = 200  # bytes of a name; file systems take 255, archives and backups less


_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,149}")


_HASHED = re.compile(r"-[0-9a-fA-F]{16}\Z")


_UNSAFE = re.compile(r'[<>:"/\\|?*]')


_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])[ ]*(?:\.|\Z)", re.IGNORECASE)


def safe_name(custom_id: str, suffix: str = ".txt") -> str:
    """A file name for an id: the id itself where every file system takes it, else a likeness and a hash of the id.

    Different ids have different names (those that differ in case only: see `TextFolder`); no name is a path.
    """
    if _PLAIN.fullmatch(custom_id) and not _RESERVED.match(custom_id) and not _HASHED.search(custom_id):
        return custom_id + suffix
    name = unicodedata.normalize("NFC", custom_id)
    name = "".join(c if c.isprintable() else "_" for c in _UNSAFE.sub("_", name))
    name = "_" + name[1:] if name[:1] in ("", ".", "-", " ", "~") else name
    name = "_" + name if _RESERVED.match(name) else name
    if name == custom_id and len((name + suffix).encode()) <= _LONGEST and not _HASHED.search(name):
        return name + suffix
    return hashed_name(name, custom_id, suffix)


def hashed_name(name: str, custom_id: str, suffix: str) -> str:
    """As much of `name` as fits, and 16 hex digits of the id's SHA-256 that tell it from all others."""
    end = "-" + hashlib.sha256(custom_id.encode("utf-8", "surrogatepass")).hexdigest()[:16] + suffix
    return name.encode("utf-8", "replace")[: _LONGEST - len(end.encode())].decode("utf-8", "ignore") + end


def is_run_name(name: str) -> bool:
    """Whether a run may be called so: a name that is one folder, and not that of the raw files."""
    return bool(re.fullmatch(r"\w[\w.-]{0,79}", name)) and not name.endswith(".") and name.lower() != "batch_results"


def file_sha256(path: Path) -> str:
    """The digest of a file's bytes, "" when it is not there. Raises OSError as the disk does."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""

"""What an archive of make backup says of itself: every file that was there, its digest, and which archive has it."""

from __future__ import annotations

import gzip
import re
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import orjson

from common.errors import InputError
from common.maintenance.places import Place
from common.text import iso, one_line
from common.version import version

FORMAT = 1
KIND = "batch-experiments backup"
MANIFEST = ".backup.json"
MOST_MANIFEST = 1_000_000_000  # bytes
BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError, TypeError, LookupError, AttributeError)
_WHOLE = re.compile(r"results-(\d{8}T\d{6}Z)(?:-(\d+))?\.tar\.gz")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Entry(NamedTuple):
    """A file as it was saved: its bytes, its digest, and the name of the archive that has it."""

    bytes: int
    sha256: str
    archive: str


class Inventory(NamedTuple):
    """All files that an archive stands for, by name, and the bytes of the other archives that have some of them."""

    files: Mapping[str, Entry]
    archives: Mapping[str, int]


def written(files: Mapping[str, Entry], archives: Mapping[str, int]) -> bytes:
    """The manifest as it stands in an archive."""
    return orjson.dumps({"kind": KIND, "format": FORMAT, "program": version(), "made_at": iso(time.time()),
                         "archives": archives, "files": files}, default=list)  # fmt: skip


def inventory(place: Place, name: str) -> Inventory:
    """What an archive says of itself. Raises InputError where it is none, or a damaged one."""
    with unpacking(place, name) as archive:
        first = archive.next()
        if first is None or first.name != MANIFEST or not first.isreg() or first.size > MOST_MANIFEST:
            raise InputError(f"{place.at(name)}: is no archive that make backup has made (older ones: tar xzf FILE -C results)")
        return _read(orjson.loads(archive.extractfile(first).read()))


def _read(told: dict) -> Inventory:
    if told["kind"] != KIND or told["format"] != FORMAT:
        raise ValueError("of another kind, or made by a newer version")
    files = {name: Entry(*row) for name, row in told["files"].items()}
    for name, entry in files.items():
        if not is_placed(name) or type(entry.bytes) is not int or not _SHA256.fullmatch(entry.sha256) or not is_name(entry.archive):
            raise ValueError(f"{name!r} is no file of a results folder")
    archives = {name: int(size) for name, size in told["archives"].items() if is_name(name)}
    return Inventory(files, archives)


def is_name(name: object) -> bool:
    """Whether this can be the name of an archive beside another."""
    return isinstance(name, str) and bool(re.fullmatch(r"[\w][\w.-]{0,254}", name))


def is_placed(name: str) -> bool:
    """Whether a name stays in the folder that it is put into, and out of where archives are."""
    parts = name.split("/")
    return "\0" not in name and "\\" not in name and not {"", ".", ".."} & {*parts} and parts[0] != "backups"


@contextmanager
def unpacking(place: Place, name: str) -> Iterator[tarfile.TarFile]:
    """An archive to read from its beginning to its end. Raises InputError where that cannot be."""
    try:
        with place.opened(name) as file, tarfile.open(fileobj=file, mode="r:gz") as archive:
            yield archive
    except FileNotFoundError:
        raise InputError(f"{place.at(name)}: is not there; expected an archive that make backup has made") from None
    except BROKEN as error:
        why = one_line(error, 120)
        raise InputError(f"{place.at(name)}: is damaged or no archive of make backup ({why}); nothing was restored") from None


def newest(place: Place) -> Inventory | None:
    """What the newest archive of a whole results folder says, without what lies in archives that are gone; None where there is none."""
    there = place.sizes()
    made = [found for name in there if (found := _WHOLE.fullmatch(name))]
    for name in (found[0] for found in sorted(made, key=lambda found: (found[1], int(found[2] or 1)), reverse=True)):
        try:
            found = inventory(place, name)
        except InputError:
            continue  # of an earlier version, or damaged: what it holds is saved again
        whole = {one for one, size in found.archives.items() if there.get(one) == size} | {name}
        return Inventory({member: entry for member, entry in found.files.items() if entry.archive in whole}, found.archives)
    return None

"""One run in one file: a zip whose manifest names each member with its size and digest. Whoever opens one trusts nothing in it."""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from common.errors import InputError
from common.files import whole_file
from common.text import one_line, size

FORMAT = 1
KIND = "batch-experiments run"
MANIFEST, README, JOURNAL = "manifest.json", "README.md", "journal.jsonl"
MOST_FILES = 100_000
MOST_BYTES = 50_000_000_000  # of all that is unpacked
MOST_MANIFEST = 50_000_000
_DEEPEST, _LONGEST = 8, 255  # parts of a name, bytes of a part
_BLOCK = 1 << 20
_PLAIN_TYPES = (0, stat.S_IFREG)  # what a zip says of a file's type, if it says anything
_MISREAD = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
    OSError,  # a member that is said to begin before the file
)


class Sum(NamedTuple):
    """What a member must be: its size in bytes and its SHA-256 in hex."""

    bytes: int
    sha256: str


Sums = Mapping[str, Sum]
Content = Path | bytes | Callable[[], AbstractContextManager[BinaryIO]]  # of a member


# ---- writing


def pack_into(target: Path, told: dict, members: Iterable[tuple[str, Content]], check: Callable[[Sums], None], secrets: set[bytes]) -> Sums:
    """Write an archive, and read it again before it counts; returns what is in it. `told` goes into the manifest.

    `check` raises where what was packed is not what it should be. Raises InputError where a member holds one of `secrets`,
    and OSError as the disk does.
    """
    sums: dict[str, Sum] = {}
    with whole_file(target) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            for name, content in members:
                sums[name] = _add(archive, name, content)
            check(sums)
            manifest = {"kind": KIND, "format": FORMAT, **told, "files": {name: one._asdict() for name, one in sums.items()}}
            _add(archive, MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        file.flush()
        with opened(Path(file.name)) as written:
            for name in written.sums:
                _search(name, written.blocks(name), secrets)
    return sums


def _add(archive: zipfile.ZipFile, name: str, content: Content) -> Sum:
    if not _is_placed(name):
        raise InputError(f"{one_line(repr(name), 300)} is a name that no archive takes; rename the file")
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
    digest, count = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as member:
        for block in _blocks(content):
            digest.update(block)
            count += member.write(block)
    return Sum(count, digest.hexdigest())


def _blocks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with open(content, "rb") if isinstance(content, Path) else content() as file:
        yield from iter(lambda: file.read(_BLOCK), b"")


def _search(name: str, blocks: Iterable[bytes], secrets: set[bytes]) -> None:
    """Read a member to its end. Raises InputError where a secret stands in it."""
    longest, before = max(map(len, secrets), default=0), b""
    for block in blocks:
        whole = before + block
        if any(secret in whole for secret in secrets):
            raise InputError(
                f"{one_line(name, 200)} holds an API key or what stands for one here; nothing was shared. Take it out of the run first"
            )
        before = whole[-longest:]


# ---- reading


@dataclass(frozen=True)
class Archive:
    """An open archive whose names, types and sizes have been looked at; each member's content is, while it is read."""

    path: Path
    told: dict  # the manifest
    sums: Sums
    _zip: zipfile.ZipFile

    @property
    def bytes(self) -> int:
        """What all members take on a disk."""
        return sum(one.bytes for one in self.sums.values())

    def blocks(self, name: str) -> Iterator[bytes]:
        """A member's content. Never more than the manifest says; raises InputError where it is not what that says."""
        left, digest = self.sums[name].bytes, hashlib.sha256()
        try:
            with self._zip.open(name) as member:
                while block := member.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        break
                    digest.update(block)
                    yield block
        except _MISREAD as error:
            raise self.refused(f"{one_line(name, 200)} cannot be read ({one_line(error, 100)})") from None
        if left or digest.hexdigest() != self.sums[name].sha256:
            raise self.refused(f"{one_line(name, 200)} is not what the manifest says")

    def unpack(self, folder: Path) -> None:
        """Write every member under a new folder. Raises InputError, and OSError as the disk does."""
        for name in self.sums:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as file:
                file.writelines(self.blocks(name))

    def refused(self, why: str) -> InputError:
        """Why this archive is not taken."""
        return refused(self.path, why)


def refused(path: Path, why: str) -> InputError:
    """Why a file is not taken as an archive."""
    return InputError(f"{path}: {why}; nothing was imported. Ask whoever made it to share the run anew")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """An archive to read from. Raises InputError for whatever `make share` would not have written."""
    try:
        file = open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected an archive that make share has made") from None
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except _MISREAD:
            raise refused(path, "is no whole archive of a run") from None
        with archive:
            yield _checked(path, archive)


def _checked(path: Path, archive: zipfile.ZipFile) -> Archive:
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise refused(path, f"holds {len(infos):,} files; at most {MOST_FILES:,} are taken")
    for info in infos:
        if why := _odd(info):
            raise refused(path, f"{one_line(repr(info.orig_filename), 200)} {why}")
    names = {info.filename for info in infos}
    if len({name.casefold() for name in names}) < len(infos):
        raise refused(path, "holds a file twice")
    if parents := {parent.as_posix() for name in names for parent in Path(name).parents} & names:
        raise refused(path, f"{one_line(min(parents), 200)} is a file and a folder")
    told, sums = _manifest(path, archive)
    if names - {MANIFEST} != sums.keys():
        odd = min((names - {MANIFEST}) ^ sums.keys())
        raise refused(path, f"{one_line(odd, 200)} is not both in it and in its manifest")
    if (total := sum(one.bytes for one in sums.values())) > MOST_BYTES:
        raise refused(path, f"would take {size(total)}; at most {size(MOST_BYTES)} are taken")
    for info in infos:
        if info.filename != MANIFEST and info.file_size != sums[info.filename].bytes:
            raise refused(path, f"{one_line(info.filename, 200)} is not as large as the manifest says")
    return Archive(path, told, sums, archive)


def _odd(info: zipfile.ZipInfo) -> str:
    """What a member is that no member may be; "" for a plain file in its place."""
    if not _is_placed(info.orig_filename):
        return "is no name that a file of a run has"
    if stat.S_IFMT(info.external_attr >> 16) not in _PLAIN_TYPES or info.is_dir():
        return "is a link, a folder or a device"
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is encrypted, or packed in another way"
    return ""


def _is_placed(name: str) -> bool:
    """Whether a name is one that an archive has, and stays in the folder that it is unpacked to."""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or len(parts) > _DEEPEST:
        return False
    if any(part in ("", ".", "..") or len(part.encode()) > _LONGEST for part in parts):
        return False
    if len(parts) == 1:
        return name in (MANIFEST, README, JOURNAL)
    return parts[0] == "run" or (parts[0] == "batch_results" and len(parts) == 2)


def _manifest(path: Path, archive: zipfile.ZipFile) -> tuple[dict, Sums]:
    try:
        with archive.open(MANIFEST) as member:
            content = member.read(MOST_MANIFEST + 1)
        if len(content) > MOST_MANIFEST:
            raise ValueError("too long")
        told = orjson.loads(content)
        kind, version = told["kind"], told["format"]
        if kind == KIND and type(version) is int and version > FORMAT:
            raise InputError(f"{path}: written by a newer version (format {version}, this one knows {FORMAT}); update the program")
        sums = {name: _sum(row) for name, row in told["files"].items()}
        if kind != KIND or type(version) is not int or version != FORMAT:
            raise ValueError("of another kind")
    except (*_MISREAD, TypeError, AttributeError):
        raise refused(path, f"has no {MANIFEST} that can be read") from None
    return told, sums


def _sum(row: dict) -> Sum:
    found = Sum(**row)
    if type(found.bytes) is not int or found.bytes < 0 or not re.fullmatch(r"[0-9a-f]{64}", found.sha256):
        raise ValueError("neither a size nor a digest")
    return found

"""Copies of what a provider keeps of a batch: streamed to a folder of their own, read again, and only then trusted."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import orjson

from common.errors import Refused, Unknown
from common.files import safe_name, sync_folder, write_whole
from common.maintenance.rows import check_rows
from common.nouns import Batch, Run, Shard
from common.providers.base import Holding, Provider
from common.results.packed import unpacked_sha256, unpacked_size
from common.results.raw import raw_paths
from common.text import iso

PACKED = ".gz"
NAMES = {"batch": "batch.json", "input": "input.jsonl", "output": "output.jsonl", "errors": "errors.jsonl"}


class Local(NamedTuple):
    """A file on this disk that is what the journal noted, or holds it packed."""

    path: Path
    sha256: str  # of its bytes
    bytes: int  # as it came
    packed: str = ""  # what its name ends in as a copy, where it is packed


class Copy(NamedTuple):
    """A complete and verified copy of a batch. `safe`: what may be deleted at the host because of it."""

    folder: Path
    manifest: dict
    safe: list[Holding]


def sha256_of(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    with open(path, "rb") as file:
        # not from the page cache where that can be had: what counts is what the disk gives back
        with suppress(AttributeError, OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


def local_copies(run: Run, shard: Shard) -> dict[str, Local]:
    """The files of a batch that lie here unchanged, by kind."""
    output, errors = raw_paths(run, shard.batch_id)
    noted = {"input": (shard.path, shard.sha256)}
    noted |= {kind: (path, shard.files.get(path.name, "")) for kind, path in (("output", output), ("errors", errors))}
    found = {kind: _local(path, digest) for kind, (path, digest) in noted.items()}
    return {kind: local for kind, local in found.items() if local}


def _local(path: Path, noted: str) -> Local | None:
    """A file here, if it is what was noted."""
    if not noted or not path.is_file():
        return None
    if (digest := sha256_of(path)) == noted:
        return Local(path, digest, path.stat().st_size)
    return Local(path, digest, unpacked_size(path), PACKED) if unpacked_sha256(path) == noted else None


def save(
    provider: Provider,
    batch: Batch,
    holdings: Sequence[Holding],
    have: Mapping[str, Local],
    backups: Path,
    about: Mapping[str, object],
    ask: Callable,
) -> Copy:
    """Copy everything that the host keeps of a batch, and what only this disk has, into a new folder of `backups`.

    The manifest is written last: a folder that has one is complete and was verified. Without success no folder stays.
    Raises the errors of errors.py and OSError.
    """
    now = time.time()
    folder = backups / safe_name(batch.id, "")
    backups.mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    try:
        files, gone = _fill(provider, batch, holdings, have, folder, ask)
        _verify(folder, files)
        paths = {entry["kind"]: folder / entry["name"] for entry in files}
        check_rows(provider, batch, paths, {h.kind for h in holdings if h.size is not None}, {entry["kind"] for entry in gone})
        manifest = {"batch_id": batch.id, "status": batch.status, **about, "saved_at": iso(now), "files": files, "gone": gone}
        write_manifest(folder, manifest)
        for parent in [backups, *backups.parents][:4]:  # up to the results folder
            sync_folder(parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a copy would look like one; everything is still at the host
        with suppress(OSError):
            backups.rmdir()
        raise
    lost = {entry["ref"] for entry in gone}
    return Copy(folder, manifest, [h for h in holdings if h.deletable and h.ref not in lost])


def note_deleted(copy: Copy, refs: Iterable[str]) -> None:
    """Write into the manifest what was deleted at the host. Raises OSError."""
    write_manifest(copy.folder, {**copy.manifest, "deleted": list(refs), "deleted_at": iso(time.time())})


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write what a copy says of itself. Raises OSError."""
    write_whole(folder / "manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def _fill(
    provider: Provider, batch: Batch, holdings: Sequence[Holding], have: Mapping[str, Local], folder: Path, ask: Callable
) -> tuple[list[dict], list[dict]]:
    files, gone = [], []
    for holding in holdings:
        path = folder / NAMES[holding.kind]
        local = have.get(holding.kind)
        if holding.kind == "batch":
            write_whole(path, holding.raw)
            digest, origin = hashlib.sha256(holding.raw).hexdigest(), "the API"
        elif not holding.gone and local and holding.size == local.bytes:
            path = path.with_name(path.name + local.packed)
            digest, origin = link(local, path)
        elif holding.gone:
            gone.append({"kind": holding.kind, "ref": holding.ref})
            continue
        else:
            digest, origin = _download(provider, batch, holding, path, ask), "the API"
        files.append(_entry(holding.kind, holding.ref, path, digest, origin))
    for kind in have.keys() - {entry["kind"] for entry in files}:  # the host has it no longer, or never gives it back
        path = folder / (NAMES[kind] + have[kind].packed)
        files.append(_entry(kind, "", path, *link(have[kind], path)))
    return files, gone


def _entry(kind: str, ref: str, path: Path, digest: str, origin: str) -> dict:
    return {"name": path.name, "kind": kind, "ref": ref, "bytes": path.stat().st_size, "sha256": digest, "from": origin}


def link(local: Local, path: Path) -> tuple[str, str]:
    """The same bytes under another name, without a second download, nor where it can be a second copy. Raises OSError."""
    try:
        os.link(local.path, path)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(local.path, path)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return local.sha256, os.path.relpath(local.path, path.parent)


def _download(provider: Provider, batch: Batch, holding: Holding, path: Path, ask: Callable) -> str:
    """Download one file; its digest as it was received. Raises Unknown where the host denies what it has just named."""
    alone = replace(batch, output=holding.ref, errors_file="")  # one file at a time, whatever it is to the batch

    def download() -> str:
        digest = provider.download(alone, path, path)[path]
        if holding.size is not None and (got := path.stat().st_size) != holding.size:
            raise Unknown(f"{holding.kind} file {holding.ref} came with {got:,} bytes instead of {holding.size:,}")
        return digest

    try:
        return ask(download)
    except Refused as error:
        if error.status != 404:
            raise
        raise Unknown(f"the host names {holding.kind} {holding.ref}, but does not give it: {error}") from None


def _verify(folder: Path, files: list[dict]) -> None:
    """Read every copy again. Raises Unknown when the disk gives back other bytes than were received."""
    for entry in files:
        if sha256_of(folder / entry["name"]) != entry["sha256"]:
            raise Unknown(f"{folder / entry['name']} does not hold what was received; the disk may be failing")

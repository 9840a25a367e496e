"""Raw files of long ago in less room: packed where they lie, each proven to hold what came before the other goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

from common.files import file_sha256
from common.maintenance.copies import PACKED, Local, link, write_manifest
from common.nouns import Run, State
from common.results.opened import is_packed
from common.results.packed import pack, raw_sha256
from common.runs.journal import Journal
from common.runs.lock import hold

DAY = 86_400.0  # seconds
Copies = Mapping[str, list[Path]]  # folders in backups/ that hold a copy of a batch, by its id


class Raw(NamedTuple):
    """A raw file of a collected batch, and the digest with which it came."""

    path: Path
    sha256: str
    batch_id: str
    collected_at: float  # unix seconds


def raw_files_before(journal: Journal, run: Run, before: float) -> list[Raw]:
    """A run's raw files that are there and whose batch was collected before a time (unix seconds)."""
    folder = run.folder.parent / "batch_results"
    shards = [shard for shard in journal.shards(run, State.COLLECTED) if shard.collected_at < before]
    found = [Raw(folder / name, sha256, s.batch_id, s.collected_at) for s in shards for name, sha256 in s.files.items()]
    return [raw for raw in found if raw.path.is_file()]


def loose(raws: list[Raw]) -> list[Raw]:
    """Those that are not packed."""
    return [raw for raw in raws if not is_packed(raw.path)]


def pack_run(journal: Journal, run: Run, before: float) -> Iterator[tuple[Raw, int | str]]:
    """Pack a run's raw files from before a time; yields each with the bytes that this freed, or why it was left as it is.

    Copies in backups/ that are the same file on the disk go along. Raises InWork while another process is at work on the run.
    """
    copies = _copies(journal.results / "backups")
    with hold(run):
        for raw in raw_files_before(journal, run, before):
            try:
                yield raw, _packed(raw, copies.get(raw.batch_id, []))
            except OSError as error:
                yield raw, error.strerror or str(error)


def _packed(raw: Raw, copies: list[Path]) -> int:
    if raw_sha256(raw.path, raw.sha256) != raw.sha256:
        raise OSError(f"{raw.path}: is not what came; make audit looks closer")
    freed = pack(raw.path, raw.sha256)
    if is_packed(raw.path) and file_sha256(raw.path) != raw.sha256:
        for folder in copies:
            _relink(folder, raw)
    return freed


def _copies(backups: Path) -> Copies:
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in backups.glob("*/*/*/manifest.json"):
        try:
            found[orjson.loads(path.read_bytes())["batch_id"]].append(path.parent)
        except (OSError, ValueError, TypeError, LookupError):
            continue  # no copy that anything can be said of
    return found


def _relink(folder: Path, raw: Raw) -> None:
    """Let a copy in backups/ that was the raw file under another name be that again; killed anywhere, the next call goes on."""
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        plain = folder / entry["name"].removesuffix(PACKED)
        if entry["sha256"] == raw.sha256:
            target = folder / (plain.name + PACKED)
            target.unlink(missing_ok=True)  # of a call that was killed
            digest, origin = link(Local(raw.path, file_sha256(raw.path), 0), target)
            entry.update({"name": target.name, "sha256": digest, "bytes": target.stat().st_size, "from": origin})
            write_manifest(folder, manifest)
        if entry["name"] != plain.name and (folder / entry["name"]).exists():
            plain.unlink(missing_ok=True)

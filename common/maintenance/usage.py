"""What takes how much room in a results folder, by run and kind, and what of it could go without a loss."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from common.maintenance.packing import loose, raw_files_before
from common.nouns import FINAL, Run
from common.results.parts import INDEX
from common.runs.journal import Journal
from common.runs.overview import started
from common.runs.segments import SUFFIX
from common.text import size

RAW, SENT, TABLES, TEXTS, INDEXES, OTHER = KINDS = ("raw files", "shards", "tables", "texts", "indexes", "other")
_BLOCK = 512  # bytes, in which a system counts what a file takes
_SMALL = 1_000_000  # bytes that nobody needs to be told of
Room = Counter[str]  # bytes by kind


class Hint(NamedTuple):
    """Something that could go: what it is, its bytes, and what does it."""

    what: str
    bytes: int
    type: str


@dataclass
class DiskUsage:
    """Bytes on the disk: of each run ("provider/run") by kind, and of the rest by what it is. A file with several names counts once."""

    runs: dict[str, Room] = field(default_factory=dict)
    rest: Room = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(room.total() for room in self.runs.values()) + self.rest.total()


def usage(results: Path, journal: Journal) -> DiskUsage:
    """Look at every file once. Raises OSError."""
    runs = {f"{run.provider}/{run.folder.name}": run for run in journal.runs()}
    owner = {
        (run.provider, name): key for key, run in runs.items() for shard in journal.shards(run) for name in shard.files
    }
    found: defaultdict[str, Room] = defaultdict(Counter)
    rest: Room = Counter()
    for parts, count in _walk(results, (), set()):
        key = "/".join(parts[:2])
        if len(parts) > 2 and key in runs:
            found[key][_kind(parts[2:])] += count
        elif len(parts) == 3 and parts[1] == "batch_results":
            if whose := owner.get((parts[0], parts[2])):
                found[whose][RAW] += count
            else:
                rest["raw files of no run here"] += count
        else:
            rest[_rest(parts)] += count
    return DiskUsage(dict(found), rest)


def _walk(folder: Path, parts: tuple[str, ...], seen: set[tuple[int, int]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The names of each file below a folder, and the bytes that it takes; links are not followed."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name == "backups"):  # a copy there that is a raw file is that first
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder / entry.name, (*parts, entry.name), seen)
                continue
            found = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or (found.st_dev, found.st_ino) in seen:
                continue
            if found.st_nlink > 1:
                seen.add((found.st_dev, found.st_ino))
            yield (*parts, entry.name), found.st_blocks * _BLOCK


def _kind(parts: tuple[str, ...]) -> str:
    if parts[0] == "texts":
        return TEXTS
    if parts[-1].endswith(SUFFIX) or parts[0] == INDEX:
        return INDEXES
    if parts[0] == "shards":
        return SENT
    return TABLES if parts[0].startswith(("results.", "summary.")) else OTHER


def _rest(parts: tuple[str, ...]) -> str:
    if parts[0].startswith("journal.db"):
        return "journal"
    return f"{parts[0]}/" if len(parts) > 1 else "other files"


def hints(results: Path, journal: Journal, found: DiskUsage) -> list[Hint]:
    """What could go without a loss, and the command for it, the largest first. Raises OSError."""
    runs = journal.runs()
    raws = [raw for run in runs for raw in loose(raw_files_before(journal, run, float("inf")))]
    told = [Hint("raw files that are not packed; packed they take about a quarter",
                 sum(raw.path.stat().st_size for raw in raws), "KEEP_RAW_DAYS=0 make tidy YES=1")]  # fmt: skip
    plans = [run for run in runs if not run.imported and not started(journal, run)]
    told += [Hint(f"the plan {run.key}, never sent", _of(found, run).total(), f"make forget RUN={run.key}") for run in plans]
    told += [Hint(f"text files of {run.key}, which --texts makes again", _of(found, run)[TEXTS], f"rm -r {_quoted(run.folder / TEXTS)}")
             for run in runs if run not in plans]  # fmt: skip
    told.append(Hint("indexes, made again when they are needed", sum(room[INDEXES] for room in found.runs.values()),
                     f"find {_quoted(results)} -name '*{SUFFIX}' -delete"))  # fmt: skip
    if not any(run.local and not journal.states(run).keys() <= {*FINAL} for run in runs):
        state = results / "local_service"
        told.append(Hint("the local service's state; no rehearsal is open", found.rest["local_service/"], f"rm -r {_quoted(state)}"))
    return sorted((hint for hint in told if hint.bytes >= _SMALL), key=lambda hint: -hint.bytes)


def _quoted(path: Path) -> str:
    return quote(str(path))


def _of(found: DiskUsage, run: Run) -> Room:
    return found.runs.get(f"{run.provider}/{run.folder.name}", Counter())


def usage_rows(found: DiskUsage) -> list[tuple[str, ...]]:
    """Rows of a table: each run's bytes by kind, the largest first, and their sum."""
    rows = sorted(found.runs.items(), key=lambda item: -item[1].total())
    rows.append(("all runs", sum(found.runs.values(), Counter())))
    return [(name, *(size(room[kind]) if room[kind] else "" for kind in KINDS), size(room.total())) for name, room in rows]

"""A run's rows of the journal as lines of JSON, without account, and back again from lines that anybody may have written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import StrEnum
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import orjson

from common import catalog
from common.files import is_run_name
from common.maintenance.archive import Sums
from common.maintenance.rebuild import NO_RUNS
from common.nouns import Run, Shard
from common.runs.journal import Journal

LONGEST = 64 << 20  # bytes of a line
_FAR = 1 << 53  # what SQLite and JSON both take
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SHARD = re.compile(r"shard-\d{5,9}\.jsonl")
_KIND = re.compile(r"[a-z_]{1,40}")
_OURS = {"account": "", "folder": "", "source": "", "imported": 0.0}  # of a run: what says something of this machine or account only


@dataclass
class Extract:
    """What the journal knows of a run."""

    run: Run
    shards: list[Shard] = field(default_factory=list)
    events: list[tuple[float, int | None, str, dict]] = field(default_factory=list)
    claims: list[tuple[str, int, str]] = field(default_factory=list)  # batch id, shard, how it came


def lines(journal: Journal, run: Run) -> Iterator[bytes]:
    """A run's rows, one line each: the run first."""
    yield _line("run", {**asdict(run), **_OURS})
    for shard in journal.shards(run):
        yield _line("shard", {**asdict(shard), "path": shard.path.name})
    for event in journal.events(run):
        if event[2] != "forgotten":  # what an earlier run of this name cost is no part of this one
            yield _line("event", event)
    for claim in journal.claims(run):
        yield _line("claim", claim)


def _line(kind: str, row: object) -> bytes:
    return orjson.dumps({kind: row}, option=orjson.OPT_APPEND_NEWLINE)


def read(path: Path) -> Extract:
    """What a file of such lines says. Raises ValueError for what no journal has said."""
    found = None
    with open(path, "rb") as file:
        while line := file.readline(LONGEST):
            ((kind, row),) = orjson.loads(line).items()
            if found is None:
                found = Extract(_run(row if kind == "run" else {}))
            elif kind == "shard":
                found.shards.append(_shard(row, found.run))
            elif kind == "event":
                found.events.append(_event(*row))
            elif kind == "claim":
                found.claims.append(_claim(*row))
            else:
                raise ValueError(f"a line of an unknown kind {kind!r}")
    if found is None or not found.shards or len({shard.n for shard in found.shards}) < len(found.shards):
        raise ValueError("no shard, or one twice")
    if not {shard.root for shard in found.shards} <= {shard.n for shard in found.shards}:
        raise ValueError("a shard follows one that is not there")
    return found


def misfit(extract: Extract, sums: Sums) -> str:
    """Which file of an archive is not what the journal's rows say, or missing, or of another run; "" if none is."""
    wanted = {}
    for shard in extract.shards:
        wanted[f"run/shards/{shard.path.name}"] = shard.sha256
        wanted[f"run/shards/{shard.path.with_suffix('.ids').name}"] = shard.ids_sha256
        wanted |= {f"batch_results/{name}": sha256 for name, sha256 in shard.files.items()}
    for name, sha256 in wanted.items():
        if name not in sums or (sha256 and sums[name].sha256 != sha256):
            return name
    return next((name for name in sums if name.startswith("batch_results/") and name not in wanted), "")


def _run(row: dict) -> Run:
    run = _made(Run, row)
    if not _PROVIDER.fullmatch(run.provider) or run.provider in NO_RUNS or not is_run_name(run.name):
        raise ValueError("a name that no run has")
    if run.host not in catalog.hosts() or not run.models or run.planned < 1 or run.key != f"{run.provider}/{run.name}":
        raise ValueError(f"a run at a host that is not known here ({run.host!r}), or that was never planned")
    return replace(run, **{key: type(getattr(run, key))(value) for key, value in _OURS.items()})


def _shard(row: dict, run: Run) -> Shard:
    shard = _made(Shard, row)
    if not _SHARD.fullmatch(str(shard.path)) or shard.model not in run.models or shard.n < 1 or shard.count < 1 or shard.run != run.key:
        raise ValueError("a shard that no run has")
    return shard


def _event(at: object, n: object, kind: object, data: object) -> tuple[float, int | None, str, dict]:
    if not (_fits(at, float) and _fits(n, int | None) and isinstance(data, dict) and isinstance(kind, str) and _KIND.fullmatch(kind)):
        raise ValueError("an event that no run has")
    return at, n, kind, data


def _claim(batch_id: object, n: object, how: object) -> tuple[str, int, str]:
    if not (_fits(batch_id, str) and _fits(n, int) and isinstance(how, str) and _KIND.fullmatch(how)):
        raise ValueError("a claim that no run has")
    return batch_id, n, how


def _made(kind: type, row: object) -> Any:
    """A noun out of a row of JSON, each field of its type; what a newer program noted beside is left out. Raises ValueError."""
    if not isinstance(row, dict):
        raise ValueError(f"a {kind.__name__} that is no table")
    hints, values = get_type_hints(kind), {}
    for one in fields(kind):
        if one.name not in row and (one.default is not MISSING or one.default_factory is not MISSING):
            continue
        if not _fits(value := row.get(one.name), hints[one.name]):
            raise ValueError(f"{kind.__name__}.{one.name} is not of its type")
        values[one.name] = _typed(value, hints[one.name])
    return kind(**values)


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of JSON is of a type, as nouns name it."""
    if (origin := get_origin(hint)) is not None:
        return _all_fit(value, origin, get_args(hint))
    if issubclass(hint, StrEnum):
        return isinstance(value, str) and value in {one.value for one in hint}
    return _PLAIN[hint](value) if hint in _PLAIN else type(value) is hint


def _all_fit(value: object, origin: Any, inner: tuple) -> bool:
    if origin is UnionType:
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    return isinstance(value, dict) and all(_fits(one, inner[1]) for one in value.values())  # a mapping


_PLAIN: dict[type, Callable[[Any], bool]] = {
    object: lambda value: True,
    type(None): lambda value: value is None,
    float: lambda value: type(value) in (int, float) and isfinite(value) and abs(value) < _FAR,
    int: lambda value: type(value) is int and abs(value) < _FAR,
    Path: lambda value: type(value) is str,
}


def _typed(value: Any, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(value)
    return hint(value) if isinstance(hint, type) and issubclass(hint, (StrEnum, Path, float)) else value

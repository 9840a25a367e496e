"""What a run's folder alone says of it: its row of the journal, and its shards as they were planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from common.errors import InputError
from common.experiment.ids_file import ids
from common.experiment.marks import SIZE
from common.experiment.shards import new_tag
from common.files import file_sha256
from common.nouns import Run, Shard
from common.providers.base import Provider
from common.results.origin import RunOrigin, manifest_of
from common.runs import witness
from common.runs.overview import summary_of
from common.runs.reuse import TAKEN, as_taken
from common.text import one_line

WAYS = ("standard", "own")  # beside batches; see `Run.way`
NO_RUNS = ("backups", "local_service", "standard_service", "shared")
_MISREAD = (ValueError, TypeError, LookupError, AttributeError)  # what a garbled file makes of reading it


def folders(results: Path) -> list[Path]:
    """The folders of all runs under a results folder: those that hold shards."""
    found = (path.parent for path in results.glob("*/*/shards") if path.is_dir())
    return sorted(folder for folder in found if folder.parent.name not in NO_RUNS)


def run_of(folder: Path, host: str) -> Run:
    """A run as its run.json tells; `host` where that was written by an earlier version. Raises InputError, OSError."""
    path = folder / "run.json"
    found = manifest_of(path)
    told = found.get("run") if isinstance(found.get("run"), dict) else {}
    experiment, digest, name = found.get("experiment"), found.get("digest"), folder.name
    address, created, longer = found.get("address"), told.get("created_at"), told.get("longer")
    if not all(isinstance(text, str) and text for text in (experiment, digest, address)):
        raise InputError(f"{path}: is garbled (experiment, digest or address); restore it from a backup of the results folder")
    named = told.get("named", name not in [f"{experiment}-{digest[:size]}" for size in (6, 12, 24)])
    return Run(
        key=f"{folder.parent.name}/{name}", name=name, digest=digest, provider=folder.parent.name, host=str(told.get("host") or host),
        address=address, experiment=experiment, source=str(told.get("source") or ""), folder=folder,
        created_at=float(created) if type(created) in (int, float) else path.stat().st_mtime,
        mark=found["mark"] if isinstance(found.get("mark"), str) else "",
        models=tuple(found["models"]), named=bool(named), longer=float(longer) if type(longer) in (int, float) else None,
        reuses=told.get("reuses") is True, way=told["way"] if told.get("way") in WAYS else "", study=str(found.get("study") or ""),
        window=str(told.get("window") or ""),
        skipped=told["skipped"] if type(told.get("skipped")) is int else 0,
        imported=float(told["imported"]) if type(told.get("imported")) in (int, float) else 0.0,
    )  # fmt: skip


def first_shards(run: Run, provider: Provider) -> list[Shard]:
    """The shards of a run's plan, as they were before anything was sent. Raises InputError, OSError.

    Later ones that were created stand in the witness; those that were not are planned anew once they are needed.
    Memory: the ids of the run.
    """
    noted, seen, found = witness.read(run.folder / "shards"), set(), []
    for path in sorted((run.folder / "shards").glob("shard-*.jsonl")):
        n = _number(path)
        entry = noted[n][-1] if noted.get(n) else None
        rows = _bare(run, path)
        if (entry["root"] != n) if entry else not seen.isdisjoint(rows):
            continue
        found.append(_planned(run, provider, path, n))
        seen.update(rows)
    held, summary = sum(shard.count for shard in found), summary_of(run)
    if not found or (summary and summary["planned"] != held):
        said = f"{summary['planned']:,} requests by its summary.json" if summary else "none"
        raise InputError(f"{run.folder / 'shards'}: holds {held:,} planned requests, {said}; restore it from a backup")
    return found


def later_shard(run: Run, provider: Provider, n: int, shards: Mapping[int, Shard]) -> Shard | None:
    """A shard that asked again some requests of `shards`, from its file; None where there is none. Raises InputError, OSError."""
    path = run.folder / "shards" / f"shard-{n:05d}.jsonl"
    if not path.exists() or not (first := next(iter(_bare(run, path)), None)):
        return None
    before = [shard for shard in shards.values() if shard.n < n and first in _bare(run, shard.path)]
    if not before:
        return None
    found = _planned(run, provider, path, n)
    return replace(found, root=before[0].root, attempt=1 + max(shard.attempt for shard in before))


def _number(path: Path) -> int:
    try:
        return int(path.stem.removeprefix("shard-"))
    except ValueError:
        raise InputError(f"{path}: is no shard's name; move it elsewhere") from None


def asked(path: Path) -> list[str]:
    """The ids in an ids file, in order."""
    try:
        return [row.partition("\t")[0] for row in path.with_suffix(".ids").read_text(encoding="utf-8").split("\n")[:-1]]
    except (OSError, ValueError) as error:
        raise InputError(f"{path.with_suffix('.ids')}: cannot be read ({one_line(error, 100)}); restore it from a backup") from None


def _bare(run: Run, path: Path) -> list[str]:
    """The ids in an ids file without the mark that those of a marked run end in: the same over all attempts."""
    return [request_id[: -1 - SIZE] for request_id in asked(path)] if run.mark else asked(path)


def _planned(run: Run, provider: Provider, path: Path, n: int) -> Shard:
    """A first attempt as it was planned. Raises InputError where its files are not what was written."""
    rows = path.with_suffix(".ids")
    try:
        tokens, reserve, count = _figures(rows.read_text(encoding="utf-8").split("\n")[:-1])
        with open(path, "rb") as lines:
            cap = _cap(orjson.loads(lines.readline()))
            if 1 + sum(1 for _ in lines) != count:
                raise ValueError("its lines are not those of its ids file")
        shard = Shard(
            run=run.key, n=n, root=n, attempt=1, path=path, sha256=file_sha256(path), ids_sha256=file_sha256(rows), count=count,
            bytes=path.stat().st_size, tokens=tokens, reserve=reserve, model="", max_tokens=cap, tag=new_tag(run.key, n),
            mark=next(iter(asked(path)))[-SIZE:] if run.mark else "",
        )  # fmt: skip
        origin = RunOrigin(run).of(shard)
        alias = origin.describe(next(iter(ids(shard)))).model
        model = origin.model(alias)
    except (*_MISREAD, StopIteration) as error:
        raise InputError(f"{path}: cannot be read as a shard ({one_line(error, 100)}); restore it from a backup") from None
    if model is None:
        raise InputError(f"{path}: no model of the catalog is asked in it ({one_line(alias, 60)!r})")
    shard = replace(shard, model=alias, headers=provider.headers(model), endpoint=provider.endpoint(model), window=run.window)
    taken = path.with_suffix(TAKEN)
    try:
        return as_taken(shard, orjson.loads(taken.read_bytes())) if taken.exists() else shard
    except _MISREAD as error:
        raise InputError(f"{taken}: is garbled ({one_line(error, 100)}); restore it from a backup") from None


def _figures(rows: Iterable[str]) -> tuple[int, float | None, int]:
    """(prompt tokens, USD at most, requests) of an ids file; without a price, None."""
    tokens, most, count = 0, 0.0, 0
    for row in rows:
        cells = row.split("\t")
        count += 1
        tokens += int(cells[3]) if len(cells) > 4 else 0
        most = None if most is None or len(cells) < 5 or not cells[4] else most + float(cells[4])
    return tokens, most, count


def _cap(line: dict) -> int:
    """The cap on tokens in an input line of any shape."""
    body = line.get("params") or line["body"]
    return int(body.get("max_output_tokens") or body.get("max_completion_tokens") or body["max_tokens"])

"""The record of a run: what was asked, of whom, at which prices and with which versions, kept in its folder when it is planned.

`record/experiment/` holds the experiment's files byte for byte, `record/record.json` everything else. Nothing in it names
an account, a key, or a folder of the machine that it was made on.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import orjson

from common.experiment.experiment import Experiment
from common.experiment.sources import data_file, files_of
from common.files import safe_name, sync_folder, write_whole
from common.nouns import Host, Model, Run
from common.text import iso, one_line
from common.version import version

FORMAT = 1
MOST_TEXTS = 1000  # of more, no digest of each is kept
MOST_COPIED = 50_000_000  # bytes of a data set; of a larger one its digest only
SDKS = ("openai", "anthropic")
SHOWN_IDS = 100  # model ids of one alias; a host may answer with a new one in each row
_BLOCK = 1 << 20
_APART = ("path", "texts", "title")  # of an experiment: told in another way


def write_record(run: Run, experiment: Experiment, models: Sequence[Model], host: Host) -> None:
    """Write the record of a run that is being planned, whole or not at all. Raises OSError as the disk does."""
    folder, part = run.folder / "record", run.folder / "record.part"
    for old in (folder, part):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(parents=True)
    files = _copies(experiment, part / "experiment")
    found = {
        "format": FORMAT,
        "run": run.name,
        "experiment": run.experiment,
        "title": experiment.title,
        "planned_at": iso(run.created_at),
        "provider": run.provider,
        "address": run.address,
        "host": _plain(host),
        "models": [{**asdict(model), "max_tokens": experiment.cap(model), "ids_reported": []} for model in models],
        "asked": {f.name: _plain(getattr(experiment, f.name)) for f in fields(experiment) if f.name not in _APART},
        "texts": {"columns": experiment.texts.columns, "digest": experiment.texts.digest, "each": _each(experiment)},
        "files": files,
        "versions": {"project": version(), "python": platform.python_version(), "system": platform.system(), **_sdks()},
    }
    write_whole(part / "record.json", orjson.dumps(found, option=orjson.OPT_INDENT_2, default=_plain))
    os.replace(part, folder)
    sync_folder(run.folder)


def note_reported(run: Run, reported: Iterable[tuple[str, str]]) -> None:
    """Add the model ids that the API answered with, as (alias, id), to a run's record, where it has one. Raises OSError."""
    path = run.folder / "record/record.json"
    try:
        found = orjson.loads(path.read_bytes())
        rows = {row["alias"]: row for row in found["models"]}
        before = {alias: set(row["ids_reported"]) for alias, row in rows.items()}
    except (FileNotFoundError, ValueError, TypeError, LookupError):  # planned by an earlier version, or garbled: not ours to mend
        return
    after: dict[str, set[str]] = {alias: set(ids) for alias, ids in before.items()}
    for alias, model_id in reported:
        if model_id and len(after.get(alias, (None,) * SHOWN_IDS)) < SHOWN_IDS:
            after[alias].add(one_line(model_id, 200))
    if after != before:
        for alias, ids in after.items():
            rows[alias]["ids_reported"] = sorted(ids)
        write_whole(path, orjson.dumps(found, option=orjson.OPT_INDENT_2))


def _plain(value: object) -> object:
    """Data as JSON has it; of what is no data, and of paths, as much as says nothing of this machine."""
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return value.name if isinstance(value, Path) else type(value).__name__


def _each(experiment: Experiment) -> dict[str, str]:
    """A digest of each text by its id, so that a later run can say which of them were changed; nothing where they are many."""
    texts = experiment.texts
    rows = [row for _, row in islice(texts.rows(), MOST_TEXTS + 1)]
    if len(rows) > MOST_TEXTS:
        return {}
    asked = {row[texts.id_column]: row for row in rows if experiment.only_texts is None or row[texts.id_column] in experiment.only_texts}
    return {name: blake2b(orjson.dumps([*row]), digest_size=8).hexdigest() for name, row in asked.items()}


def _sdks() -> dict[str, str]:
    from importlib import metadata  # takes as long as all else here, and only planning needs it

    return {name: metadata.version(name) for name in SDKS}


def _copies(experiment: Experiment, folder: Path) -> list[dict]:
    """Copy the files of an experiment; returns what each is called, where its copy is, and its digest."""
    found, taken = [], set()
    for n, path in enumerate(files_of(experiment), 1):
        name = _name(path, experiment.path.parent)
        kept = "/".join(safe_name(part, "") for part in name.split("/"))
        kept = kept if kept.casefold() not in taken else f"{n}-{kept.replace('/', '-')}"
        taken.add(kept.casefold())
        found.append({"name": name, **_copied(path, folder, kept, path == data_file(experiment))})
    return found


def _name(path: Path, folder: Path) -> str:
    """A file's name as seen from its experiment; of one that lies elsewhere its own name only."""
    path, folder = Path(os.path.normpath(path)), Path(os.path.normpath(folder))
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else f"elsewhere/{path.name}"


def _copied(path: Path, folder: Path, kept: str, is_data: bool) -> dict:
    size = path.stat().st_size
    if is_data and size > MOST_COPIED:
        return {"bytes": size, "sha256": "", "kept": "", "why": f"larger than {MOST_COPIED:,} bytes; texts.digest stands for its rows"}
    target, digest = folder / kept, hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "rb") as source, open(target, "xb") as copy:
        while block := source.read(_BLOCK):
            digest.update(block)
            copy.write(block)
    return {"bytes": target.stat().st_size, "sha256": digest.hexdigest(), "kept": f"experiment/{kept}"}

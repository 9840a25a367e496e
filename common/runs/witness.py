"""A second witness of each creation: an append-only, synced note beside the shards, written before the call that costs money.

A journal that was lost, emptied or restored from an older copy knows less than this file: what it lacks is looked for
at the host before anything is sent again.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import orjson

from common.files import sync_folder
from common.nouns import Shard, State
from common.runs.desk import Desk

NAME = "creates.log"


def intends(shard: Shard) -> None:
    """Note that a shard's batch is about to be created. Raises OSError, and then nothing may be sent."""
    _append(shard.path.parent, {"n": shard.n, "shard": {**asdict(shard), "path": shard.path.name}})


def accepted(shard: Shard) -> None:
    """Note the id that the host has given a batch."""
    _append(shard.path.parent, {"n": shard.n, "batch_id": shard.batch_id})


def _append(folder: Path, line: dict) -> None:
    path = folder / NAME
    is_new = not path.exists()
    with open(path, "ab") as file:
        file.write(orjson.dumps(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(folder)


def read(folder: Path) -> dict[int, list[dict]]:
    """The creations of each shard, oldest first, each with its batch id where that came. A torn last line is none."""
    found: defaultdict[int, list[dict]] = defaultdict(list)
    try:
        lines = (folder / NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(row, dict) or type(row.get("n")) is not int:
            continue  # garbled
        if isinstance(row.get("shard"), dict):
            found[row["n"]].append({**row["shard"], "batch_id": ""})
        elif found[row["n"]] and isinstance(row.get("batch_id"), str):
            found[row["n"]][-1]["batch_id"] = row["batch_id"]
    return found


def consult(desk: Desk) -> None:
    """Take up what the journal does not know of: submitted where the id is known, else looked for."""
    seen = read(desk.run.folder / "shards")
    if not seen:
        return
    known: defaultdict[int, int] = defaultdict(int)
    for _, n, kind, data in desk.journal.events(desk.run):
        known[n] += data["entries"] if kind == "witnessed" else kind == "submitting"
    for n, entries in sorted(seen.items()):
        if (missing := len(entries) - known[n]) > 0:
            _take_up(desk, n, entries[-1], missing)


def _take_up(desk: Desk, n: int, entry: dict, missing: int) -> None:
    folder = desk.run.folder / "shards"
    shard = desk.shards.get(n) or Shard(**{**entry, "path": folder / entry["path"], "problems": ()})
    if not shard.path.exists():
        return
    state = State.SUBMITTED if entry["batch_id"] else State.SUBMITTING
    noted = {key: entry[key] for key in ("tag", "ref", "batch_id", "intent_at")}
    note = "the journal did not know of this batch"
    shard = desk.record(shard, "witnessed", about={"entries": missing}, state=state, note=note, **noted)
    desk.tell("witnessed", shard, f"shard {n} was submitted before, although the journal does not know of it: looking for its batch")

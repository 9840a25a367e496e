"""Owns objects under ids of a tester's choice: what other people's request tests expect to find on a mock server."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256

import orjson

from .engine import KEEP_OUTPUT, Engine
from .errors import ApiError
from .state import FINAL, Batch, File, State, sync_file

# An id becomes a folder's name here, so that it has to be a harmless one.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
PROFILES = ("openai", "anthropic", "kluster")
FILE_KEYS = frozenset(("id", "profile", "filename", "purpose", "content"))
BATCH_KEYS = frozenset(("id", "profile", "status", "lines", "metadata"))
STATUSES = (*sorted(FINAL), "in_progress")


async def seed(body: object, state: State, engine: Engine) -> dict:
    """Make `files` and `batches` under given ids, in place of what had these ids; returns how many.

    A seeded batch is at rest: a final one has `lines` as its output, one `in_progress` stays so until it is cancelled.
    They belong to the account that all share when no keys are set.
    """
    plan = body if isinstance(body, dict) else {}
    if not isinstance(body, dict) or set(plan) - {"files", "batches"}:
        raise ApiError(400, 'Expected {"files": [...], "batches": [...]}.')
    files = [_checked(item, FILE_KEYS, f"files[{n}]") for n, item in enumerate(_list(plan, "files"))]
    batches = [_checked(item, BATCH_KEYS, f"batches[{n}]") for n, item in enumerate(_list(plan, "batches"))]
    for item in files:
        state.write(("delete from files where id = ?", (item["id"],)))
        state.add_files(_file(state, engine, item, str(item.get("content", "")).encode("utf-8", "surrogatepass")))
    for item in batches:
        await _forget(item["id"], state, engine)
        _add_batch(item, state, engine)
    return {"files": len(files), "batches": len(batches)}


def _list(plan: dict, name: str) -> list:
    items = plan.get(name, [])
    if not isinstance(items, list):
        raise ApiError(400, f"{name}: expected a list")
    return items


def _checked(item: object, keys: frozenset[str], where: str) -> dict:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not ID.fullmatch(item["id"]):
        raise ApiError(400, f"{where}: expected an object with an \"id\" of letters, digits, _ and -")
    if unknown := set(item) - keys:
        raise ApiError(400, f"{where}.{sorted(unknown)[0]}: unknown; expected {sorted(keys)}")
    if item.get("profile", "openai") not in PROFILES:
        raise ApiError(400, f"{where}.profile: expected one of {', '.join(PROFILES)}")
    if item.get("status", "completed") not in STATUSES:
        raise ApiError(400, f"{where}.status: expected one of {', '.join(STATUSES)}")
    if not isinstance(item.get("lines", []), list) or not isinstance(item.get("metadata") or {}, dict):
        raise ApiError(400, f"{where}: \"lines\" is a list, \"metadata\" an object")
    return item


async def _forget(batch_id: str, state: State, engine: Engine) -> None:
    await engine.drop(batch_id)
    state.live.pop(batch_id, None)
    state.write(("delete from batches where id = ?", (batch_id,)), ("delete from chunks where batch = ?", (batch_id,)))
    shutil.rmtree(state.folder / "work" / batch_id, ignore_errors=True)


def _file(state: State, engine: Engine, item: dict, content: bytes) -> File:
    blob, now = state.new_blob(), engine.clock.now()
    state.blob(blob).write_bytes(content)
    sync_file(state.blob(blob))
    return File(item["id"], f"{item.get('profile', 'openai')}:shared", str(item.get("filename", "seeded.jsonl"))[:255],
                str(item.get("purpose", "batch"))[:60], len(content), sha256(content).hexdigest(), now, int(now) + KEEP_OUTPUT, blob)


def _add_batch(item: dict, state: State, engine: Engine) -> None:
    profile, status, now = item.get("profile", "openai"), item.get("status", "completed"), engine.clock.now()
    content = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in item.get("lines", []))
    output = _file(state, engine, {"id": f"{item['id']}-output", "profile": profile, "purpose": "batch_output"}, content)
    state.write(("delete from files where id = ?", (output.id,)))
    state.add_files(output)
    count = len(item.get("lines", [])) if status in FINAL else 0
    batch = Batch(
        item["id"], output.account, profile, now, now - engine.clock.jumped, engine.clock.jumped, status, "", "",
        endpoint="/v1/messages" if profile == "anthropic" else "/v1/chat/completions", metadata=item.get("metadata"),
        input_file=None if profile == "anthropic" else f"{item['id']}-input", total=count, version="2026-10-21",
        fate={"stuck": True}, times=dict.fromkeys(("in_progress", status), now))
    if batch.final and status != "failed":
        batch.ok, batch.outcome, batch.output_file = count, status, output.id
    state.add_batch(batch)
    if batch.final:
        state.live.pop(batch.id, None)
    else:
        engine.start(batch)

"""Owns OpenRouter's routes: batches whose requests come with the creation, and whose results come with the batch.

After openrouter.ai/docs (guides/features/batch-api, batch-quickstart, api-reference/batch), read 2026-11-28. There is no call that
stops a batch. Not told there, so decided here: the counts while it is validated (0), and that an expired request has a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from . import limits, shapes
from .bending import another, page_of, with_odd
from .delivery import lines_of
from .edits import edited
from .errors import ApiError
from .gate import Call, Caller, Service
from .speech import Json
from .splitter import Text, array_of
from .state import Batch
from .uploads import keep, unpacking

LONGEST_ID, LONGEST_MODEL = 64, 256
OPTIONAL = ("completion_window", "provider", "callback_url")


async def create(caller: Caller) -> Response:
    """POST /batches"""
    service, state = caller.service, caller.service.state
    limits.creation(service, caller.account)
    async with unpacking(caller.request, state.folder / "tmp", caller.profile.max_bytes) as (body, rows):
        told, digest = await asyncio.to_thread(_unfold, body.path, rows, caller), body.digest.hexdigest()
        blob, clock = state.new_blob(), service.engine.clock
        await asyncio.to_thread(keep, rows, state.blob(blob))
    now, fate = clock.now(), caller.fault.get("fate", {})
    if told["refusal"] and "fail" not in fate:
        fate = {**fate, "fail": {"message": told["refusal"]}}
    batch = Batch(
        state.new_id("batch-"), caller.account, "openrouter", now, now - clock.jumped, clock.jumped, "validating", blob, digest,
        endpoint=told["endpoint"], metadata={"model": told["model"]}, fate=fate)
    await asyncio.to_thread(state.add_batch, batch)
    service.engine.start(batch)
    return Json(shapes.inline_batch(batch), 202)


def _unfold(body: Path, rows: Path, caller: Caller) -> dict:
    """Check a body as it is read and write its requests as the lines of an OpenAI file; what it says before them, and why it will fail."""
    told: dict = {"refusal": ""}
    text = Text(body)
    try:
        with rows.open("wb") as out:
            for request in _requests(text, told, caller):
                out.write(_line(request, told))
    except (ValueError, RecursionError):
        raise ApiError(400, "The request body is not valid JSON.") from None
    finally:
        text.file.close()
    return told


def _requests(text: Text, told: dict, caller: Caller) -> Iterator[dict]:
    """The members of `requests`, which must follow all else."""
    text.take("{")
    while (key := text.value()) != "requests":
        if key not in ("endpoint", "model", *OPTIONAL):
            raise ApiError(400, f"{str(key)[:60]}: unrecognized key")
        text.take(":")
        told[key] = text.value()
        text.take(",")
    text.take(":")
    _check_before(told, caller)
    ids: set[str] = set()
    for request in array_of(text):
        custom_id = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(custom_id, str) or not 0 < len(custom_id) <= LONGEST_ID or not isinstance(request.get("body"), dict):
            raise ApiError(400, f"requests.{len(ids)}: expected a custom_id of 1 to {LONGEST_ID} characters and an object body")
        if custom_id in ids:
            raise ApiError(400, f"requests.{len(ids)}: custom_id {custom_id} is used more than once")
        if len(ids) == caller.profile.max_rows:
            raise ApiError(400, f"requests: at most {caller.profile.max_rows} are taken")
        ids.add(custom_id)
        yield request
    if not ids:
        raise ApiError(400, "requests: at least one is needed")
    text.take("}")
    if text.peek():
        raise ValueError("something follows the object")


def _check_before(told: dict, caller: Caller) -> None:
    model = told.get("model")
    if "endpoint" not in told or "model" not in told:
        raise ApiError(400, "endpoint and model must precede requests in the body")
    if told["endpoint"] not in caller.profile.endpoints:
        raise ApiError(400, f"endpoint: expected one of {', '.join(caller.profile.endpoints)} (all that is simulated)")
    if not isinstance(model, str) or not 0 < len(model) <= LONGEST_MODEL or "/" not in model or "no-such-model" in model:
        raise ApiError(400, f"model: {str(model)[:100]} has no batch endpoint")
    if told.get("completion_window", "24h") != "24h":
        raise ApiError(400, 'completion_window: expected "24h"')


def _line(request: dict, told: dict) -> bytes:
    """A request as a line of an OpenAI file. A model of its own must be the batch's; base64 is found out later."""
    body = request["body"]
    if body.get("model", told["model"]) != told["model"]:
        raise ApiError(400, f"the model of {request['custom_id']} is not the batch's")
    inside = orjson.dumps({"model": told["model"], **body})
    if b'"data:' in inside and not told["refusal"]:
        told["refusal"] = f"Request {request['custom_id']}: base64 content is not supported in batches; use a public URL."
    return b'{"custom_id":%b,"method":"POST","url":%b,"body":%b}\n' % (
        orjson.dumps(request["custom_id"]), orjson.dumps(told["endpoint"]), inside)


def _batch(caller: Caller) -> Batch:
    return caller.batch("Batch {} not found")


async def retrieve(caller: Caller) -> Response:
    """GET /batches/{id}"""
    batch, state = _batch(caller), caller.service.state
    shape, bend = shapes.inline_batch(batch, caller.fault), {"lines": caller.fault.get("lines", {})}
    if not batch.final or batch.status == "failed" or caller.fault.get("hide_output"):
        return Json(shape)
    files = [file for name in (batch.output_file, batch.error_file) if name and (file := state.file(batch.account, name, 0.0))]
    if files and "rows_of" in caller.fault:
        files = [another(caller, files[0])]
    rows = [lines_of(state.blob(file.blob), bend) for file in files]
    return StreamingResponse(_with_results(edited(shape, caller.fault), rows), media_type="application/json")


def _with_results(shape: dict, files: list[Iterable[bytes]]) -> Iterator[bytes]:
    """The batch object with the lines of files as its results, whatever an edit has made of the rest of it."""
    yield orjson.dumps({name: value for name, value in shape.items() if name != "results"})[:-1] + b',"results":['
    for number, line in enumerate(chain.from_iterable(files)):
        yield b"," * (number > 0) + line.rstrip(b"\n")
    yield b"]}"


async def list_(caller: Caller) -> Response:
    """GET /batches"""
    query, state = caller.request.query_params, caller.service.state
    limit = limits.number(query.get("limit"), 20, 1, 100, "limit")
    after = state.batch(caller.account, query["after"]) if query.get("after") else None
    if query.get("after") and after is None:
        raise ApiError(400, f"after: no batch {query['after'][:100]}")
    found, more = page_of(caller, limit, after)
    items = [shapes.inline_batch(batch, caller.fault) for batch in found]
    return Json(with_odd(caller, shapes.page(items, more, caller.profile)))


async def delete(caller: Caller) -> Response:
    """DELETE /batches/{id}"""
    batch, state = _batch(caller), caller.service.state
    if not batch.final:
        raise ApiError(409, f"Batch {batch.id} is still {batch.status}")
    for name in (batch.output_file, batch.error_file):
        if name and (file := state.file(batch.account, name, 0.0)):
            state.drop_file(file)
    batch.gone = True
    state.save(batch)
    return Json({"id": batch.id, "object": "batch", "deletion": {"openrouter": "deleted"}})


def routes(service: Service) -> list[BaseRoute]:
    """All routes of the profile."""
    at = service.profiles["openrouter"].prefix + "/batches"
    table = [
        ("POST", at, "batches.create", create), ("GET", at, "batches.list", list_),
        ("GET", at + "/{batch_id}", "batches.retrieve", retrieve), ("DELETE", at + "/{batch_id}", "batches.delete", delete),
    ]
    return [Route(path, Call(service, "openrouter", name, handler), methods=[method]) for method, path, name, handler in table]

"""Owns the Anthropic routes: Message Batches, single messages and models."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import limits, shapes
from .bending import download, page_of, with_odd
from .errors import ApiError
from .gate import Call, Caller, Service
from .rows import Context, answer, prompt_tokens, texts
from .speech import Json
from .state import Batch
from .streams import streamed
from .uploads import Sink, keep, read_json, unpacking
from .worker import split_body

SMALL_BODY = 256 * 1024
MODELS = (
    "claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929", "claude-sonnet-4-6", "claude-opus-4-6", "claude-opus-4-8",
    "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5",
)


async def create(caller: Caller) -> Response:
    """POST /v1/messages/batches"""
    service, state = caller.service, caller.service.state
    limits.creation(service, caller.account)
    async with unpacking(caller.request, state.folder / "tmp", caller.profile.max_bytes) as (body, rows):
        batch = await _split(caller, body, rows, state.new_id("msgbatch_"))
        await asyncio.to_thread(keep, rows, state.blob(batch.blob))
        await asyncio.to_thread(state.add_batch, batch)
    service.engine.start(batch)
    return Json(_shape(caller, batch))


async def _split(caller: Caller, body: Sink, rows: Path, batch_id: str) -> Batch:
    """Cut the body into rows on disk and make the batch of them; small ones here, big ones in a worker."""
    service, state = caller.service, caller.service.state
    clock = service.engine.clock
    now, blob = clock.now(), state.new_blob()
    batch = Batch(
        batch_id, caller.account, "anthropic", now, now - clock.jumped, clock.jumped, "in_progress", blob, body.digest.hexdigest(),
        version=caller.version, fate=caller.fault.get("fate", {}), times={"in_progress": now})
    job = {"kind": "split", "body": str(body.path), "data": str(rows), "index": str(state.work(batch) / "index"),
           "seed": batch_id, "max_rows": caller.profile.max_rows}
    found = await (asyncio.to_thread(split_body, job) if body.size < SMALL_BODY else service.engine.workers.run(job))
    try:
        if "status" in found:
            raise ApiError(found["status"], found["message"])
        limits.queued_requests(service, caller.account, found["total"])
    except ApiError:
        shutil.rmtree(state.work(batch), ignore_errors=True)
        raise
    batch.total, batch.prompt_tokens = found["total"], found["tokens"]
    return batch


def _shape(caller: Caller, batch: Batch) -> dict:
    return shapes.message_batch(batch, caller.service.base_url, caller.service.engine.clock.now(), caller.fault)


def _batch(caller: Caller) -> Batch:
    return caller.batch("Message batch not found: {}")


async def retrieve(caller: Caller) -> Response:
    """GET /v1/messages/batches/{id}"""
    return Json(_shape(caller, _batch(caller)))


async def list_(caller: Caller) -> Response:
    """GET /v1/messages/batches"""
    query = caller.request.query_params
    limit = limits.number(query.get("limit"), 20, 1, 1000, "limit")
    found, more = page_of(caller, limit, _cursor(caller, "after_id"), _cursor(caller, "before_id"))
    items = [_shape(caller, batch) for batch in found]
    return Json(with_odd(caller, {"data": items, "has_more": more, "first_id": items[0]["id"] if items else None,
                                  "last_id": items[-1]["id"] if items else None}))


def _cursor(caller: Caller, name: str) -> Batch | None:
    if not caller.request.query_params.get(name):
        return None
    batch = caller.service.state.batch(caller.account, caller.request.query_params[name])
    if batch is None:
        raise ApiError(400, f"{name}: no such message batch")
    return batch


async def cancel(caller: Caller) -> Response:
    """POST /v1/messages/batches/{id}/cancel"""
    batch = _batch(caller)
    if batch.final:
        raise ApiError(400, f"Batch {batch.id} cannot be canceled because it has already ended.")
    if batch.status != "cancelling":
        caller.service.engine.cancel(batch)
    return Json(_shape(caller, batch))


async def delete(caller: Caller) -> Response:
    """DELETE /v1/messages/batches/{id}"""
    batch, state = _batch(caller), caller.service.state
    if not batch.final:
        raise ApiError(400, f"Batch {batch.id} cannot be deleted while it is still processing; cancel it first.")
    for kind in (batch.output_file, batch.error_file):
        if kind and (file := state.file(batch.account, kind, 0.0)):
            state.drop_file(file)
    state.drop_blob(batch.blob)
    batch.gone = True
    state.save(batch)
    return Json({"id": batch.id, "type": "message_batch_deleted"})


async def results(caller: Caller) -> Response:
    """GET /v1/messages/batches/{id}/results"""
    batch, state = _batch(caller), caller.service.state
    if not batch.final:
        raise ApiError(400, f"Batch {batch.id} has not finished processing: its results are not available yet.")
    now = caller.service.engine.clock.now()
    file = state.file(batch.account, batch.output_file or "", 0.0)
    if file is None or now >= batch.created + shapes.RESULTS_KEPT:
        raise ApiError(404, f"The results of batch {batch.id} are no longer available.")
    return download(caller, file, "application/x-jsonl")


async def message(caller: Caller) -> Response:
    """POST /v1/messages"""
    params = await read_json(caller.request, 32 * 1024 * 1024)
    service = caller.service
    if service.forwarder:
        if params.get("stream"):
            raise ApiError(400, "stream: not passed on to the model server")
        outcome = await service.forwarder.ask("/v1/messages", params, "anthropic", caller.version, caller.request_id)
        return Json(outcome.body, outcome.status)
    context = Context(caller.request_id, "anthropic", "/v1/messages", 0, service.settings.shares, caller.version, tier="standard")
    outcome = answer(params, "single", context, limits.memory(service.state))
    service.state.remember([outcome.seen] if outcome.seen else [])
    if outcome.status == 200 and params.get("stream") is True:
        return streamed("/v1/messages", outcome.body, params)
    return Json(outcome.body if outcome.status == 200 else {**outcome.body, "request_id": caller.request_id}, outcome.status)


async def count_tokens(caller: Caller) -> Response:
    """POST /v1/messages/count_tokens"""
    params = await read_json(caller.request, 32 * 1024 * 1024)
    for name in ("messages", "model"):
        if name not in params:
            raise ApiError(400, f"{name}: Field required")
    return Json({"input_tokens": prompt_tokens(texts(params, "/v1/messages"), params, "anthropic")})


async def models(caller: Caller) -> Response:
    """GET /v1/models"""
    items = [_model(name) for name in MODELS]
    return Json({"data": items, "has_more": False, "first_id": items[0]["id"], "last_id": items[-1]["id"]})


async def model(caller: Caller) -> Response:
    """GET /v1/models/{id}"""
    name = caller.request.path_params["model"]
    if "no-such-model" in name:
        raise ApiError(404, f"model: {name[:100]}")
    return Json(_model(name))


def _model(name: str) -> dict:
    return {"id": name, "type": "model", "display_name": name, "created_at": "2025-01-01T00:00:00Z", "lifecycle": "active",
            "deprecated_at": None, "retires_at": None, "line": None, "capabilities": None, "max_input_tokens": 200_000,
            "max_tokens": 64_000}


def routes(service: Service) -> list[BaseRoute]:
    """All routes of the Anthropic API but /v1/models, whose address is also OpenAI's."""
    at = "/v1/messages/batches"
    table = [
        ("POST", at, "messages.batches.create", create), ("GET", at, "messages.batches.list", list_),
        ("GET", at + "/{batch_id}", "messages.batches.retrieve", retrieve),
        ("DELETE", at + "/{batch_id}", "messages.batches.delete", delete),
        ("POST", at + "/{batch_id}/cancel", "messages.batches.cancel", cancel),
        ("GET", at + "/{batch_id}/results", "messages.batches.results", results),
        ("POST", "/v1/messages", "messages", message), ("POST", "/v1/messages/count_tokens", "messages", count_tokens),
    ]
    return [Route(path, Call(service, "anthropic", name, handler), methods=[method]) for method, path, name, handler in table]


def model_routes(service: Service) -> tuple[Call, Call]:
    """The calls that answer /v1/models in Anthropic's shape."""
    return Call(service, "anthropic", "models.list", models), Call(service, "anthropic", "models.list", model)


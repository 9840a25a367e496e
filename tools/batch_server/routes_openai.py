"""Owns the OpenAI routes: files, batches, models and single calls; kluster.ai's are the same with another profile."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import limits, shapes
from .bending import download, page_of, with_odd
from .errors import ApiError
from .gate import Call, Caller, Handler, HostCall, Service
from .rows import Context, answer, prompt_tokens, texts
from .rules import check_openai
from .speech import Json
from .state import Batch, File
from .streams import STREAMED, streamed
from .uploads import Form, read_form, read_json

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
RESPONSES = "/v1/responses"
BATCH_FILE_KEPT = 30 * 86400
MODELS = (
    "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5.1",
    "gpt-5.6-luna", "gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra", "o1", "o1-mini", "o3", "o3-mini", "o4-mini",
)
KLUSTER_MODELS = (
    "deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3-0324",
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "klusterai/Meta-Llama-3.3-70B-Instruct-Turbo",
)


# -- files ------------------------------------------------------------------------------------------
async def create_file(caller: Caller) -> Response:
    """POST /files"""
    service = caller.service
    form = await read_form(caller.request, service.state.folder / "tmp", service.settings.file_bytes)
    try:
        file = _accepted(form, caller)
        await form.sink.keep(service.state.blob(file.blob))
    finally:
        form.sink.close()
    await asyncio.to_thread(service.state.add_files, file)
    return Json(shapes.file_object(file, caller.profile))


def _accepted(form: Form, caller: Caller) -> File:
    service, purpose, size = caller.service, form.fields.get("purpose"), form.sink.size
    if form.filename is None:
        raise ApiError(400, "'file' is a required property")
    if not purpose:
        raise ApiError(400, "'purpose' is a required property")
    known = PURPOSES if caller.profile.purpose in PURPOSES else (caller.profile.purpose, "fine-tune", "eval")
    if purpose not in known:
        raise ApiError(400, f"'{purpose[:60]}' is not one of {list(known)} - 'purpose'")
    batch = purpose == caller.profile.purpose
    # A name without any ending is what SDKs send for bare bytes; widely used clients (curator, instructor) live on that.
    if batch and "." in form.filename and not form.filename.endswith(".jsonl"):
        suffix = form.filename.rpartition(".")[2][:20]
        raise ApiError(400, f"Invalid file format for Batch API. Must be .jsonl, got .{suffix}")
    if size == 0:
        raise ApiError(400, "File is empty.")
    if batch and size > caller.profile.max_bytes:
        raise ApiError(413, f"The batch input file exceeds the maximum size of {caller.profile.max_bytes} bytes.")
    limits.storage(service, caller.account, size)
    now = service.engine.clock.now()
    keep = _keep(form.fields.get("expires_after[anchor]"), form.fields.get("expires_after[seconds]"))
    keep = keep or (BATCH_FILE_KEPT if batch else None)
    name = form.filename[:255]
    return File(caller.service.state.new_id("file-"), caller.account, name, purpose, size, form.sink.digest.hexdigest(), now,
                int(now) + keep if keep else None, service.state.new_blob())


def _keep(anchor: object, seconds: object, param: str = "expires_after") -> int | None:
    """How long to keep a file, in seconds; None when nothing was said."""
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise ApiError(400, f"Invalid value for '{param}.anchor': expected 'created_at'.", code="invalid_value", param=f"{param}.anchor")
    text = str(seconds)
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 3600 <= int(text) <= 2592000):
        raise ApiError(400, f"Invalid value for '{param}.seconds': expected an integer from 3600 to 2592000.", code="invalid_value",
                       param=f"{param}.seconds")
    return int(text)


def _file(caller: Caller) -> File:
    file_id = caller.request.path_params["file_id"]
    file = caller.service.state.file(caller.account, file_id, caller.service.engine.clock.now())
    if file is None:
        raise ApiError(404, f"No such File object: {file_id[:100]}", param="id")
    return file


async def retrieve_file(caller: Caller) -> Response:
    """GET /files/{id}"""
    return Json(shapes.file_object(_file(caller), caller.profile))


async def file_content(caller: Caller) -> Response:
    """GET /files/{id}/content"""
    return download(caller, _file(caller), "application/octet-stream")


async def delete_file(caller: Caller) -> Response:
    """DELETE /files/{id}"""
    file = _file(caller)
    caller.service.state.drop_file(file)
    return Json({"id": file.id, "object": "file", "deleted": True})


async def list_files(caller: Caller) -> Response:
    """GET /files"""
    query, state = caller.request.query_params, caller.service.state
    limit = limits.number(query.get("limit"), 10_000, 1, 10_000, "limit")
    order = caller.fault.get("list", {}).get("order") or query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise ApiError(400, "Invalid value for 'order': expected one of 'asc', 'desc'.", code="invalid_value", param="order")
    where, values, now = "", (), caller.service.engine.clock.now()
    if query.get("purpose"):
        where, values = " and purpose = ?", (query["purpose"],)
    if query.get("after"):
        after = state.file(caller.account, query["after"], now)
        if after is None:
            raise ApiError(400, f"No such File object: {query['after'][:100]}", param="after")
        where, values = f"{where} and seq {'<' if order == 'desc' else '>'} ?", (*values, after.seq)
    lag = _too_young(caller)
    found = [file for file in state.files(caller.account, where, values, order, -1)
             if (file.expires is None or file.expires > now) and file.created <= lag][: limit + 1]
    items = [shapes.file_object(file, caller.profile) for file in found[:limit]]
    return Json(with_odd(caller, shapes.page(items, len(found) > limit, caller.profile)))


def _too_young(caller: Caller) -> float:
    """Objects made after this moment are not yet shown in lists."""
    return caller.service.engine.clock.now() - caller.fault.get("lag", -1.0)


# -- batches ----------------------------------------------------------------------------------------
async def create_batch(caller: Caller) -> Response:
    """POST /batches"""
    service, body = caller.service, await read_json(caller.request)
    _check_create(body, caller)
    limits.creation(service, caller.account)
    clock = service.engine.clock
    now = clock.now()
    file = service.state.file(caller.account, body["input_file_id"], now)
    keep = body.get("output_expires_after")
    keep = _keep(keep.get("anchor"), keep.get("seconds"), "output_expires_after") if isinstance(keep, dict) else None
    window = body["completion_window"]
    batch = Batch(
        caller.service.state.new_id("batch_"), caller.account, caller.profile.name, now, now - clock.jumped, clock.jumped, "validating",
        file.blob if file else "", file.sha256 if file else "", _seconds(window), window, body["input_file_id"],
        body["endpoint"], body.get("metadata"), keep=keep, fate=caller.fault.get("fate", {}))
    await asyncio.to_thread(service.state.add_batch, batch)
    service.engine.start(batch)
    made = shapes.batch_object(batch, caller.profile)
    return Json({"job": made, "warning": None} if "wrapped_job" in caller.profile.quirks else made)


def _seconds(window: str) -> float:
    return int(window[:-1]) * {"h": 3600.0, "d": 86400.0}[window[-1]]


def _check_create(body: dict, caller: Caller) -> None:
    profile = caller.profile
    for name in ("input_file_id", "endpoint", "completion_window"):
        if body.get(name) is None:
            raise ApiError(400, f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)
        if not isinstance(body[name], str):
            raise ApiError(400, f"Invalid type for '{name}': expected a string.", code="invalid_type", param=name)
    if body["endpoint"] not in profile.endpoints:
        raise ApiError(400, f"Invalid value: '{body['endpoint'][:100]}'. Supported values are: {_listed(profile.endpoints)}.",
                       code="invalid_value", param="endpoint")
    if body["completion_window"] not in profile.windows:
        raise ApiError(400, f"Invalid value: '{body['completion_window'][:100]}'. Supported values are: {_listed(profile.windows)}.",
                       code="invalid_value", param="completion_window")
    if body.get("output_expires_after") is not None and not isinstance(body["output_expires_after"], dict):
        raise ApiError(400, "Invalid type for 'output_expires_after': expected an object.", code="invalid_type",
                       param="output_expires_after")
    _check_metadata(body.get("metadata"))


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values[:-1]) + (" and " if len(values) > 1 else "") + f"'{values[-1]}'"


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise ApiError(400, "Invalid type for 'metadata': expected an object.", code="invalid_type", param="metadata")
    if len(metadata) > 16:
        raise ApiError(400, "Invalid 'metadata': too many properties. Expected an object with at most 16 properties.",
                       code="object_above_max_properties", param="metadata")
    for key, value in metadata.items():
        if len(key) > 64:
            raise ApiError(400, "Invalid 'metadata': a key is longer than 64 characters.", code="string_above_max_length", param="metadata")
        if not isinstance(value, str):
            raise ApiError(400, f"Invalid type for 'metadata.{key}': expected a string.", code="invalid_type", param=f"metadata.{key}")
        if len(value) > 512:
            raise ApiError(400, f"Invalid 'metadata.{key}': string too long. Expected a string with maximum length 512.",
                           code="string_above_max_length", param=f"metadata.{key}")


def _batch(caller: Caller) -> Batch:
    return caller.batch("No batch found with id '{}'.")


async def retrieve_batch(caller: Caller) -> Response:
    """GET /batches/{id}"""
    return Json(shapes.batch_object(_batch(caller), caller.profile, caller.fault))


async def cancel_batch(caller: Caller) -> Response:
    """POST /batches/{id}/cancel"""
    batch = _batch(caller)
    if batch.status in ("completed", "failed", "expired"):
        raise ApiError(409, f"Cannot cancel a batch with status '{batch.status}'.")
    if batch.status not in ("cancelling", "cancelled"):
        caller.service.engine.cancel(batch)
    return Json(shapes.batch_object(batch, caller.profile))


async def list_batches(caller: Caller) -> Response:
    """GET /batches"""
    query, state = caller.request.query_params, caller.service.state
    limit = limits.number(query.get("limit"), 20, 1, 100, "limit")
    after = state.batch(caller.account, query["after"]) if query.get("after") else None
    if query.get("after") and after is None:
        raise ApiError(400, f"No batch found with id '{query['after'][:100]}'.", param="after")
    found, more = page_of(caller, limit, after)
    items = [shapes.batch_object(batch, caller.profile, caller.fault) for batch in found]
    return Json(with_odd(caller, shapes.page(items, more, caller.profile)))


# -- single calls and models --------------------------------------------------------------------------
def single(endpoint: str):
    """The handler of a synchronous endpoint: one row, at once."""
    async def call(caller: Caller) -> Response:
        body = await read_json(caller.request, 32 * 1024 * 1024)
        service, stream = caller.service, body.get("stream") is True and endpoint in STREAMED
        if service.forwarder:
            if body.get("stream"):
                raise ApiError(400, "Streaming is not passed on to the model server.", code="unsupported_value", param="stream")
            outcome = await service.forwarder.ask(endpoint, body, caller.profile.name, "", caller.request_id)
            return Json(outcome.body, outcome.status)
        context = Context(caller.request_id, caller.profile.name, endpoint, int(service.engine.clock.now()), service.settings.shares)
        outcome = answer(body, "single", context, limits.memory(service.state))
        service.state.remember([outcome.seen] if outcome.seen else [])
        if stream and outcome.status == 200:
            return streamed(endpoint, outcome.body, body)
        return Json(outcome.body, outcome.status)
    return call


async def count_tokens(caller: Caller) -> Response:
    """POST /responses/input_tokens"""
    body = await read_json(caller.request, 32 * 1024 * 1024)
    check_openai(body, RESPONSES)
    return Json({"object": "response.input_tokens", "input_tokens": prompt_tokens(texts(body, RESPONSES), body)})


async def list_models(caller: Caller) -> Response:
    """GET /models"""
    names = KLUSTER_MODELS if caller.profile.name == "kluster" else caller.profile.models or MODELS
    return Json({"object": "list", "data": [_model(name) for name in names]})


async def retrieve_model(caller: Caller) -> Response:
    """GET /models/{id}"""
    name = caller.request.path_params["model"]
    if "no-such-model" in name:
        raise ApiError(404, f"The model '{name[:100]}' does not exist", code="model_not_found", param="model")
    return Json(_model(name))


def _model(name: str) -> dict:
    return {"id": name, "object": "model", "created": 1735689600, "owned_by": "simulated", "shutdown_date": None}


def routes(service: Service, profile: str = "") -> list[BaseRoute]:
    """All routes of a profile of the OpenAI family; without its name, those of all hosts that elsewhere.py has."""
    prefix = service.profiles[profile].prefix if profile else "/hosts/{host}/v1"
    table = [
        ("POST", "/files", "files.create", create_file), ("POST", "/files/", "files.create", create_file),
        ("GET", "/files", "files.list", list_files), ("GET", "/files/{file_id}", "files.retrieve", retrieve_file),
        ("GET", "/files/{file_id}/content", "files.content", file_content),
        ("DELETE", "/files/{file_id}", "files.delete", delete_file),
        ("POST", "/batches", "batches.create", create_batch), ("GET", "/batches", "batches.list", list_batches),
        ("POST", "/batches/", "batches.create", create_batch),
        ("GET", "/batches/{batch_id}", "batches.retrieve", retrieve_batch),
        ("POST", "/batches/{batch_id}/cancel", "batches.cancel", cancel_batch),
        ("POST", "/chat/completions", "chat.completions", single("/v1/chat/completions")),
        ("POST", "/completions", "chat.completions", single("/v1/completions")),
        ("POST", "/responses", "chat.completions", single("/v1/responses")),
        *[("POST", "/responses/input_tokens", "chat.completions", count_tokens)] * (profile == "openai"),
        ("POST", "/embeddings", "chat.completions", single("/v1/embeddings")),
        ("POST", "/moderations", "chat.completions", single("/v1/moderations")),
        ("GET", "/models", "models.list", list_models), ("GET", "/models/{model:path}", "models.list", retrieve_model),
    ]
    def call(name: str, handler: Handler) -> Call | HostCall:
        return Call(service, profile, name, handler) if profile else HostCall(service, name, handler)

    return [Route(prefix + path, call(name, handler), methods=[method]) for method, path, name, handler in table]

"""Owns the control routes: health, ledger, faults, clock and reset. They answer nobody but this machine."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import ledger
from .errors import ApiError, openai_body
from .gate import Service
from .hosts import LOCAL_NAMES, name_of
from .plan import parse
from .seed import seed
from .speech import Json

BODY_LIMIT = 4 * 1024 * 1024


def local_only(request: Request) -> None:
    """Refuse other machines, and web pages of other origins that use this machine's browser."""
    host = request.client.host if request.client else "127.0.0.1"
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    name = name_of(request.headers.get("host", ""))
    origin = request.headers.get("origin")
    foreign = origin is not None and origin.rpartition("//")[2] != request.headers.get("host")
    if not loopback or name not in LOCAL_NAMES or foreign:
        raise ApiError(403, "Control routes answer this machine only.")


def guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A handler that answers this machine only, and words its errors."""
    async def answer(request: Request) -> Response:
        try:
            local_only(request)
            return await handler(request)
        except ApiError as error:
            return Json(openai_body(error), error.status)
    return answer


async def _json(request: Request, nothing: object = None) -> object:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            raise ApiError(413, "The body is too long.")
    if not body.strip() and nothing is not None:
        return nothing
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ApiError(400, "The body is not valid JSON.") from None


def routes(service: Service) -> list[BaseRoute]:
    """All control routes."""
    state, engine, started = service.state, service.engine, time.time()

    async def health(request: Request) -> Response:
        running = len(state.live)
        return Json({"status": "ok", "simulated": True, "speed": engine.clock.speed, "jumped": engine.clock.jumped,
                     "running_batches": running, "uptime": round(time.time() - started, 3), "backend": service.settings.backend})

    async def show_ledger(request: Request) -> Response:
        batch_id = request.query_params.get("batch")
        if batch_id is None:
            return Json({**ledger.whole(state), "too_fast": service.rates.refused})
        found = ledger.of_batch(state, batch_id)
        if found is None:
            raise ApiError(404, "The ledger has no such batch.")
        return Json(found)

    async def show_faults(request: Request) -> Response:
        return Json({"rules": [rule.shown() for rule in service.faults.rules]})

    async def set_faults(request: Request) -> Response:
        service.faults.rules = parse(await _json(request))
        return await show_faults(request)

    async def jump(request: Request) -> Response:
        body = await _json(request)
        seconds = body.get("advance") if isinstance(body, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 10 * 366 * 86400:
            raise ApiError(400, 'Expected {"advance": seconds}, at most ten years.')
        engine.clock.jump(float(seconds))
        state.set_meta("jumped", engine.clock.jumped)
        return Json({"jumped": engine.clock.jumped, "now": engine.clock.now()})

    async def reset(request: Request) -> Response:
        reuse = await _json(request, {})
        await engine.stop()
        state.wipe(isinstance(reuse, dict) and reuse.get("reuse_ids") is True)
        engine.clock.jumped = 0.0
        service.faults.rules = []
        service.rates.forget()
        return Json({"status": "wiped"})

    async def sow(request: Request) -> Response:
        return Json(await seed(await _json(request), state, engine))

    async def vanish(request: Request) -> Response:
        rows = state.read("select id from files where id = ? and gone = 0", (request.path_params["file_id"],))
        if not rows:
            raise ApiError(404, "There is no such file.")
        state.write(("update files set gone = 1 where id = ?", rows[0]))
        return Json({"id": rows[0][0], "vanished": True})

    table = [("GET", "/health", health), ("GET", "/ledger", show_ledger), ("GET", "/faults", show_faults),
             ("POST", "/faults", set_faults), ("POST", "/clock", jump), ("POST", "/reset", reset), ("POST", "/seed", sow),
             ("POST", "/files/{file_id}/vanish", vanish)]
    return [Route(f"/_control{path}", guarded(handler), methods=[method]) for method, path, handler in table]

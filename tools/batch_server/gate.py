"""Owns the way in and out of every API call: who calls, what is to go wrong, and how an error is worded."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .call_rate import Rates
from .delivery import deliver, hang_up
from .edits import edited
from .elsewhere import HOSTS
from .engine import Engine
from .errors import ApiError
from .faults import Faults, merged
from .settings import Profile, Settings
from .shapes import batch_object, file_object, inline_batch, message_batch
from .speech import Json, error_answer, error_response, means_anthropic, new_request_id
from .state import Batch, State
from .uploads import BodyEnd, drain

if TYPE_CHECKING:
    from .forward import Forwarder

VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
OF_OPENAI = {"openai-version": "2020-10-01", "openai-organization": "org-simulated", "openai-processing-ms": "1"}
OF_ANTHROPIC = {"anthropic-organization-id": "00000000-0000-4000-8000-000000000000"}


@dataclass
class Service:
    """The parts of a running service, as the routes see them."""

    settings: Settings
    profiles: dict[str, Profile]
    state: State
    engine: Engine
    faults: Faults
    rates: Rates
    base_url: str = ""
    forwarder: Forwarder | None = None


@dataclass
class Caller:
    """One call being served."""

    request: Request
    service: Service
    profile: Profile
    account: str
    fault: dict
    request_id: str
    version: str = ""

    def batch(self, missing: str) -> Batch:
        """The batch that the path names; `missing` is what is said of one that is not there, {} its id. Raises ApiError."""
        batch_id = self.request.path_params["batch_id"]
        batch = self.service.state.batch(self.account, batch_id)
        if batch is None:
            raise ApiError(404, missing.format(batch_id[:100]))
        return batch


Handler = Callable[[Caller], Awaitable[Response]]


def subject(caller: Caller) -> dict:
    """The object that a call is about, as it looks on the wire; an empty one when there is none."""
    ids, state, now = caller.request.path_params, caller.service.state, caller.service.engine.clock.now()
    if "file_id" in ids and (file := state.file(caller.account, ids["file_id"], now)):
        return file_object(file, caller.profile)
    if "batch_id" in ids and (batch := state.batch(caller.account, ids["batch_id"])):
        if caller.profile.name == "openrouter":
            return inline_batch(batch)
        return message_batch(batch, "", now) if caller.profile.name == "anthropic" else batch_object(batch, caller.profile)
    return {}


def account_of(request: Request, settings: Settings, asked: Profile) -> str:
    """The account behind a key. Without configured keys any key will do, and all share one account."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key, profile = token.strip() if scheme.lower() == "bearer" else "", asked.name
    if asked.key_header:
        key = "" if key else request.headers.get(asked.key_header, "")
    if profile == "anthropic":
        key = request.headers.get("x-api-key", "") or key
    if not key:
        raise ApiError(401, "x-api-key header is required" if profile == "anthropic" else
                       "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
                       "auth (i.e. Authorization: Bearer YOUR_KEY).")
    if not settings.keys:
        return f"{profile}:shared"
    if not any(hmac.compare_digest(key.encode(), known.encode()) for known in settings.keys):
        if profile == "anthropic":
            raise ApiError(401, "invalid x-api-key")
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
    return f"{profile}:{sha256(key.encode()).hexdigest()[:16]}"


def version_of(request: Request) -> str:
    """The Anthropic API version of a call."""
    version = request.headers.get("anthropic-version", "")
    if not version:
        raise ApiError(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise ApiError(400, f'anthropic-version: "{version[:40]}" is not a valid version')
    return version


class HostCall:
    """One API call at the host that its path names."""

    def __init__(self, service: Service, name: str, handler: Handler):
        self.service, self.name, self.handler = service, name, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a host that is not played is an address that is not there."""
        host = scope["path_params"]["host"]
        app = Call(self.service, host, self.name, self.handler) if host in HOSTS else error_answer(ApiError(404, "Not found"), "openai")
        await app(scope, receive, send)


class Call:
    """One API call as an ASGI application: the gate around a handler."""

    def __init__(self, service: Service, profile: str, name: str, handler: Handler):
        self.service, self.profile, self.name, self.handler = service, service.profiles[profile], name, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request, request_id = Request(scope, BodyEnd(receive)), new_request_id()
        if self.profile.name != "anthropic" and means_anthropic(request):
            await error_answer(ApiError(404, "Not found"), "anthropic")(scope, receive, send)
            return
        caller, rates = Caller(request, self.service, self.profile, "", {}, request_id), {}
        try:
            caller.account = account_of(request, self.service.settings, self.profile)
            if self.profile.name == "anthropic":
                caller.version = version_of(request)
            rates = self.service.rates.take(caller.account, self.profile.name, time.monotonic())
            caller.fault = self.service.faults.pick(self.name, self.profile.name, lambda: subject(caller))
            response = await self._answer(caller)
        except ApiError as error:
            response = error_response(error, self.profile.name, request_id)
        except ClientDisconnect:
            return
        if response is None:
            await hang_up(scope["hang_up"], receive)
            return
        for name, value in rates.items():
            response.headers.setdefault(name, value)  # what a fault says of it stands
        response.headers.update(self._headers(request_id))
        await deliver(response, caller.fault, scope, receive, send)

    async def _answer(self, caller: Caller) -> Response | None:
        """The handler's answer, or what a fault puts in its place; None means: hang up."""
        fault = caller.fault
        if "delay" in fault:
            await asyncio.sleep(fault["delay"])
        replaced = not fault.keys().isdisjoint(("status", "body", "drop"))
        moment = fault.get("drop") or fault.get("when", "before")
        if replaced and moment == "before":
            await drain(caller.request)
            self._note(caller, None)
            return self._broken(caller)
        response = await self.handler(caller)
        self._note(caller, response)
        return self._broken(caller) if replaced else self._edited(caller, response)

    def _edited(self, caller: Caller, response: Response) -> Response:
        """The answer with its objects edited: the one that it is, or each of a list."""
        if not self.service.faults.rules or not isinstance(response, Json) or response.status_code != 200:
            return response
        body = orjson.loads(response.body)
        items = body if isinstance(body, list) else body["data"] if self.name.endswith(".list") else [body.get("job", body)]
        for item in items if isinstance(items, list) else []:
            more = self.service.faults.pick_for(self.name, self.profile.name, item) if isinstance(item, dict) else {}
            edited(item, merged([more, caller.fault]))
        return Json(body)

    def _broken(self, caller: Caller) -> Response | None:
        fault = caller.fault
        if "drop" in fault:
            return None
        status = fault.get("status", 200)
        response = error_response(ApiError(status, "A fault that was asked for."), self.profile.name, caller.request_id)
        if status in (204, 304):  # these have no body
            response = Response(None, status)
        elif "body" in fault:
            raw = fault["body"] if isinstance(fault["body"], str) else orjson.dumps(fault["body"])
            response = Response(raw, status, media_type="application/json")
        response.headers.update({str(k): str(v) for k, v in fault.get("headers", {}).items()})
        return response

    def _note(self, caller: Caller, response: Response | None) -> None:
        """Write creation attempts into the ledger, also those that nobody will hear the answer of."""
        if not self.name.endswith("batches.create"):
            return
        body = orjson.loads(response.body) if response is not None and response.status_code in (200, 202) else {}
        made = body.get("job", body).get("id")
        told = 200 if "body" in caller.fault else response.status_code if response else None
        status = None if "drop" in caller.fault else caller.fault.get("status", told)
        caller.service.state.attempt({"profile": self.profile.name, "batch_id": made, "status": status,
                                      "fault": caller.fault or None})

    def _headers(self, request_id: str) -> dict[str, str]:
        name = "request-id" if self.profile.name == "anthropic" else "x-request-id"
        more = OF_ANTHROPIC if self.profile.name == "anthropic" else OF_OPENAI
        return {name: request_id, "x-simulated": "false" if self.service.forwarder else "true", **more}

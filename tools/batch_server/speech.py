"""Owns in whose words an error is said: which API a caller means, and the answer that carries the error."""

from __future__ import annotations

import secrets

import orjson
from starlette.requests import Request
from starlette.responses import Response

from .errors import ApiError, anthropic_body, openai_body


class Json(Response):
    """A JSON answer."""

    media_type = "application/json"

    def __init__(self, body: object, status_code: int = 200, headers: dict[str, str] | None = None):
        super().__init__(orjson.dumps(body), status_code, headers)


def means_anthropic(request: Request) -> bool:
    """Whether a caller can only mean Anthropic's API at an address that both have: its key is in Anthropic's header alone."""
    return "x-api-key" in request.headers and "authorization" not in request.headers


def profile_of(request: Request) -> str:
    """The API that was probably meant, where no route says so."""
    path = request.scope["path"]  # not request.url, which trips over Host headers that are none
    if path == "/v1/messages" or path.startswith("/v1/messages/") or "anthropic-version" in request.headers or means_anthropic(request):
        return "anthropic"
    return "openai"


def new_request_id() -> str:
    """An id that nobody can mistake for a real provider's."""
    return f"req_sim_{secrets.token_hex(12)}"


def error_response(error: ApiError, profile: str, request_id: str) -> Response:
    """An error in the words of an API."""
    body = anthropic_body(error, request_id) if profile == "anthropic" else openai_body(error)
    return Json(body, error.status, error.headers)


def error_answer(error: ApiError, profile: str) -> Response:
    """An error with the headers of an answer, for calls that reach no route."""
    request_id = new_request_id()
    response = error_response(error, profile, request_id)
    response.headers.update({"request-id" if profile == "anthropic" else "x-request-id": request_id, "x-simulated": "true"})
    return response

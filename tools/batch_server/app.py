"""Owns the assembly of the service: all routes of all profiles in one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import page, routes_anthropic, routes_control, routes_openai, routes_openrouter
from .errors import ApiError
from .gate import Service
from .hosts import HostCheck, Names
from .speech import error_answer, means_anthropic, profile_of


def build(service: Service) -> ASGIApp:
    """The application of a service."""
    models, model = routes_anthropic.model_routes(service)
    openai = routes_openai.routes(service, "openai")
    shared = [route for route in openai if route.path.startswith("/v1/models")]
    both = [Route("/v1/models", _ByHeader(models, shared[0].app), methods=["GET"]),
            Route("/v1/models/{model:path}", _ByHeader(model, shared[1].app), methods=["GET"])]
    others = [*routes_openai.routes(service, "kluster"), *routes_openai.routes(service)]
    app = Starlette(
        routes=[page.route(service), *routes_control.routes(service), *both, *routes_anthropic.routes(service),
                *(route for route in openai if route not in shared), *others, *routes_openrouter.routes(service)],
        exception_handlers={404: _unknown, 405: _unknown, Exception: _bug})
    return HostCheck(app, Names(service.settings))


class _ByHeader:
    """Two APIs at one address: whoever sends an anthropic-version means Anthropic's."""

    def __init__(self, anthropic: ASGIApp, openai: ASGIApp):
        self.anthropic, self.openai = anthropic, openai

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        asked = "anthropic-version" in request.headers or means_anthropic(request)
        await (self.anthropic if asked else self.openai)(scope, receive, send)


async def _bug(request: Request, error: Exception) -> Response:
    """A bug of ours, worded as the APIs word theirs; uvicorn writes the traceback to the log."""
    return error_answer(ApiError(500, "The local batch service has a bug; see its error output."), profile_of(request))


async def _unknown(request: Request, error: HTTPException) -> Response:
    """An address or method that is not there, in the words of the API that was probably meant."""
    what = f"Invalid URL ({request.method} {request.url.path[:200]})" if error.status_code == 404 else "Method not allowed"
    response = error_answer(ApiError(error.status_code, what), profile_of(request))
    response.headers.update(error.headers or {})
    return response

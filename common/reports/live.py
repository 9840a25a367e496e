"""The dashboard as an application: the page, its script and look, the stream that keeps it fresh, and the password before them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import InputError, disk_error
from common.reports.dashboard import HERE, inside, whole
from common.reports.disk import DiskCount
from common.reports.local_page import LOCAL_NAMES, LocalPage
from common.runs.stand import Board

EVERY = 5  # seconds between two looks at the journal for a page that is open
FRESH = 2.0  # seconds for which one look serves all who ask


def application(look: Callable[[], Board], results: Path, password: str = "", name: str = "") -> ASGIApp:
    """The dashboard of a results folder. `look` reads the journal; `name` is a further one that it answers to, beside this machine's."""
    seen, disk = _FreshBoard(look), DiskCount(results)

    def page(request: Request) -> Response:
        return Response(whole(inside(seen.now(), disk.now(), _number(request)), results, EVERY), media_type="text/html")

    def events(request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            while True:
                try:
                    found = await run_in_threadpool(lambda: inside(seen.now(), disk.now(), _number(request)))
                except (InputError, OSError, sqlite3.Error):
                    return  # the browser says that it is not connected, and asks again
                yield "".join(f"data: {line}\n" for line in found.splitlines()) + "\n"
                await asyncio.sleep(EVERY)

        return StreamingResponse(stream(), media_type="text/event-stream")

    routes = [Route("/", page), Route("/events", events), *(Route(f"/{file.name}", _file(file)) for file in _FILES)]
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys((InputError, OSError, sqlite3.Error), _unreadable))
    guarded = Password(app, password) if password else app
    return LocalPage(guarded, LOCAL_NAMES | ({name.lower()} if name else set()), script_src="'self'", connect_src="'self'", img_src="data:")


_FILES = (HERE / "dashboard.css", HERE / "dashboard.js")


def _file(path: Path) -> Callable[[Request], Response]:
    return lambda request: FileResponse(path)


def _number(request: Request) -> int:
    """Which page of the ended runs is asked for; the first where that is no number."""
    text = request.query_params.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _unreadable(request: Request, error: Exception) -> Response:
    """The journal cannot be read just now: one line, no traceback."""
    return PlainTextResponse(f"{disk_error(error) if isinstance(error, (OSError, sqlite3.Error)) else error}\n", 503)


class _FreshBoard:
    """One look at the journal for all who ask within a moment."""

    def __init__(self, look: Callable[[], Board]) -> None:
        self._look, self._lock = look, threading.Lock()
        self._board: Board | None = None
        self._until = 0.0

    def now(self) -> Board:
        """Where everything stands."""
        with self._lock:
            if self._board is None or time.monotonic() >= self._until:
                self._board = self._look()
                self._until = time.monotonic() + FRESH
            return self._board


class Password:
    """An ASGI application behind one password (HTTP basic; any user name)."""

    def __init__(self, app: ASGIApp, password: str) -> None:
        self._app, self._password = app, password.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on that knows the password."""
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            said = base64.b64decode(given, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            said = b""
        if kind.lower() == "basic" and secrets.compare_digest(said, self._password):
            await self._app(scope, receive, send)
            return
        asks = {"www-authenticate": 'Basic realm="dashboard", charset="UTF-8"'}
        await PlainTextResponse("The password is DASHBOARD_PASSWORD; any user name.\n", 401, asks)(scope, receive, send)

"""A page that this machine shows to its own browser: who may ask for it and how, the headers that guard it, and how it is served.

    listener = listen(args.port)                       # 127.0.0.1; port 0 takes a free one; InputError when it is taken
    app = LocalPage(Starlette(routes=[...]))           # GET and HEAD of known names only; strict headers on every answer
    print(address(listener))                           # http://127.0.0.1:PORT/
    serve(app, listener)                               # returns on Ctrl-C or SIGTERM

`LocalPage(app, script_src="'self'", connect_src="'self'")` lets a page's own script in; `names=LOCAL_NAMES | {"box.local"}` lets it
be called by a further name. A page that has more to say in its headers keeps them: only those that are not there yet are added.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress

import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import InputError

LOOPBACK = "127.0.0.1"
LOCAL_NAMES = frozenset((LOOPBACK, "localhost", "[::1]"))
NOTHING_ELSE = {
    "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "form-action": "'self'", "base-uri": "'none'",
    "frame-ancestors": "'none'",
}  # fmt: skip
HEADERS = {
    "x-content-type-options": "nosniff", "referrer-policy": "same-origin", "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin", "x-frame-options": "DENY",
}  # fmt: skip
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]/@\s]+)(?::\d{1,5})?", re.IGNORECASE)


class LocalPage:
    """An ASGI application around another: refuses (403) other names than its own, and (405) whatever is no GET or HEAD.

    A web page whose owner lets its name lead to this machine (DNS rebinding) would read what a browser's rules keep from it; the
    Host header gives it away. `more` are further directives of the Content-Security-Policy, with _ for -, over NOTHING_ELSE.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] = LOCAL_NAMES, **more: str) -> None:
        self._app, self._names = app, names
        policy = {**NOTHING_ELSE, **{key.replace("_", "-"): value for key, value in more.items()}}
        self._headers = {**HEADERS, "content-security-policy": "; ".join(f"{key} {value}" for key, value in policy.items())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or refuse it."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for key, value in self._headers.items():
                    headers.setdefault(key, value)
            await send(message)

        if scope["type"] != "http":  # no page of ours speaks anything else
            return
        await (self._refused(scope) or self._app)(scope, receive, guarded)

    def _refused(self, scope: Scope) -> ASGIApp | None:
        hosts = Headers(scope=scope).getlist("host")
        match = _HOST.fullmatch(hosts[0].strip()) if len(hosts) == 1 else None
        if not match or match[1].lower() not in self._names:
            return PlainTextResponse("This page does not answer to that name.\n", 403)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("This page can only be read.\n", 405, {"allow": "GET, HEAD"})
        return None


def listen(port: int = 0) -> socket.socket:
    """A socket that listens on this machine alone; 0 takes a free port. Raises InputError when the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise InputError(f"port {port} cannot be had ({error.strerror}); give another one, or none for a free one") from error
    listener.listen(128)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}/"


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; an answer that streams without end is cut after a second."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", server_header=False, ws="none", timeout_graceful_shutdown=1
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal anew once it has stopped
        uvicorn.Server(config).run(sockets=[listener])

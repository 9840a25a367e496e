"""Owns who may speak to the service: by which names it may be called, and from which web pages."""

from __future__ import annotations

import ipaddress
import re

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import ApiError
from .settings import Settings
from .speech import error_answer, profile_of

LOCAL_NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]/@\s]+)(?::\d{1,5})?", re.IGNORECASE)
REFUSED = "This service does not answer to that name; --allow-host NAME lets it."


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own and nobody else's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def name_of(host: str) -> str | None:
    """The name in a Host header, in small letters and without its port; None when it is none."""
    match = HOST.fullmatch(host.strip())
    return match[1].lower() if match else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class Names:
    """The names under which a service may be called.

    A web page under a name of its owner's that resolves to this machine (DNS rebinding) reads what a browser's own rules keep from it;
    its Host header gives it away. A bare address cannot be rebound, so that one who listens for others answers to any.
    """

    def __init__(self, settings: Settings):
        own = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.names = LOCAL_NAMES | {own.lower()} | {name.lower() for name in settings.allow_host}
        self.addresses = not is_loopback(settings.host)

    def known(self, host: str) -> bool:
        """Whether a Host header holds one of them, at any port."""
        name = name_of(host)
        return name is not None and (name in self.names or self.addresses and _is_address(name))

    def check(self, request: Request) -> None:
        """Refuse with 403 other names, no name, several names, and web pages of other sites."""
        hosts, origins = request.headers.getlist("host"), request.headers.getlist("origin")
        pages = [origin.partition("//")[2] for origin in origins]
        if len(hosts) != 1 or not all(map(self.known, hosts + pages)):
            raise ApiError(403, REFUSED)


class HostCheck:
    """The check of names as an ASGI application around all others."""

    def __init__(self, app: ASGIApp, names: Names):
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it."""
        app = self.app
        if scope["type"] == "http":
            request = Request(scope)
            try:
                self.names.check(request)
            except ApiError as error:
                app = error_answer(error, profile_of(request))
        await app(scope, receive, send)

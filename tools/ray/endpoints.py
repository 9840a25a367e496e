"""Which addresses may be asked: own ones, since a request may be asked twice, and paid hosts would bill both."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from common import catalog
from common.errors import InputError


def checked(urls: Sequence[str], own: bool, has_key: bool) -> list[str]:
    """The addresses without /v1 at their end. `own`: a person says that all of them are theirs. Raises InputError."""
    return [_checked(url, own, has_key) for url in dict.fromkeys(urls)]


def _checked(url: str, own: bool, has_key: bool) -> str:
    parts = parts_of(url)
    if host := paid_host(parts.hostname):
        raise InputError(f"--endpoint {url}: is {host}, which bills what is asked twice; send the run by its own script with --batch")
    if not is_private(parts.hostname):
        if not own:
            raise InputError(f"--endpoint {url}: not an address of this machine or a private network; if nobody bills it, add --own")
        if has_key and parts.scheme == "http":
            raise InputError(f"--endpoint {url}: LOCAL_API_KEY would travel in clear; use https, or unset it")
    return url.rstrip("/").removesuffix("/v1")


def parts_of(url: str) -> SplitResult:
    """The parts of an address. Raises InputError where it is none, or holds a login."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a bracket or a port that cannot be
        fits = False
    if not fits:
        raise InputError(f"--endpoint {url!r}: expected an address such as http://10.0.0.5:8000/v1")
    if parts.username or parts.password:
        raise InputError("--endpoint holds a user name or password; put the key into LOCAL_API_KEY instead")
    return parts


def paid_host(name: str) -> str:
    """The title of the known host whose name this is, or is below; "" for none."""
    known = {urlsplit(host.base_url).hostname: host.title for host in catalog.hosts().values() if host.base_url}
    return next((title for one, title in known.items() if one and not is_private(one) and (name == one or name.endswith("." + one))), "")


def is_private(name: str) -> bool:
    """Whether a host's name is localhost or an IP address of this machine or a private network."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return address.is_loopback or address.is_private or address.is_link_local

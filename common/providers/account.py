"""Whose account: the address, key and headers that the environment describes for a host. A key leaves here only into headers."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from common import catalog
from common.errors import InputError
from common.nouns import Host
from common.providers import quota
from common.settings import is_loopback, is_private

OWN_SERVER = "http://127.0.0.1:8000/v1"
NO_KEY = "none"  # what is sent to own servers as a key: they need none

RATES = "rates"  # the folder, beside the journal, of what is shared


@dataclass(frozen=True)
class Account:
    """A host, the address it is spoken to at, and the key for it ("" while none is needed)."""

    host: Host
    base_url: str
    key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)  # what the account wants sent along, such as its project
    way: str = ""  # how its runs are sent; see `Run.way`
    behind: str = ""  # the host's own address, where `base_url` is that of a service of ours in front of it …
    token: str = field(default="", repr=False)  # … and what that service takes for a key: the key itself goes no further than it

    @property
    def address(self) -> str:
        """Where the questions go in the end."""
        return self.behind or self.base_url

    @property
    def identity(self) -> str:
        """What a run is bound to besides its experiment: the address, or "local" for the embedded service."""
        return "local" if self.host.local else self.address.rstrip("/")

    def key_digest(self, salt: bytes) -> str:
        """A salted digest by which the same key is known again; nothing of the key can be read from it."""
        return _digest(self.key, salt)

    def rates(self, results: Path, salt: bytes) -> Path:
        """The file in which all processes of a results folder keep the pace of this account's calls."""
        return results / RATES / f"{self.host.name}-{self.key_digest(salt)}"


@cache
def _digest(key: str, salt: bytes) -> str:
    return hashlib.scrypt(key.encode(), salt=salt, n=1024, r=8, p=1, dklen=16).hex()


def account(host_name: str, base_url: str | None = None, tier: str = "") -> Account:
    """The account that the environment describes for a host of hosts.toml, its key still unchecked.

    `base_url`: at that address; `tier`: as a person says.

    Raises InputError for an address that cannot be used.
    """
    host = catalog.hosts()[host_name]
    base_url = base_url or _said(host.url_variable) or _filled(host.base_url)
    host = host if "{" not in host.base_url else replace(host, base_url=base_url)
    parts = _checked(host, base_url)
    if host.own:
        return Account(host, base_url, os.environ.get(host.key_variable, "").strip() or NO_KEY, way=_own_way(base_url))
    if parts.hostname != urlsplit(host.base_url).hostname:
        host = _behind(host, base_url, parts.netloc)
    if host.plans:
        host = _planned(host)
    host = _at_own_rate(host, tier)
    return Account(host, base_url, _said(host.key_variable), _headers(host))


def _checked(host: Host, base_url: str) -> SplitResult:
    """The parts of an address. Raises InputError for one that cannot be used."""
    parts = _parts(base_url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{host.url_variable} is {_without_login(base_url)!r}; expected an address such as {host.base_url or OWN_SERVER}")
    if parts.username or parts.password:
        raise InputError(f"{host.url_variable} holds a user name or password; put the key into {host.key_variable} instead")
    is_near = is_private(base_url) if host.own and not os.environ.get(host.key_variable) else is_loopback(base_url)
    if parts.scheme == "http" and not is_near:
        raise InputError(f"{host.url_variable} is plain http to {parts.hostname}: the key would travel in clear; use https")
    return parts


def _behind(host: Host, base_url: str, at: str) -> Host:
    """Another service behind a host's variables: its own row if we know one, else no more than the shape is known."""
    unknown = host if is_loopback(base_url) else catalog.stand_in(host)
    found = catalog.host_at(base_url, replace(unknown, title=f"{host.title}-shaped host {at}", closed_on=""))
    if found.api != host.api:
        return host
    # its key stays where the address came from: whoever has one variable set has the other one too
    return replace(found, url_variable=host.url_variable, key_variable=host.key_variable)


def is_set(host: Host, address: bool = False) -> bool:
    """Whether the environment holds a host's own key; `address`: whether it names an address for it."""
    return bool(_said(host.url_variable if address else host.key_variable))


def _said(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def _filled(address: str) -> str:
    """A row's address with its variables filled in. Raises InputError for one that is not set, or cannot be part of a name."""
    for variable in re.findall(r"{(\w+)}", address):
        value = _said(variable)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", value):
            said = f"{variable} is {value!r}" if value else f"no {variable}"
            raise InputError(f"{said}: put the name that stands in {address} into .env, without dots")
        address = address.replace(f"{{{variable}}}", value)
    return address


def _own_way(base_url: str) -> str:
    """Own models cost nothing; what answers at a public address may be anybody's, at a price that nobody has told us."""
    return "own" if is_private(base_url) else "standard"


def _headers(host: Host) -> dict[str, str]:
    """What the account wants sent along. Raises InputError for what no header may hold."""
    found = {}
    for header, variable in host.header_variables.items():
        value = _said(variable)
        if not value.isascii() or not value.isprintable():
            raise InputError(f"{variable} holds characters that no header may have; copy it again into .env")
        if value:
            found[header] = value
    return found


def _parts(url: str) -> SplitResult | None:
    """The parts of an address; None when it is none."""
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:  # a bracket or a port that cannot be
        return None


def _planned(host: Host) -> Host:
    """A host that sells plans limits requests per batch by them: KLUSTERAI_PLAN trial, core, scale or enterprise."""
    plan = _said(host.plan_variable).lower()
    if not plan:
        return host
    if plan not in host.plans:
        raise InputError(f"{host.plan_variable} is {plan!r}; expected one of {', '.join(host.plans)}")
    return replace(host, limits=replace(host.limits, requests=host.plans[plan]))


def _at_own_rate(host: Host, tier: str) -> Host:
    """An account's own rate in HTTP requests per minute: ANTHROPIC_RPM and the like, else that of its tier, else the host's."""
    variable = host.key_variable.replace("_API_KEY", "_RPM")
    text = _said(variable)
    if not text:
        return replace(host, requests_per_minute=host.tier_rates.get(quota.tier_name(host, tier), host.requests_per_minute))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise InputError(f"{variable} is {text!r}; expected requests per minute, such as 1000")
    return replace(host, requests_per_minute=int(text))


def _without_login(url: str) -> str:
    return url.rpartition("@")[2]


def keys() -> set[str]:
    """Every key that the environment holds, for whoever must make sure that none of them stands in a file."""
    found = (_said(host.key_variable) for host in catalog.hosts().values())
    return {key for key in found if key}


def check_key(account: Account, script: str) -> str:
    """Refuse a missing or impossible key; returns a warning ("" if none) where it looks like another provider's."""
    variable = account.host.key_variable
    if not account.key:
        raise InputError(f"no {variable}: put it into .env, or add --local to rehearse without a key (python {script} … --local)")
    if not account.key.isascii() or not account.key.isprintable() or " " in account.key:
        raise InputError(f"{variable} holds spaces or characters that no key has; copy it again into .env")
    others = [h for h in catalog.hosts().values() if h.key_variable != variable]
    own = max((len(p) for p in account.host.key_prefixes if account.key.startswith(p)), default=0)
    for other in others:
        if any(account.key.startswith(p) and len(p) > own for p in other.key_prefixes):
            return f"{variable} looks like a key of {other.title}"
    return ""

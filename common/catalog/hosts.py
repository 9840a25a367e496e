"""The hosts of batch APIs, as hosts.toml describes them."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from common.nouns import Host, Limits

HERE = Path(__file__).parent


@cache
def hosts() -> dict[str, Host]:
    """All rows of hosts.toml by name."""
    with open(HERE / "hosts.toml", "rb") as file:
        rows = tomllib.load(file)
    return {name: _host(name, dict(row)) for name, row in rows.items()}


def plans(host: str) -> dict[str, int]:
    """Requests per batch by the plans that a host sells; empty when it sells none."""
    return dict(hosts()[host].plans)


def _host(name: str, row: dict) -> Host:
    given = {f.name: row.pop(f.name) for f in fields(Limits) if f.name in row}
    limits = Limits(**{"requests": None, "bytes": None, **given})
    row["key_prefixes"] = tuple(row.get("key_prefixes", ()))
    return Host(name=name, limits=limits, **row)


def host_at(base_url: str, default: Host) -> Host:
    """The host that lives at an address, else `default` (an unknown address is taken for a host of the same shape)."""
    name = urlsplit(base_url).hostname
    return next((h for h in hosts().values() if urlsplit(h.base_url).hostname == name), default)

"""The hosts of batch APIs, as hosts.toml describes them."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from common.catalog.rows import build, load
from common.nouns import Host, Limits

FILE = Path(__file__).with_name("hosts.toml")
NO_LIMIT = "no limit"  # TOML has no null


@cache
def hosts() -> dict[str, Host]:
    """All rows of hosts.toml by name."""
    return read_hosts(FILE)


def read_hosts(path: Path) -> dict[str, Host]:
    """All rows of a TOML file by name; `like` takes over what a row does not say. Raises InputError for a wrong row."""
    rows = load(path)
    return {name: _host(name, {**rows.get(row.get("like"), {}), **row}, path) for name, row in rows.items()}


def _host(name: str, row: dict, path: Path) -> Host:
    limits = {"requests": None, "bytes": None} | {f.name: row.pop(f.name) for f in fields(Limits) if f.name in row}
    row |= {key: tuple(row.get(key, ())) for key in ("key_prefixes", "windows", "unverified")}
    row["plans"] = {plan: None if most == NO_LIMIT else most for plan, most in row.get("plans", {}).items()}
    return build(Host, {"name": name, "limits": Limits(**limits), **row}, f"{path}: [{name}]")


def host_at(base_url: str, default: Host) -> Host:
    """The host that lives at an address, else `default` (an unknown address is taken for a host of the same shape)."""
    name = urlsplit(base_url).hostname
    return next((h for h in hosts().values() if urlsplit(h.base_url).hostname == name), default)


def stand_in(host: Host) -> Host:
    """What is assumed of an unknown address behind a host's variables: the row that is `like` it, else the host itself."""
    return next((h for h in hosts().values() if h.like == host.name), host)


def sells(host: Host, window: str) -> bool:
    """Whether a host takes batches for this long: "24h", or "7d" where it sells a range of hours."""
    hours = _hours(window)
    for sold in host.windows or (host.window,):
        first, _, last = sold.partition("..")
        if window == sold or (last and hours and _hours(first) <= hours <= _hours(last)):
            return True
    return False


def _hours(window: str) -> int:
    """The hours of a window; 0 where it is none."""
    number, unit = window[:-1], window[-1:]
    return int(number) * {"h": 1, "d": 24}.get(unit, 0) if number.isascii() and number.isdigit() and len(number) < 6 else 0

"""make hosts [JSON=1]: what is known of each host: open or closed, whether its key is set, what it sells, and what is unverified."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from common import catalog, settings
from common.cli.exits import OK, guarded
from common.cli.text import table
from common.errors import InputError
from common.nouns import Host
from common.providers.account import is_set
from common.text import size

DOCS = Path(__file__).resolve().parent.parent / "docs/providers.md"
PLACE = re.compile(r"(<!-- hosts -->\n).*?(<!-- /hosts -->)", re.DOTALL)
UNKNOWN = "–"
HEADER = ("host", "name", "", "key", "window", "requests", "bytes", "off", "models", "not verified")


def main(arguments: Sequence[str]) -> int:
    """Print the tables, or with --json all of it as one object; returns the exit code."""
    settings.load_env()
    rows = [host for host in catalog.hosts().values() if not host.like]
    if list(arguments) == ["--json"]:
        print(json.dumps({host.name: facts(host) for host in rows}, ensure_ascii=False))
    elif arguments:
        raise InputError(f"unknown arguments {' '.join(arguments)}; expected none, or --json")
    else:
        print(table(HEADER, map(_line, rows)), end="\n\n")
        print(table(("name", "address", "variable", "read", "source"), map(_place, rows)))
        print("\nAll of it is documentation: no call was made. Name one with --host NAME; off: the batch discount, – where unknown.")
    return OK


def facts(host: Host) -> dict:
    """What the catalog and the environment say of a host; of its key only whether it is set."""
    return {
        "title": host.title, "api": host.api, "open": not host.closed_on, "closed_on": host.closed_on, "address": host.base_url,
        "address_variable": host.url_variable, "key_variable": host.key_variable, "key_is_set": is_set(host),
        "windows": [*(host.windows or (host.window,))], "requests": host.limits.requests, "bytes": host.limits.bytes,
        "discount": host.discount, "models": [model.alias for model in catalog.models() if model.provider == host.name],
        "unverified": [*host.unverified], "source": host.source, "as_of": host.as_of,
    }  # fmt: skip


def cells(host: Host) -> tuple[str, ...]:
    """Window, requests, bytes and discount in words."""
    windows = ", ".join(host.windows or (host.window,)).replace("..", " to ")
    requests = UNKNOWN if host.limits.requests is None else f"{host.limits.requests:,}"
    limit = UNKNOWN if host.limits.bytes is None else size(host.limits.bytes)
    return windows, requests, limit, UNKNOWN if host.discount is None else f"{100 * host.discount:.0f} %" if host.discount else "none"


def with_table(text: str) -> str:
    """A document with the hosts between its marks. Raises InputError where it has no marks."""
    if not PLACE.search(text):
        raise InputError(f"{DOCS}: no marks for the hosts; expected <!-- hosts --> and <!-- /hosts -->")
    return PLACE.sub(lambda place: place[1] + markdown() + place[2], text)


def markdown() -> str:
    """The hosts as the table of docs/providers.md."""
    lines = ["| Host | `--host` | Key | Window | Requests | Bytes | Batch discount | Not verified |", "|---|---|---|---|---|---|---|---|"]
    for host in catalog.hosts().values():
        if not host.like:
            title = f"[{host.title}]({host.source})" if host.source.startswith("https://") and " " not in host.source else host.title
            title += f", **closed** {host.closed_on}" if host.closed_on else ""
            lines.append(f"| {' | '.join((title, f'`{host.name}`', f'`{host.key_variable}`', *cells(host), ', '.join(host.unverified)))} |")
    return "".join(f"{line}\n" for line in lines)


def _line(host: Host) -> tuple[object, ...]:
    known = sum(model.provider == host.name for model in catalog.models())
    state = f"closed {host.closed_on}" if host.closed_on else "open"
    key = f"{host.key_variable}{': set' if is_set(host) else ' not set'}"
    return host.title, host.name, state, key, *cells(host), known or UNKNOWN, ", ".join(host.unverified)


def _place(host: Host) -> tuple[str, ...]:
    return host.name, host.base_url, host.url_variable, host.as_of, host.source


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:]), "make hosts", "stopped"))

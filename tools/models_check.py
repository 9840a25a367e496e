"""make models CHECK=1: asks each provider whose key is set which models that key may use, and compares them with the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date

from common import catalog
from common.errors import BatchError, InputError
from common.nouns import Host
from common.providers import account as accounts
from common.providers import connect
from common.text import one_line

SHOWN = 10  # ids of one kind


def check(names: Sequence[str]) -> bool:
    """Print what differs, a line each; whether all that was asked has answered. Reads only. Raises InputError for an unknown host."""
    hosts = catalog.hosts()
    if unknown := [name for name in names if name not in hosts or hosts[name].like]:
        raise InputError(f"unknown host {one_line(unknown[0], 60)!r}; make hosts lists them")
    asked = [hosts[name] for name in names] or [host for host in hosts.values() if accounts.is_set(host) and not host.like]
    if not asked:
        raise InputError("no key is set, so nobody can be asked; put one into .env (make hosts names the variables)")
    answered = [_checked(host) for host in asked]
    return all(answered)


def _checked(host: Host) -> bool:
    if host.closed_on and not accounts.is_set(host, address=True):
        print(f"{host.name}: closed ({host.closed_on}), not asked")
        return True
    try:
        account = accounts.account(host.name)
        if not account.key:
            raise InputError(f"no {account.host.key_variable} is set")
        with closing(connect(account)) as provider:
            listed = {*provider.models()}
    except BatchError as error:
        print(f"{host.name}: cannot be asked: {error}")
        return False
    for line in compared(account.host, listed):
        print(f"{host.name}: {line}")
    return True


def compared(host: Host, listed: set[str]) -> Iterator[str]:
    """What a host's own list of models says against the catalog."""
    rows, today = [model for model in catalog.models() if model.provider == host.name], date.today()
    yield f"its list has {len(listed):,} models for this key"
    if host.deployments:
        yield "its list is of models, not of your deployments, so nothing is compared"
        return
    missing = [model.alias for model in rows if model.id not in listed and not catalog.is_retired(model, today)]
    back = [model.alias for model in rows if model.id in listed and catalog.is_retired(model, today)]
    known = {model.id for model in rows}
    new = sorted(one for one in listed if one not in known and not ((found := catalog.find_id(one, [host.name])) and found.id in known))
    if rows and not missing:
        yield "all models of the catalog that are alive are in it"
    for said, ids in (("in the catalog as alive, not in its list", missing), ("retired by the catalog, but in its list", back)):
        yield from [f"{said}: {_some(ids)}"] * bool(ids)
    yield from [f"not in the catalog, so without a price here: {_some(new)}"] * bool(new)


def _some(ids: Iterable[str]) -> str:
    ids = [one_line(one, 80) for one in ids]
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else "")

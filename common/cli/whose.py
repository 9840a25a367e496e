"""Which script a model belongs to, as the catalog and the scripts' groups say; a model of another script's host is not sent here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from common import catalog
from common.cli.exits import again
from common.cli.scripts import SCRIPTS, Script
from common.cli.where import elsewhere, hosts_looked_at, living, without
from common.errors import InputError
from common.providers.account import Account
from common.settings import is_loopback
from common.text import one_line


def script_for(name: str) -> Script | None:
    """The script that asks a model by that alias or id; None for one that the catalog does not know."""
    found = [(script, alias) for script in SCRIPTS.values() for host in hosts_looked_at(script) if (alias := _alias(host, name))]
    # two scripts share a host: the one whose group has it, else whose family it is of by its name
    likely = max(found, key=lambda one: (one[1] in one[0].group, one[1].startswith(one[0].folder)), default=None)
    return likely and likely[0]


def check_models(names: Sequence[str], script: Script, account: Account, arguments: Sequence[str]) -> None:
    """Refuse models that are another script's, naming the command that asks them. Raises InputError.

    At an address that is not the host's own, any id may be right: a gateway may have them all.
    """
    if _is_elsewhere(account) or account.host.own:
        return
    unknown = [name for name in names if not _alias(account.host.name, name)]
    wrong = [(name, other) for name in unknown if (other := script_for(name)) and other.host != script.host]
    if not wrong:
        _check_sold(unknown, script, account, arguments)
        return
    name, other = wrong[0]
    theirs = [name for name, owner in wrong if owner is other]
    instead = again(f"python {other.name}", [*without(arguments, "--model"), "--model", *theirs])
    here, there = (catalog.hosts()[one.host].title for one in (script, other))
    raise InputError(f"{one_line(name, 60)} is a model of {there}, not of {here}; nothing was sent. Type: {instead}")


def _check_sold(unknown: Sequence[str], script: Script, account: Account, arguments: Sequence[str]) -> None:
    """Refuse models that other hosts are known to have and this one is not, naming those."""
    asked = [name for name in unknown if not account.host.deployments and living(script, [name])]
    if asked and account.host.name not in living(script, asked):
        there = elsewhere(script, script.name, asked, arguments)
        raise InputError(f"{account.host.title} is not known to have {' or '.join(asked)}; {there}")


def _alias(host: str, name: str) -> str:
    """The alias of the model that a name means at a host, snapshots included; "" for one that is unknown there."""
    model = catalog.find(name, host) or catalog.find_id(name, [host])
    return model.alias if model else ""


def _is_elsewhere(account: Account) -> bool:
    address = account.address
    return not (account.host.local or is_loopback(address)) and urlsplit(address).hostname != urlsplit(account.host.base_url).hostname


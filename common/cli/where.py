"""At which host a command of a script is at home: --host, an address or a key in the environment, or the run that it names."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from common import catalog
from common.cli.exits import again
from common.cli.folder import journal_if_any
from common.cli.scripts import Script
from common.errors import InputError
from common.nouns import Host, Run
from common.providers import account as accounts
from common.text import one_line


def host_for(script: Script, args: argparse.Namespace) -> str:
    """The host that a command means: --host; where the script's own is closed, the only one whose key is set; else its own.

    Raises InputError for a name that is none, and where several keys are set.
    """
    if args.host:
        return _named(script, args.host)
    own = catalog.hosts()[script.host]
    if args.local or not _moves(script) or accounts.is_set(own, address=True):
        return script.host
    keys = {name: host.key_variable for name, host in living(script, script.group).items() if accounts.is_set(host)}
    if len(keys) > 1:
        which = " or ".join(f"--host {name}" for name in keys)
        raise InputError(f"keys of several hosts are set ({', '.join(keys.values())}): say which one answers, {which}")
    return next(iter(keys), script.host)


def _named(script: Script, name: str) -> str:
    shape = catalog.hosts()[script.host].api
    known = [host.name for host in catalog.hosts().values() if host.api == shape and not host.like]
    if name not in known:
        raise InputError(f"unknown host {one_line(name, 60)!r} for {script.name}: one of {', '.join(known)}; make hosts tells of each")
    return name


def host_in_study(script: Script, args: argparse.Namespace) -> str:
    """The same for a study, whose --host is for the models that have several: those of scripts whose own host is closed."""
    return host_for(script, args) if _moves(script) else script.host


def check_study(scripts: Iterable[Script], args: argparse.Namespace) -> None:
    """Raises InputError where a study names a host for none of its models."""
    if args.host and not any(map(_moves, scripts)):
        raise InputError("--host is for DeepSeek and Llama models, and none of them is asked; leave it out")


def _moves(script: Script) -> bool:
    return bool(catalog.hosts()[script.host].closed_on)


def host_of(run: Run, script: Script) -> str:
    """The host that a run lives at: its own, or the script's where that address is what its variables name today."""
    row = catalog.hosts().get(run.host)
    if row is None or row.like or (not run.local and accounts.account(script.host).identity == run.address):
        return script.host
    return run.host


def host_of_named(script: Script, args: argparse.Namespace, name: str, results: Path) -> str:
    """The host of the run or batch that a command names; that of the command where there is none. Raises InputError."""
    if not args.host:
        with journal_if_any(results) as journal:
            run = journal and (journal.run(f"{script.folder}/{name}") or (journal.owner(name) or [None])[0])
            if run:
                return host_of(run, script)
    return host_for(script, args)


# ---- which there are


def living(script: Script, names: Sequence[str]) -> dict[str, Host]:
    """The open hosts of a script's shape that have one of these models alive, those with most of them first."""
    shape, count = catalog.hosts()[script.host].api, {}
    for host in catalog.hosts().values():
        if host.api == shape and not (host.closed_on or host.like):
            count[host.name] = sum(1 for name in names if _has(host.name, name))
    return {name: catalog.hosts()[name] for name in sorted(count, key=lambda name: -count[name]) if count[name]}


def _has(host: str, name: str) -> bool:
    model = catalog.find(name, host)
    return model is not None and not catalog.is_retired(model, date.today())


def hosts_looked_at(script: Script) -> list[str]:
    """The hosts that a script's models are looked for at: its own, what stands in for it, and those that have models of its group."""
    likes = [host.name for host in catalog.hosts().values() if host.like == script.host]
    return list(dict.fromkeys([script.host, *likes, *living(script, script.group)]))


def elsewhere(script: Script, typed: str, names: Sequence[str], arguments: Sequence[str]) -> str:
    """Which hosts have the models that are asked for, and what to type to ask one of them; "" where none is known."""
    found = living(script, names) or living(script, script.group)
    if not found:
        return ""
    first, host = next(iter(found.items()))
    told = ", ".join(f"{one.title} (--host {name})" for name, one in found.items())
    command = again(f"python {typed}", [*without(arguments, "--host"), "--host", first])
    return f"hosts that have {' or '.join(names)}: {told}. With a key in {host.key_variable}: {command}"


def without(arguments: Sequence[str], option: str) -> Iterator[str]:
    """A command's arguments without an option and its values."""
    skipping = False
    for argument in arguments:
        if argument.startswith("--"):
            skipping = argument == option or argument.startswith(f"{option}=")
        if not skipping:
            yield argument

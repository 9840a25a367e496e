"""make adopt: what was found in the run folders and at the hosts, told line by line, and what to type next."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager

from common import catalog
from common.cli.exits import OK, UNFINISHED
from common.cli.folder import results_folder
from common.cli.named import way_to
from common.cli.scripts import script_of
from common.cli.text import Voice
from common.cli.where import host_of
from common.errors import InputError
from common.maintenance.adopt import FoundRun, adopt
from common.maintenance.rebuild import folders
from common.nouns import Run
from common.providers import account as accounts
from common.providers import local, standard
from common.providers.account import Account
from common.runs.journal import Journal

HOST = "openai"  # of a folder that is no script's


def command(args: argparse.Namespace) -> int:
    """Rebuild the journal of the results folder; returns the exit code. Raises InputError where there is no run folder."""
    results, voice = results_folder(), Voice(as_json=False)
    if not folders(results):
        raise InputError(f"{results}: no run folder, so nothing to adopt; make demo makes some")
    with closing(Journal(results)) as journal:
        found = []
        for one in adopt(journal, lambda folder: script_of(folder, HOST).host, lambda run: _account(run, journal)):
            voice.say(*_lines(one))
            found.append(one)
    new, batches = sum(one.is_new for one in found), sum(len(one.adopted) for one in found)
    bad = sum(bool(one.notes) for one in found)
    voice.say(f"{len(found)} run folders: {new} rebuilt, {batches} batches found again, {bad} with something open; nothing was sent")
    return UNFINISHED if bad else OK


@contextmanager
def _account(run: Run, journal: Journal) -> Iterator[Account]:
    """The account that has a run's batches. Raises InputError where the environment describes another, or no key."""
    script = script_of(run.provider, run.host)
    if run.local:
        with local.account(host_of(run, script), journal.results) as account:
            yield account
        return
    own = catalog.hosts()[run.host].own
    account = accounts.account(host_of(run, script), run.address if own else None)
    if account.identity != run.address:
        raise InputError(f"it was made for {run.address}; set {account.host.url_variable} to that, then make adopt again")
    accounts.check_key(account, script.name)
    if run.way:
        with standard.served(account, journal.results, standard.SLOTS) as account:
            yield account
        return
    yield account


def _lines(found: FoundRun) -> Iterator[str]:
    name = f"{found.folder.parent.name}/{found.folder.name}"
    if found.run is None:
        yield f"{name}: could not be rebuilt"
    else:
        states = ", ".join(f"{n} {state}" for state, n in sorted(found.states.items()))
        how = "rebuilt" if found.is_new else "known" if not found.adopted else "brought up to date"
        yield f"{name}: {how}, {found.run.planned:,} requests; batches: {states}"
        if found.adopted:
            yield f"  found again: {', '.join(found.adopted[:5])}" + (f" and {len(found.adopted) - 5} more" if found.adopted[5:] else "")
    yield from (f"  open: {note}" for note in found.notes)
    if found.run is not None and (found.adopted or found.is_new):
        script = script_of(found.run.provider, found.run.host).name
        where = "".join(f" {word}" for word in way_to(found.run))
        yield f"  next: python {script} --status {shlex.quote(found.run.name)}{where} collects; the run's own command goes on"

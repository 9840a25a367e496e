"""make disk: what takes how much room here and at the providers, what is free, and what could go by which command."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from common.cli.exits import OK, tried
from common.cli.folder import looked_at, results_folder
from common.cli.scripts import TOOLS, Tool
from common.cli.text import Voice, table
from common.maintenance.usage import KINDS, hints, usage, usage_rows
from common.providers import account as accounts
from common.providers import connect
from common.retry import patiently
from common.runs.journal import Journal
from common.text import one_line, size

PATIENCE = 15.0  # seconds


def command(args: argparse.Namespace) -> int:
    """Show it; returns the exit code. Writes and deletes nothing."""
    results, voice = results_folder(args.results), Voice(args.json)
    with looked_at(results) as journal:
        found = usage(results, journal)
        could_go = hints(results, journal, found)
        remote = {} if args.offline else {name: at for name, tool in TOOLS.items() if (at := _remote(tool, journal))}
    free = shutil.disk_usage(results).free
    if args.json:
        voice.json({"folder": str(results), "total": found.total, "free": free, "runs": found.runs, "rest": found.rest,
                    "could_go": [hint._asdict() for hint in could_go], "at_the_providers": remote})  # fmt: skip
        return OK
    if found.runs:
        voice.say(table(("run", *KINDS, "sum"), usage_rows(found)), "")
    voice.say(*(f"{name}: {size(count)}" for name, count in found.rest.most_common()))
    voice.say(f"in all: {size(found.total)} in {results}; {size(free)} free on its disk")
    voice.say(*(f"could go: {one_line(hint.what)}: {size(hint.bytes)}: {hint.type}" for hint in could_go))
    for name, at in remote.items():
        voice.say(*_told(name, at))
    return OK


def _remote(tool: Tool, journal: Journal) -> dict:
    """What an account holds, with a few list calls; {} where the environment has no key, {"error": …} where it cannot be had."""
    found: dict = {}
    ask = partial(patiently, seconds=PATIENCE, start=1.0, sleep=time.sleep)

    def look() -> int:
        account = accounts.account(tool.host)
        if account.key and not account.host.closed_on:
            with closing(connect(account)) as provider:
                batches = ask(lambda: list(provider.listing()))
                found.update(title=account.host.title, batches=len(batches), made_here=sum(journal.is_known(b.id) for b in batches))
                if stored := ask(provider.stored):
                    found.update(files=stored[0], bytes=stored[1])
        return OK

    _, said = tried(look, "make disk")
    return {"error": one_line(said, 200)} if said else found


def _told(name: str, at: dict) -> Iterator[str]:
    if "error" in at:
        yield f"at {name}: cannot be seen: {at['error']}"
        return
    files = f"; {at['files']:,} files, {size(at['bytes'])}" if "files" in at else ""
    yield f"at {at['title']}: {at['batches']:,} batches, {at['made_here']:,} of them made here{files}"
    if at["made_here"]:
        yield f"  what is collected can be saved and deleted there: make clean-batches PROVIDER={name}"



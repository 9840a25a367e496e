"""make tidy: what KEEP_RAW_DAYS and KEEP_REMOTE_DAYS let go: old raw files are packed, old batches at the providers saved and deleted."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from common import settings
from common.cli.clean import clean_up
from common.cli.exits import OK, UNFINISHED, fail, tried
from common.cli.folder import journal_of, results_folder
from common.cli.scripts import TOOLS, Tool, script_of
from common.cli.session import opened
from common.cli.text import Voice
from common.cli.where import host_of
from common.maintenance.packing import DAY, loose, pack_run, raw_files_before
from common.nouns import Run
from common.providers import account as accounts
from common.runs.journal import Journal
from common.text import size

RAW, REMOTE = "KEEP_RAW_DAYS", "KEEP_REMOTE_DAYS"


def command(args: argparse.Namespace) -> int:
    """Show what would be done, or with --yes do it; returns the exit code: 1 where something was left because it failed."""
    results, voice, now = results_folder(args.results), Voice(as_json=False), time.time()
    raw, remote = settings.keep_days(RAW), settings.keep_days(REMOTE)
    if raw is None and remote is None:
        voice.say(f"nothing is tidied: neither {RAW} nor {REMOTE} is set in .env")
        return OK
    codes = []
    with journal_of(results) as journal:
        if raw is not None:
            codes += [_raw(journal, run, now - raw * DAY, args.yes, voice) for run in journal.runs()]
        # one client for each host whose key is here; the others' batches wait for theirs
        places = dict.fromkeys(_places(journal, now - remote * DAY)) if remote is not None else ()
    codes += [_remote(tool, host, args, now - remote * DAY, voice) for tool, host in places]
    if not args.yes:
        voice.say("nothing was changed; make tidy YES=1 does it")
    return max(codes, default=OK)


def _raw(journal: Journal, run: Run, before: float, yes: bool, voice: Voice) -> int:
    """A run's old raw files."""
    raws = raw_files_before(journal, run, before)
    todo = loose(raws)
    if not yes:
        if todo:
            taken = size(sum(raw.path.stat().st_size for raw in todo))
            voice.say(f"{run.key}: would pack {len(todo):,} raw files, {taken}, into about a quarter; every command reads them as before")
        return OK
    if not raws:
        return OK

    def work() -> int:
        freed, failed = [], []
        for raw, said in pack_run(journal, run, before):
            (failed if isinstance(said, str) else freed).append((raw, said))
        if todo:
            voice.say(f"{run.key}: {len(todo) - len(failed):,} raw files packed, {size(sum(count for _, count in freed))} freed")
        return max((fail(f"{raw.path}: left as it is: {said}", UNFINISHED) for raw, said in failed), default=OK)

    code, said = tried(work, "make tidy YES=1")
    return fail(f"{run.key}: {said}", code) if said else code


def _places(journal: Journal, before: float) -> Iterator[tuple[Tool, str]]:
    """The hosts that may still have batches of runs here that are old enough, each with its clean-up."""
    for tool in TOOLS.values():
        for run in (run for folder in tool.runs for run in journal.runs(folder) if not run.imported and not run.local):
            if any(0 < shard.collected_at < before and not shard.taken_from for shard in journal.shards(run, "collected")):
                yield tool, host_of(run, script_of(run.provider, run.host))


def _remote(tool: Tool, host: str, args: argparse.Namespace, before: float, voice: Voice) -> int:
    """A provider's batches that were collected before a time."""

    def work() -> int:
        account = accounts.account(host)
        if not account.key:
            voice.say(f"{host}: not looked at, since {account.host.key_variable} is not set")
            return OK
        given = argparse.Namespace(
            local=False, results=args.results, json=False, patience=60.0, batch_id=None, limit=None, everything_in_account=False,
            cancel_running=False, dry_run=not args.yes, yes=True,
        )  # fmt: skip
        with opened(tool.cleanup, host, given) as session:
            return clean_up(session, tool, lambda item: item.shard is not None and 0 < item.shard.collected_at < before)

    code, said = tried(work, "make tidy YES=1")
    return fail(f"{host}: {said}", code) if said else code

"""What all commands of a script share: the account, the journal, how a run is found and driven, and how things are said."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from common import settings
from common.cli.options import Script
from common.cli.text import table
from common.errors import InputError
from common.nouns import Run, Shard
from common.providers import account as accounts
from common.providers import connect, local
from common.providers.base import Provider
from common.results.tally import uncollected
from common.runs.choose import models_of
from common.runs.desk import Options
from common.runs.journal import Journal
from common.runs.lifecycle import Lifecycle
from common.runs.overview import write_rows, write_summary


def again(script: Script, arguments: Sequence[str]) -> str:
    """The command that goes on where this one stopped."""
    return shlex.join(["python", script.name, *(a for a in arguments if a != "--no-wait")])


@dataclass
class Session:
    """One command of one script, with its account and journal open."""

    script: Script
    args: argparse.Namespace
    arguments: Sequence[str]
    results: Path
    account: accounts.Account
    provider: Provider
    journal: Journal

    # ---- account and money

    def check_key(self) -> None:
        """Refuse a missing key; warn of one that looks like another provider's."""
        if warning := accounts.check_key(self.account, self.script.name):
            self.say(f"warning: {warning}")

    def cap(self) -> float:
        """The spending cap in USD; none on the local service, where nothing is paid."""
        return float("inf") if self.account.host.local else settings.max_cost(self.args.max_cost)

    def own_account(self, run: Run) -> None:
        """Make sure that a run's batches are this account's. Raises InputError."""
        if run.address != self.account.identity:
            here = self.account.host
            hint = "add --local" if run.address == "local" else f"it was made for {run.address}; see {here.url_variable}"
            raise InputError(f"run {run.name} lives elsewhere: {hint}")
        self.check_key()
        if run.account and run.account != self.account.key_digest(self.journal.salt):
            raise InputError(f"run {run.name} was submitted with another key; its batches are that account's. Use that key, or --run NAME")

    # ---- runs

    def find(self, name: str) -> tuple[Run, list[Shard]] | None:
        """The run that a name means, or a batch id's run with that batch's shard only."""
        folder = self.script.folder
        if (run := self.journal.run(f"{folder}/{name}")) is not None:
            return run, self.journal.shards(run)
        if (found := self.journal.owner(name)) is not None and found[0].provider == folder:
            return found[0], [found[1]]
        return None

    def known_run(self, name: str) -> Run:
        """The run of a name. Raises InputError with those that exist."""
        if (run := self.journal.run(f"{self.script.folder}/{name}")) is None:
            known = ", ".join(r.name for r in self.journal.runs(self.script.folder)[-5:]) or "none yet"
            raise InputError(f"no run {name!r}; runs of {self.script.folder}: {known}")
        return run

    def lifecycle(self, run: Run) -> Lifecycle:
        """What drives a run, as the options say; `listen` to it.

        The caller holds the run's lock; what it read before that may be old, so it is read again.
        """
        run = self.journal.run(run.key)
        args, here = self.args, settings.is_loopback(self.account.base_url)
        options = Options(
            parallel=args.parallel,
            poll=args.poll or (0.2 if here else 15.0),
            retries=args.retries,
            grace=args.grace or (2.0 if self.account.host.local else 60.0),
            patience=args.patience,
            skip_invalid=args.skip_invalid,
            max_cost=self.cap(),
        )
        models = {m.alias: m for m in models_of(run)}
        account = self.account.key_digest(self.journal.salt)
        return Lifecycle(run, self.provider, self.journal, models, options, account=account)

    def derive(self, run: Run) -> dict:
        """Make table, texts and summary anew from what has been collected; returns the summary."""
        run, shards = self.journal.run(run.key), self.journal.shards(run)
        if any(shard.state in ("collected", "refused") for shard in shards):
            found = write_rows(run, shards, self.provider.decode, self.args.texts)
        else:
            found = uncollected(run, shards)
        return write_summary(run, shards, found, self.journal.last_event(run, "collected") or time.time())

    # ---- saying

    def say(self, *lines: str) -> None:
        """Lines for people; they make way for the one object of --json."""
        for line in lines:
            print(line, file=sys.stderr if self.args.json else sys.stdout, flush=True)

    def json(self, found: dict) -> None:
        """The one object of --json."""
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())

    def again(self) -> str:
        """The command that goes on where this one stopped."""
        return again(self.script, self.arguments)

    def command(self, *what: str) -> str:
        """Another command on the same results and service."""
        where = ["--local"] * self.args.local + (["--results", self.args.results] if self.args.results else [])
        return again(self.script, [*what, *where])

    def print_table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table on stdout."""
        print(table(header, rows))


@contextmanager
def opened(script: Script, args: argparse.Namespace, arguments: Sequence[str]) -> Iterator[Session]:
    """A session for the length of a command: the local service or the environment's account, and the journal."""
    folder = settings.results_folder(args.results)
    with (
        _account(script, args, folder) as account,
        closing(connect(account)) as provider,
        closing(Journal(folder)) as journal,
    ):
        yield Session(script, args, arguments, folder, account, provider, journal)


@contextmanager
def _account(script: Script, args: argparse.Namespace, folder: Path) -> Iterator[accounts.Account]:
    if args.local:
        with local.account(script.host, folder, args.speed or local.SPEED) as account:
            yield account
    else:
        yield accounts.account(script.host)

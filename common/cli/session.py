"""What the commands share: the results folder, the account, the journal, and how a run is found and driven."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from common import catalog, settings
from common.cli.announce import Teller
from common.cli.exits import again
from common.cli.folder import journal_if_any, results_folder
from common.cli.scripts import Script
from common.cli.text import Voice
from common.errors import Broke, InputError, Refused
from common.nouns import Model, Run, Shard
from common.providers import account as accounts
from common.providers import connect, local, standard
from common.providers.base import Provider
from common.reports.notify import Post
from common.reports.runlog import RunLog
from common.results.formats import MOST_TEXTS
from common.retry import Clock
from common.runs.choose import models_of
from common.runs.derive import derive
from common.runs.desk import Desk, Options
from common.runs.journal import Journal
from common.runs.lock import check_own
from common.runs.overview import started
from common.runs.queue import Queues, queues
from common.runs.spending import Caps

LOOKS = 2  # how many of a run's newest batches a new key is tried on


@dataclass
class Session(Voice):
    """One command with its account open, and the journal: None where there is none and the command does not make one."""

    typed: str  # the file as a person types it
    args: argparse.Namespace
    results: Path
    account: accounts.Account
    provider: Provider
    journal: Journal | None

    def check_key(self) -> None:
        """Refuse a missing key; warn of one that looks like another provider's. Raises InputError."""
        if warning := accounts.check_key(self.account, self.typed):
            self.warn(warning)


@contextmanager
def opened(typed: str, host: str, args: argparse.Namespace, makes_journal: bool = False, calls: bool = True) -> Iterator[Session]:
    """A session for the length of a command: the local service or the environment's account, and the journal.

    Without `calls` nobody is spoken to, and no local service started.
    """
    folder = results_folder(args.results)
    with (
        _account(typed, host, args, folder, calls) as account,
        closing(Journal(folder)) if makes_journal else journal_if_any(folder) as journal,
        closing(connect(account, journal and (lambda: account.rates(folder, journal.salt)))) as provider,
    ):
        yield Session(args.json, typed, args, folder, account, provider, journal)


@contextmanager
def _account(typed: str, host: str, args: argparse.Namespace, folder: Path, calls: bool) -> Iterator[accounts.Account]:
    is_live = getattr(args, "live", False)
    if args.local:
        way = "own" if catalog.hosts()[host].own else "standard" * is_live
        speed = getattr(args, "speed", None) or local.SPEED
        with local.account(host, folder, speed) if calls else nullcontext(local.planning_account(host)) as account:
            yield replace(account, way=way)
        return
    account = accounts.account(host, getattr(args, "base_url", None), getattr(args, "tier", None) or "")
    if not (is_live or account.host.own):
        yield account
    elif not calls:
        yield standard.planned(account)
    else:
        accounts.check_key(account, typed)
        with standard.served(account, folder, getattr(args, "slots", None) or standard.SLOTS) as account:
            yield account


@dataclass
class ScriptSession(Session):
    """A session of one of the scripts, which knows runs."""

    script: Script
    arguments: Sequence[str]
    clock: Clock = field(default_factory=Clock)
    posts: list[Post] = field(default_factory=list)  # messages on their way
    logs: dict[str, RunLog] = field(default_factory=dict)  # by run

    def caps(self) -> Caps:
        """The spending caps. On the local service, where nothing is paid, they hold if --max-cost is typed; else there are none."""
        typed = self.args.max_cost
        return Caps() if self.account.host.local and typed is None else Caps(settings.max_cost(typed), settings.monthly_cap())

    def own_account(self, run: Run, is_locked: bool = False) -> None:
        """Make sure that a run's batches are this account's; a new key of the same account takes it over.

        `is_locked`: the caller holds the run's lock. Raises InputError.
        """
        check_own(run)
        if run.address != self.account.identity:
            here = self.account.host
            made = f"it was made for {run.address}; see {here.url_variable}, or --host {run.host}"
            hint = "add --local" if run.local else made
            raise InputError(f"run {run.name} lives elsewhere: {hint}")
        if bool(run.way) != bool(self.account.way):
            hint = "add --live" if run.way else "leave out --live"
            raise InputError(f"run {run.name} is sent {'row by row, by standard processing' if run.way else 'in batches'}: {hint}")
        self.check_key()
        digest = self.account.key_digest(self.journal.salt)
        if not run.account or run.account == digest:
            return
        if not self._retrieves(run):
            raise InputError(f"run {run.name} was submitted with another key; its batches are that account's. Use that key, or --run NAME")
        # while another process is at work on the run we only look, and leave the binding to it
        with suppress(InputError), nullcontext() if is_locked else self.journal.lock(run):
            self.journal.save_run(replace(self.journal.run(run.key), account=digest), "rebound")
        self.say(f"run {run.name}: this key is new, but retrieves the run's batches; the run is now this key's")

    def _retrieves(self, run: Run) -> bool:
        """Whether the key at hand is of the account that has the run's batches: the host gives it one of them."""
        mine = [shard.batch_id for shard in self.journal.shards(run) if shard.batch_id and not shard.taken_from]
        for batch_id in mine[:1] + mine[1:][-LOOKS:]:  # the oldest, and the newest, which a host is the last to forget
            try:
                if any(batch.id == batch_id for batch in self.provider.status([batch_id])):
                    return True
            except Refused as error:
                if error.status in (401, 402) or isinstance(error, Broke):
                    raise
        return False

    # ---- runs

    def runs(self) -> list[Run]:
        """The script's runs, oldest first."""
        return self.journal.runs(self.script.folder) if self.journal else []

    def owner(self, batch_id: str) -> tuple[Run, Shard] | None:
        """The run and shard whose batch this is now."""
        return self.journal.owner(batch_id) if self.journal else None

    def find(self, name: str) -> tuple[Run, list[Shard]] | None:
        """The run that a name means, or a batch id's run with that batch's shard only."""
        if run := self._run(name):
            return run, self.journal.shards(run)
        if (found := self.owner(name)) and found[0].provider == self.script.folder:
            return found[0], [found[1]]
        return None

    def known_run(self, name: str) -> Run:
        """The run of a name. Raises InputError with those that exist."""
        if run := self._run(name):
            return run
        known = ", ".join(r.name for r in self.runs()[-5:]) or "none yet"
        raise InputError(f"no run {name!r}; runs of {self.script.folder}: {known}")

    def _run(self, name: str) -> Run | None:
        return self.journal.run(f"{self.script.folder}/{name}") if self.journal else None

    def desk(self, run: Run, fresh: bool = False, as_of: int | None = None) -> Desk:
        """A run at work, as the options say. `fresh` and `as_of`: see `Desk`.

        The caller holds the run's lock; what it read before that may be old, so it is read again.
        """
        run = self.journal.run(run.key)
        args, here = self.args, settings.is_loopback(self.account.base_url)
        options = Options(
            parallel=args.parallel,
            poll=args.poll or (0.2 if here else 15.0),
            retries=args.retries,
            grace=args.grace or (2.0 if self.account.host.local or self.account.behind else 60.0),
            patience=args.patience,
            skip_invalid=args.skip_invalid,
            caps=self.caps(),
        )
        models = {m.alias: m for m in models_of(run)}
        account = self.account.key_digest(self.journal.salt)
        desk = Desk(
            run, self.provider, self.journal, models, options,
            account=account, clock=self.clock, queues=self.queues(models.values(), run.key), fresh=fresh, as_of=as_of,
        )  # fmt: skip
        desk.listeners += [self.log(run), Teller(self.journal, desk, self.posts)]
        return desk

    def log(self, run: Run) -> RunLog:
        """The log of a run, whose lock the caller holds."""
        return self.logs.setdefault(run.key, RunLog(run))

    def queues(self, models: Iterable[Model], run: str = "") -> Queues:
        """What the account may have in its host's queues. Raises InputError for a limit or a tier that cannot be."""
        account, tier = self.account.key_digest(self.journal.salt), getattr(self.args, "tier", None) or ""
        if self.account.way:  # what is asked row by row waits in no queue of the host's
            return Queues(self.journal, account, run, clock=self.clock)
        return queues(self.journal, account, self.account.host, models, tier, run, self.clock)

    def derive(self, run: Run) -> dict:
        """Make table, texts and summary anew from what has been collected; returns the summary."""
        texts = self.wants_texts(run)
        if not texts and self.args.texts is None:
            self.say(f"no text files, since more than {MOST_TEXTS:,} requests are planned; --texts makes them")
        return derive(self.journal, run.key, self.provider.decode, texts)

    def wants_texts(self, run: Run) -> bool:
        """Whether a run has text files: as the option says; without it where they are few, or were asked for before."""
        return self.args.texts if self.args.texts is not None else run.planned <= MOST_TEXTS or (run.folder / "texts").is_dir()

    def lacks_files(self, run: Run) -> bool:
        """Whether a file or folder that `derive` makes of answers is not there."""
        return not (run.folder / "results.csv").exists() or (self.wants_texts(run) and not (run.folder / "texts").is_dir())

    # ---- what to type next

    def again(self) -> str:
        """The command that goes on where this one stopped."""
        return again(f"python {self.typed}", self.arguments)

    def command(self, *what: str) -> str:
        """Another command on the same results and service."""
        where = ["--local"] * self.args.local + _where(self.args) + (["--results", self.args.results] if self.args.results else [])
        return again(f"python {self.typed}", [*what, *where])


def _where(args: argparse.Namespace) -> list[str]:
    """The options that say how and where a command's runs are sent, where they are not the usual ones."""
    named = [(f"--{name.replace('_', '-')}", getattr(args, name, None)) for name in ("host", "base_url")]
    return ["--live"] * getattr(args, "live", False) + [word for option, value in named if value for word in (option, value)]


def forgetting(session: ScriptSession, runs: Sequence[Run]) -> Iterator[str]:
    """What plans leave in the results folder, and how to be rid of it; nothing of runs that have begun."""
    if plans := [run.key for run in runs if not started(session.journal, run)]:
        names = plans[0] if len(plans) == 1 else repr(" ".join(plans))
        where = f"RESULTS_DIR={shlex.quote(session.args.results)} " if session.args.results else ""
        yield f"kept for when it is sent: the folder and the journal's lines; to be rid of them: {where}make forget RUN={names} YES=1"

"""The command line of the three batch_cleanup.py tools: arguments, the question, messages, exit codes."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from common import settings
from common.cli.exits import OK, UNFINISHED, guarded
from common.cli.options import count, seconds
from common.cli.text import table
from common.errors import InputError
from common.maintenance import cleanup
from common.maintenance.cleanup import CANCEL, CLEAN, DONE, FAILED, HELD, LEFT, RUNNING, UNCOLLECTED, Cleanup, Item, Outcome, Survey
from common.providers import account as accounts
from common.providers import connect, local
from common.providers.base import Provider
from common.runs.choose import check_open
from common.runs.journal import Journal
from common.text import duration, one_line, size

SCRIPTS = {
    "openai": "openai_example.py",
    "claude": "claude_example.py",
    "deepseek": "deepseek_batch_example.py",
    "llama": "llama_batch_example.py",
}
FOREIGN = "(not made here)"
WAIT = 900.0  # seconds; OpenAI names ten minutes for a cancellation


@dataclass(frozen=True)
class Tool:
    """What an entry script declares: its name under tools/ and in results/backups/, its host, the runs' folders."""

    name: str
    host: str
    folders: tuple[str, ...]

    @property
    def path(self) -> str:
        """As a person types it."""
        return f"tools/{self.name}/batch_cleanup.py"


def parser(tool: Tool) -> argparse.ArgumentParser:
    """All options of a tool."""
    p = argparse.ArgumentParser(
        prog=f"python {tool.path}",
        description="Save, verify and then delete ended batches at the provider. Nothing that is not safely on disk is deleted.",
        epilog="Exit codes: 0 done; 1 something was left because it failed; 2 your input; 3 the provider refused (key); 130 interrupted.",
        allow_abbrev=False,
    )
    which = p.add_mutually_exclusive_group(required=True)
    which.add_argument("--batch-id", metavar="ID", help="this batch")
    which.add_argument("--all", action="store_true", help="every ended batch that this results folder's journal knows")
    p.add_argument("--everything-in-account", action="store_true", help="with --all: also batches that were not made here")
    p.add_argument("--limit", type=count, metavar="N", help="with --all: only the N oldest that can be deleted")
    p.add_argument("--cancel-running", action="store_true", help="stop batches that still run, collect them, then delete them too")
    p.add_argument("--dry-run", action="store_true", help="show what would be deleted; save and delete nothing")
    p.add_argument("--yes", action="store_true", help="do not ask")
    p.add_argument("--local", action="store_true", help="on the local batch service; no key")
    p.add_argument("--results", metavar="DIR", help="where results are (RESULTS_DIR, else results/)")
    p.add_argument("--patience", type=seconds, default=60.0, metavar="S", help="how long a failing call is repeated (default 60)")
    p.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return p


def main(tool: Tool, argv: Sequence[str] | None = None) -> int:
    """Run a tool's command line; returns the exit code. No traceback leaves it unless DEBUG is set."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser(tool).parse_args(arguments)
    return guarded(
        lambda: _main(tool, args),
        shlex.join(["python", tool.path, *arguments]),
        "interrupted: what was deleted is in results/backups, the rest is still at the provider",
        "Nothing was deleted that is not in results/backups",
    )


def _main(tool: Tool, args: argparse.Namespace) -> int:
    settings.load_env()
    _check(tool, args)
    folder = settings.results_folder(args.results)
    with _account(tool, args, folder) as account, closing(connect(account)) as provider, _journal(folder) as journal:
        check_open(account)
        if warning := accounts.check_key(account, tool.path):
            print(f"warning: {warning}", file=sys.stderr)
        return _Command(tool, args, folder, account, provider, journal).go()


def _check(tool: Tool, args: argparse.Namespace) -> None:
    if args.batch_id is not None:
        cleanup.check_id(args.batch_id)
    if not args.all and (args.everything_in_account or args.limit):
        raise InputError("--everything-in-account and --limit belong to --all")
    if not (args.yes or args.dry_run or _is_asked()):
        raise InputError(f"nobody is there to ask: add --yes, or look first with python {tool.path} … --dry-run")


def _is_asked() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def _account(tool: Tool, args: argparse.Namespace, folder: Path) -> Iterator[accounts.Account]:
    with local.account(tool.host, folder) if args.local else nullcontext() as account:
        yield account or accounts.account(tool.host)


def _journal(folder: Path) -> closing | nullcontext:
    """The folder's journal; looking at an account does not make one where there is none."""
    return closing(Journal(folder)) if (folder / "journal.db").exists() else nullcontext()


class _Command:
    """One command with its account and journal open."""

    def __init__(
        self, tool: Tool, args: argparse.Namespace, folder: Path, account: accounts.Account,
        provider: Provider, journal: Journal | None,
    ) -> None:  # fmt: skip
        self.tool, self.args, self.folder, self.account = tool, args, folder, account
        here = settings.is_loopback(account.base_url)
        self.cleanup = Cleanup(
            provider, journal, folder / "backups" / tool.name, tool.folders,
            {"provider": tool.name, "host": account.host.name, "address": account.identity},
            patience=args.patience, poll=0.2 if here else 5.0, wait=WAIT,
        )  # fmt: skip

    def go(self) -> int:
        """Show, ask, do, report; returns the exit code."""
        args = self.args
        survey = self.cleanup.survey(args.batch_id, args.limit, args.everything_in_account, args.cancel_running)
        self._show(survey)
        todo = survey.doomed
        if args.dry_run or not todo or not (args.yes or self._agreed(len(todo))):
            self._say("nothing was deleted" if todo else "nothing to delete")
            return self._report(survey, [])
        outcomes = []
        for item in todo:
            outcomes.append(outcome := self.cleanup.clean(item, survey))
            self._say(self._line(outcome, item))
        return self._report(survey, outcomes)

    def _agreed(self, number: int) -> bool:
        print(f"Save, then delete {number} batches at {self.account.host.title}? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    # ---- telling

    def _show(self, survey: Survey) -> None:
        rows = [self._row(item) for item in survey.items if item.plan not in (CLEAN, cleanup.LATER)]
        if rows:
            self._say(table(("batch", "status", "age", "requests", "at the provider", "run", "what is to be done"), rows))
        for plan, said in ((CLEAN, "already clean"), (cleanup.LATER, f"beyond --limit {self.args.limit}: left for another time")):
            if number := sum(item.plan == plan for item in survey.items):
                self._say(f"{number} batches {said}")
        for item in survey.items:
            if item.plan == UNCOLLECTED:
                self._say(self._hint(item))
        if any(item.plan == RUNNING for item in survey.items):
            self._say("batches that still run are left alone; --cancel-running stops, collects and deletes them")
        if survey.foreign_left:
            known = "" if len(survey.items) else "this results folder's journal knows none of the account's batches; "
            self._say(f"{known}{survey.foreign_left} batches not made here are left alone; --everything-in-account takes them too")

    def _row(self, item: Item) -> tuple:
        batch = item.batch
        age = duration(max(0.0, time.time() - batch.created_at)) if batch.created_at else ""
        there = size(sum(h.size or 0 for h in item.holdings if not h.gone)) if item.holdings else ""
        run = item.run.name if item.run else FOREIGN
        return one_line(batch.id, 80), one_line(batch.status, 20), age, f"{batch.total:,}", there, run, item.plan

    def _hint(self, item: Item) -> str:
        script = SCRIPTS[item.run.provider] + (" --local" if self.account.host.local else "")
        wanted = item.shard.batch_id or item.run.name  # a batch whose creation went unanswered is only known by its run
        return f"batch {one_line(item.batch.id, 80)} is not collected yet: python {script} --status {shlex.quote(wanted)} collects it first"

    def _line(self, outcome: Outcome, item: Item) -> str:
        name = f"batch {one_line(outcome.batch_id, 80)}"
        if outcome.state == DONE:
            return f"{name}: {len(outcome.deleted)} deleted, saved in {outcome.backup}" + (f"; {outcome.note}" if outcome.note else "")
        if outcome.state == FAILED:
            done = f"{len(outcome.deleted)} of its files were saved and deleted, the rest" if outcome.deleted else "it"
            return f"{name}: FAILED, {done} was left alone: {outcome.note}"
        return self._hint(item) if outcome.note == UNCOLLECTED else f"{name}: left alone: {outcome.note}"

    def _report(self, survey: Survey, outcomes: list[Outcome]) -> int:
        tally = {state: sum(o.state == state for o in outcomes) for state in (DONE, LEFT, FAILED)}
        if outcomes:
            self._say(f"{tally[DONE]} batches cleaned, {tally[LEFT]} left, {tally[FAILED]} failed")
        if self.args.json:
            print(json.dumps(self._as_dict(survey, outcomes), ensure_ascii=False, indent=2))
        # a batch that was named and is neither deleted nor clean: the command was not done
        undone = self.args.batch_id and any(i.plan in (RUNNING, UNCOLLECTED, HELD) for i in survey.items)
        return UNFINISHED if tally[FAILED] or (undone and not self.args.dry_run) else OK

    def _as_dict(self, survey: Survey, outcomes: list[Outcome]) -> dict:
        done = {outcome.batch_id: outcome for outcome in outcomes}
        return {
            "dry_run": self.args.dry_run,
            "batches_in_account": survey.total,
            "not_made_here_left": survey.foreign_left,
            "batches": [self._batch(item, done.get(item.batch.id)) for item in survey.items],
        }

    @staticmethod
    def _batch(item: Item, outcome: Outcome | None) -> dict:
        return {
            "batch_id": item.batch.id,
            "status": item.batch.status,
            "created_at": item.batch.created_at,
            "requests": item.batch.total,
            "run": item.run.name if item.run else None,
            "plan": item.plan,
            "will_do": item.plan in (cleanup.DELETE, CANCEL),
            "outcome": outcome.state if outcome else None,
            "note": outcome.note if outcome else "",
            "deleted": list(outcome.deleted) if outcome else [],
            "backup": str(outcome.backup) if outcome and outcome.backup else None,
        }

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr if self.args.json else sys.stdout, flush=True)

"""Cleaning up batches at a provider from the command line: the question, the work, and what is told of it."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from common import settings
from common.cli.exits import OK, UNFINISHED
from common.cli.folder import results_folder
from common.cli.scripts import SCRIPTS, Tool, script_of
from common.cli.session import Session, opened
from common.cli.text import table
from common.cli.where import host_of_named
from common.errors import InputError
from common.maintenance import cleanup
from common.maintenance.cleanup import CANCEL, CLEAN, DONE, FAILED, HELD, LEFT, RUNNING, UNCOLLECTED, UNSEEN, Cleanup, Item, Outcome, Survey
from common.runs.choose import check_open
from common.text import duration, one_line, size

FOREIGN = "(not made here)"
WAIT = 900.0  # seconds; OpenAI names ten minutes for a cancellation


def command(tool: Tool, args: argparse.Namespace) -> int:
    """Do what a clean-up's command line says; returns the exit code."""
    _check(tool, args)
    script = next(script for script in SCRIPTS.values() if script.host == tool.host)
    with opened(tool.cleanup, host_of_named(script, args, args.batch_id or "", results_folder(args.results)), args) as session:
        return clean_up(session, tool)


def clean_up(session: Session, tool: Tool, chosen: Callable[[Item], bool] = lambda item: True) -> int:
    """Clean up those batches that are `chosen`; returns the exit code. Raises InputError, Refused."""
    check_open(session.account)
    session.check_key()
    return _clean(session, _cleanup(session, tool), chosen)


def _check(tool: Tool, args: argparse.Namespace) -> None:
    if args.batch_id is not None:
        cleanup.check_id(args.batch_id)
    if not args.all and (args.everything_in_account or args.limit):
        raise InputError("--everything-in-account and --limit belong to --all")
    if not (args.yes or args.dry_run or _is_asked()):
        raise InputError(f"nobody is there to ask: add --yes, or look first with python {tool.cleanup} … --dry-run")


def _is_asked() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _cleanup(session: Session, tool: Tool) -> Cleanup:
    account, here = session.account, settings.is_loopback(session.account.base_url)
    return Cleanup(
        session.provider, session.journal, session.results / "backups" / tool.folder, tool.runs,
        {"provider": tool.folder, "host": account.host.name, "address": account.identity},
        patience=session.args.patience, poll=0.2 if here else 5.0, wait=WAIT,
    )  # fmt: skip


def _clean(session: Session, work: Cleanup, chosen: Callable[[Item], bool]) -> int:
    """Show, ask, do, report; returns the exit code."""
    args, local = session.args, session.account.host.local
    survey = work.survey(args.batch_id, args.limit, args.everything_in_account, args.cancel_running)
    survey.items = [item for item in survey.items if chosen(item)]
    session.say(*_shown(survey, args.limit, local))
    todo = survey.doomed
    outcomes: list[Outcome] = []
    if args.dry_run or not todo or not (args.yes or _agreed(session, len(todo))):
        session.say("nothing was deleted" if todo else "nothing to delete")
    else:
        for item in todo:
            outcomes.append(outcome := work.clean(item, survey))
            session.say(_line(outcome, item, local))
        session.say(f"{_number(outcomes, DONE)} batches cleaned, {_number(outcomes, LEFT)} left, {_number(outcomes, FAILED)} failed")
    if args.json:
        session.json(_as_dict(args.dry_run, survey, outcomes))
    # a batch that was named and is neither deleted nor clean: the command was not done
    undone = args.batch_id and any(i.plan in (RUNNING, UNCOLLECTED, HELD) for i in survey.items)
    unseen = any(item.plan == UNSEEN for item in survey.items)
    return UNFINISHED if _number(outcomes, FAILED) or ((undone or unseen) and not args.dry_run) else OK


def _agreed(session: Session, number: int) -> bool:
    print(f"Save, then delete {number} batches at {session.account.host.title}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _number(outcomes: Iterable[Outcome], state: str) -> int:
    return sum(outcome.state == state for outcome in outcomes)


# ---- telling


def _shown(survey: Survey, limit: int | None, local: bool) -> Iterator[str]:
    """What is there and what is to be done with it, in lines."""
    rows = [_row(item) for item in survey.items if item.plan not in (CLEAN, cleanup.LATER)]
    if rows:
        yield table(("batch", "status", "age", "requests", "at the provider", "run", "what is to be done"), rows)
    for plan, said in ((CLEAN, "already clean"), (cleanup.LATER, f"beyond --limit {limit}: left for another time")):
        if number := sum(item.plan == plan for item in survey.items):
            yield f"{number} batches {said}"
    yield from (_hint(item, local) for item in survey.items if item.plan == UNCOLLECTED)
    if number := sum(item.plan == UNSEEN for item in survey.items):
        yield f"{number} batches are left alone: the host gives their files, but not whether they are there; delete them on its own pages"
    if any(item.plan == RUNNING for item in survey.items):
        yield "batches that still run are left alone; --cancel-running stops, collects and deletes them"
    if survey.foreign_left:
        known = "" if len(survey.items) else "this results folder's journal knows none of the account's batches; "
        yield f"{known}{survey.foreign_left} batches not made here are left alone; --everything-in-account takes them too"


def _row(item: Item) -> tuple:
    batch = item.batch
    age = duration(max(0.0, time.time() - batch.created_at)) if batch.created_at else ""
    there = size(sum(h.size or 0 for h in item.holdings if not h.gone)) if item.holdings else ""
    run = item.run.name if item.run else FOREIGN
    return one_line(batch.id, 80), one_line(batch.status, 20), age, f"{batch.total:,}", there, run, item.plan


def _hint(item: Item, local: bool) -> str:
    """How a batch that is not collected yet is collected."""
    script = script_of(item.run.provider, item.run.host).name + (" --local" if local else "")
    wanted = item.shard.batch_id or item.run.name  # a batch whose creation went unanswered is only known by its run
    return f"batch {one_line(item.batch.id, 80)} is not collected yet: python {script} --status {shlex.quote(wanted)} collects it first"


def _line(outcome: Outcome, item: Item, local: bool) -> str:
    name = f"batch {one_line(outcome.batch_id, 80)}"
    if outcome.state == DONE:
        return f"{name}: {len(outcome.deleted)} deleted, saved in {outcome.backup}" + (f"; {outcome.note}" if outcome.note else "")
    if outcome.state == FAILED:
        done = f"{len(outcome.deleted)} of its files were saved and deleted, the rest" if outcome.deleted else "it"
        return f"{name}: FAILED, {done} was left alone: {outcome.note}"
    return _hint(item, local) if outcome.note == UNCOLLECTED else f"{name}: left alone: {outcome.note}"


def _as_dict(dry_run: bool, survey: Survey, outcomes: Iterable[Outcome]) -> dict:
    done = {outcome.batch_id: outcome for outcome in outcomes}
    return {
        "dry_run": dry_run,
        "batches_in_account": survey.total,
        "not_made_here_left": survey.foreign_left,
        "batches": [_batch(item, done.get(item.batch.id)) for item in survey.items],
    }


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

"""make collect: one look at every open run of every provider; what has ended is collected, what was told to be sent is sent."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

from common.cli.announce import announce, announce_error
from common.cli.exits import OK, UNFINISHED, fail, tried
from common.cli.folder import journal_if_any, results_folder
from common.cli.progress import Progress
from common.cli.run import code_of
from common.cli.scripts import script_of
from common.cli.session import ScriptSession, opened
from common.cli.text import Voice, the_sum
from common.cli.where import host_of
from common.errors import InputError
from common.nouns import Run, State
from common.runs.desk import Options
from common.runs.journal import Journal, Overtaken
from common.runs.lifecycle import Lifecycle
from common.runs.lock import InWork
from common.runs.money import receipt_lines
from common.runs.overview import is_open, run_facts, started, waiting_facts
from common.runs.reuse import refresh

TYPED = "make collect"


def command(args: argparse.Namespace) -> int:
    """Look once at all open runs; returns the worst exit code of them. Says nothing where nothing is open.

    With --quiet also nothing of runs to which nothing has happened. Raises InputError.
    """
    if args.quiet and args.json:
        raise InputError("--quiet would leave out what --json promises; give one of them")
    results, voice = results_folder(args.results), Voice(args.json)
    with journal_if_any(results) as journal:
        live, runs = _open_runs(journal) if journal else ([], [])
        plans = [run.name for run in journal.runs() if not started(journal, run)] if runs else []
        garbled = [*journal.garbled.values()] if journal else []
    for key in live:
        voice.say(f"{key}: is sent row by row, so it goes on only by its own command")
    facts: list[dict] = []
    codes = [fail(said, UNFINISHED) for said in garbled]
    codes += [_looked(run, args, results, facts) for run in runs]
    if args.json:
        voice.json({"runs": facts})
    elif runs and (not args.quiet or any(fact["changed"] for fact in facts)):
        _say_left(voice, len(runs), sum(not fact["open"] for fact in facts), plans)
    return max(codes, default=OK)


def _open_runs(journal: Journal) -> tuple[list[str], list[Run]]:
    """The keys of those that are sent row by row, which only their own command goes on with, and all others."""
    runs = [run for run in journal.runs() if is_open(journal, run)]
    live = [run.key for run in runs if run.way and not run.local]
    return live, [run for run in runs if run.key not in live]


def _looked(run: Run, args: argparse.Namespace, results: Path, facts: list[dict]) -> int:
    """One look at a run; its exit code. What goes wrong is told, and is its own: the next one is looked at."""
    script = script_of(run.provider, run.host)
    options = _options(args, run)

    def look() -> int:
        said = StringIO()
        try:
            with redirect_stdout(said) if args.quiet else nullcontext(), opened(script.name, host_of(run, script), options) as found:
                code, fact = _advanced(ScriptSession(**vars(found), script=script, arguments=()), run)
        finally:
            if error := sys.exception():
                announce_error(results, run, error)
        facts.append(fact)
        if fact["changed"]:
            print(said.getvalue(), end="", flush=True)
        return code

    code, said = tried(look, TYPED)
    return fail(f"{run.provider}/{run.name}: {said}", code) if said else code


def _options(args: argparse.Namespace, run: Run) -> argparse.Namespace:
    """The options of a look, with those of a script that it does not have."""
    default = Options()
    own = {"local": run.local, "live": bool(run.way)}
    return argparse.Namespace(**{"parallel": default.parallel, "retries": default.retries, **vars(args), **own})


def _advanced(session: ScriptSession, run: Run) -> tuple[int, dict]:
    """Take a run as far as it goes without waiting for a batch; (exit code, where it stands then)."""
    journal, summary, before = session.journal, None, _standing(session, run)
    try:
        with journal.lock(run):
            summary = _advance(session, run)
    except InWork as error:
        session.say(f"{error}; left to it")
    run = journal.run(run.key)
    fact = {**run_facts(journal, run), "waiting": waiting_facts(journal, run), "open": is_open(journal, run)}
    fact["changed"] = _standing(session, run) != before
    session.say(f"{run.provider}/{run.name}: {_stands(fact)}")
    is_done = summary is not None and not fact["open"]
    if is_done:
        receipt = [f"  {line}" for line in receipt_lines(summary["receipt"])]
        session.say(f"  {the_sum(summary)}", *receipt, f"  table: {run.folder / 'results.csv'}")
    announce(journal, run, session.posts, summary)
    if is_done:
        return code_of(summary, no_wait=False), fact
    return (UNFINISHED if run.paused or State.OWED in fact["states"] else OK), fact


def _standing(session: ScriptSession, run: Run) -> tuple:
    """What differs once something has happened that a person may want to hear of; that it was looked at in vain is nothing."""
    return session.journal.run(run.key), session.journal.states(run)


def _advance(session: ScriptSession, run: Run) -> dict | None:
    """What `_advanced` does under the run's lock; returns the summary, None where nothing has happened."""
    journal = session.journal
    session.own_account(run, is_locked=True)
    _as_told(session.args, journal.told(run))
    before = journal.event_count(run)
    try:
        with session.log(run).ending():
            _look_and_send(session, run)
    finally:
        summary = session.derive(run) if journal.event_count(run) != before else None
    return summary


def _look_and_send(session: ScriptSession, run: Run) -> None:
    """One look, then what can be sent is; nothing of it where other runs are asking the same: their answers come first."""
    journal, is_done = session.journal, False
    while not is_done:
        as_of, waits = journal.moment(), refresh(journal, run, session.provider.decode).waits
        for other, count in waits.items():
            session.say(f"{run.key}: {count:,} of its requests are being asked by {other}: its answers come first")
        desk = session.desk(run, as_of=as_of if run.reuses else None)
        desk.listeners.append(Progress(run, [*desk.shards.values()], session.as_json or session.args.quiet, f"{run.key}: "))
        with suppress(Overtaken):
            Lifecycle(desk).advance(submits=not waits)
            is_done = True


def _as_told(args: argparse.Namespace, before: dict) -> None:
    """The options that decide what is sent are those with which a person sent the run."""
    args.parallel, args.retries = before.get("parallel", args.parallel), before.get("retries", args.retries)
    if args.max_cost is None:
        args.max_cost = before.get("max_cost")


# ---- telling


def _stands(fact: dict) -> str:
    """Where a run stands, in a line."""
    waiting, sends = fact["waiting"], "; paused, so nothing is sent: {paused}; the run's own command takes it up again"
    parts = [", ".join(f"{n} {state}" for state, n in sorted(fact["states"].items()))]
    parts += [
        f"{waiting[which]:,} requests wait to be sent{again}" for which, again in (("first", ""), ("again", " again")) if waiting[which]
    ]
    said = "batches: " + "; ".join(parts)
    return said + sends.format(**fact) * bool(fact["paused"]) + "; cancelled, so nothing is sent" * fact["cancelled"]


def _say_left(voice: Voice, count: int, ended: int, plans: list[str]) -> None:
    """What is left, and what was left alone."""
    voice.say("nothing is open any more" if ended == count else f"{count - ended} of {count} runs are still open")
    if plans:
        voice.say(f"planned only, so not started: {', '.join(plans)}")

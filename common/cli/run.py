"""Planning and driving a run from the command line: --batch, --dry-run, --no-wait, --retry-failed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from common import catalog
from common.cli import capped
from common.cli.drive import drive
from common.cli.exits import OK, UNFINISHED
from common.cli.plan_told import print_plan, show_plan, unverified
from common.cli.price import priced
from common.cli.scripts import Script
from common.cli.session import ScriptSession
from common.cli.text import SIMULATED, answers_checked, asked_again, failures, of_cache, runs_table, the_sum
from common.cli.where import elsewhere, living
from common.cli.whose import check_models
from common.errors import InputError
from common.experiment.experiment import Experiment, narrow
from common.experiment.read import load
from common.nouns import FINAL, Host, Pause, Run
from common.outcomes import OWED, PAID, PENDING
from common.runs import handed, wishes
from common.runs.choose import check_open, check_prices, check_source, choose_models
from common.runs.money import receipt_lines
from common.runs.order import Order, Site
from common.runs.overview import current_summary, unclean
from common.runs.plan import Planned, plan
from common.text import one_line


def run(session: ScriptSession, drives: Callable[..., tuple[Run, dict]] = drive) -> int:
    """Plan the run that the command means; send it unless the command only asks for the plan, driven by `drives`. Returns the exit code."""
    args, script = session.args, session.script
    if args.no_wait and session.account.way and not session.account.host.local:
        raise InputError("asking row by row goes on only while this command lasts; leave out --no-wait")
    if is_sent := sends(script, args):
        may_send(session)
    experiment = asked(session)
    check_models(args.model, script, session.account, session.arguments)
    planned = planned_for(session, experiment, args.model, is_sent)
    if args.answers:
        return _take(session, planned.run)
    if not is_sent:
        return show_plan(session, planned)
    if planned.run.imported and all(shard.state in FINAL for shard in planned.shards):
        return _finish(session, planned.run, current_summary(planned.run, planned.shards) or session.derive(planned.run))
    capped.check(session, [planned], "this")
    print_plan(session, planned, priced(session, planned), alone=True)
    return _finish(session, *drives(session, planned.run, planned.is_new, as_of=planned.as_of))


def asked(session: ScriptSession) -> Experiment:
    """The experiment of a command, narrowed to what it names. Raises InputError."""
    args = session.args
    if args.sample and args.limit:
        raise InputError("--sample and --limit say different things; name one of them")
    if args.seed and not args.sample:
        raise InputError("--seed goes with --sample N, whose choice it decides")
    if args.fresh and args.reuse:
        raise InputError("--fresh and --reuse say opposite things; name one of them")
    whole = load(args.experiment, session.results)
    return narrow(whole, args.trials, args.limit, args.persona, args.text, args.sample, args.seed or "1", args.prime_cache)


def sends(script: Script, args: argparse.Namespace) -> bool:
    """Whether a command that means a run sends it; else it only plans."""
    return (args.batch or args.live or not script.needs_batch) and not (args.dry_run or args.answers)


def calls(script: Script, args: argparse.Namespace) -> bool:
    """Whether a command that means a run speaks to its host."""
    return sends(script, args) or args.exact_tokens


def may_send(session: ScriptSession) -> None:
    """Raises InputError where nothing can be sent: the host is closed, or no key is there."""
    check_open(session.account, _elsewhere(session))
    session.check_key()


def _elsewhere(session: ScriptSession) -> str:
    """Which hosts have the models that a command asks, and what to type."""
    names = [name for name in session.args.model if living(session.script, [name])] or session.script.group
    return elsewhere(session.script, session.typed, names, session.arguments)


def planned_for(session: ScriptSession, experiment: Experiment, names: Sequence[str], sends: bool) -> Planned:
    """The run that asks an experiment of the models of those names at the session's host. Raises InputError."""
    args, script, account = session.args, session.script, session.account
    window = _window(args.window, account.host)
    models, notices = choose_models(names, script.group, account, args.allow_retired or not sends)
    models = [catalog.in_window(model, window) for model in models]
    if sends:
        check_prices(models, account, args.allow_unknown_price)
        check_source(experiment, account, args.allow_simulated)
    if account.host.closed_on and not (sends or account.host.local):
        notices.append(f"{account.host.title} is closed, so this cannot be sent there; {_elsewhere(session)}")
    session.say(*(f"note: {notice}" for notice in [*notices, *unverified(account.host)]))
    reuse = True if args.reuse else False if args.fresh else None
    site = Site(session.journal, session.provider, account, script.folder, session.queues(models))
    return plan(site, experiment, models, Order(args.run, args.skip_invalid, reuse, window))


def _window(asked: str | None, host: Host) -> str:
    """The window that a command names; "" for the host's usual one. Raises InputError for one that the host does not sell."""
    if not asked or asked == host.window:
        return ""
    if not catalog.sells(host, asked):
        sold = ", ".join(host.windows or (host.window,)).replace("..", " to ")
        raise InputError(f"--window {one_line(asked, 20)}: {host.title} sells {sold}")
    return asked


def retry_failed(session: ScriptSession, name: str) -> int:
    """Send every row of a run without a clean answer once more; with --max-tokens those cut off. Returns the exit code."""
    found = session.known_run(name)
    session.own_account(found)
    with session.journal.lock(found):
        fresh = replace(session.journal.run(found.key), stopped=False, paused="", paused_by=Pause.NO)
        found = session.journal.save_run(fresh, "retry_failed")
        count = wishes.retry_failed(session.desk(found), session.args.max_tokens)
    session.say(f"{count:,} rows of run {found.name} are sent once more")
    return _finish(session, *drive(session, found))


def code_of(summary: dict, no_wait: bool) -> int:
    """The exit code of a command that has driven a run; with `no_wait` it was told to submit, not to wait."""
    told = summary["outcomes"].get(PENDING, 0) if no_wait else 0
    return OK if summary["adds_up"] and unclean(summary) == told else UNFINISHED


def _take(session: ScriptSession, found: Run) -> int:
    """Take answers from the files that the command names."""
    with session.journal.lock(found):
        desk = session.desk(found)
        for path in session.args.answers:
            taken, rest = handed.take(desk, path)
            session.say(f"{path}: {taken:,} answers taken; {rest:,} are not of this run, or are here already")
        summary = session.derive(found)
    return _finish(session, session.journal.run(found.key), summary)


def _finish(session: ScriptSession, found: Run, summary: dict) -> int:
    pending, bad = summary["outcomes"].get(PENDING, 0), unclean(summary)
    owed, paid = summary["outcomes"].get(OWED, 0), sum(summary["outcomes"].get(outcome, 0) for outcome in PAID)
    code = code_of(summary, session.args.no_wait)
    if session.args.json:
        session.json(summary)
        return code
    print(runs_table([summary]))
    if summary["simulated"]:
        session.say(SIMULATED)
    session.say(*answers_checked(summary))
    session.say(the_sum(summary), *receipt_lines(summary.get("receipt", {})), *of_cache(summary), *asked_again(summary))
    session.say(f"table: {found.folder / 'results.csv'}")
    if session.wants_texts(found):
        session.say(f"texts: {found.folder / 'texts'}")
    session.say(f"raw:   {found.folder.parent / 'batch_results'}")
    if pending:
        session.say(
            f"{'submitted' if code == OK else 'not finished'}: {pending:,} requests are still to come. Go on with: {session.again()}"
        )
    elif owed:
        session.say(
            f"owed: {owed:,} requests were accepted and may have been answered, but could not be had yet. "
            f"Look again with: {session.again()} (or close them: {session.command('--give-up', found.name)})"
        )
    elif bad:
        cut_off = summary["outcomes"].get("truncated", 0)
        more = f"; to send them once more: {session.command('--retry-failed', found.name)}" if bad > paid + cut_off else ""
        session.say(f"{bad:,} rows have no clean answer ({failures(summary['outcomes'])}){more}")
        if cut_off:
            _say_cut_off(session, found, cut_off)
    return code


def _say_cut_off(session: ScriptSession, found: Run, count: int) -> None:
    """How to ask again what was cut off, and nothing else: with the same cap it would be cut off again."""
    cap = max(shard.max_tokens for shard in session.journal.shards(found) if shard.tally.get("truncated"))
    higher = session.command("--retry-failed", found.name, "--max-tokens", str(2 * cap))
    session.say(f"{count:,} of them were cut off at {cap:,} tokens or fewer; to ask only those again with a higher cap: {higher}")

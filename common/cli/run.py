"""Planning and driving a run from the command line: --batch, --dry-run, --no-wait, --retry-failed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from common import catalog
from common.cli import by, capped
from common.cli.drive import drive
from common.cli.exits import OK, UNFINISHED
from common.cli.price import price_facts, price_lines, price_table, priced, without_batch
from common.cli.scripts import Script
from common.cli.session import ScriptSession, forgetting
from common.cli.since import since, told_since
from common.cli.text import SIMULATED, answers_checked, asked_again, failures, of_cache, runs_table, the_sum
from common.cli.where import elsewhere, living
from common.cli.whose import check_models
from common.errors import InputError
from common.experiment.experiment import Experiment, narrow
from common.experiment.read import load
from common.nouns import FINAL, Host, Pause, Run
from common.outcomes import OWED, PAID, PENDING
from common.runs.choose import as_batches, check_open, check_prices, check_source, choose_models
from common.runs.expected import Cost
from common.runs.money import receipt_lines
from common.runs.overview import cache_is_old, counted_line, current_summary, grid_of, plan_facts, unclean, waiting_facts
from common.runs.plan import Planned, plan
from common.runs.wish import Place, Wish
from common.text import many, one_line, size, usd


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
        return _show_plan(session, planned)
    if planned.run.imported and all(shard.state in FINAL for shard in planned.shards):
        return _finish(session, planned.run, current_summary(planned.run, planned.shards) or session.derive(planned.run))
    capped.check(session, [planned], "this")
    _print_plan(session, planned, priced(session, planned), alone=True)
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
    place = Place(session.journal, session.provider, account, script.folder, session.queues(models))
    return plan(place, experiment, models, Wish(args.run, args.skip_invalid, reuse, window))


def _window(asked: str | None, host: Host) -> str:
    """The window that a command names; "" for the host's usual one. Raises InputError for one that the host does not sell."""
    if not asked or asked == host.window:
        return ""
    if not catalog.sells(host, asked):
        sold = ", ".join(host.windows or (host.window,)).replace("..", " to ")
        raise InputError(f"--window {one_line(asked, 20)}: {host.title} sells {sold}")
    return asked


def unverified(host: Host) -> list[str]:
    """What is said of figures of a host that nobody could check, or that are not known."""
    told = [*host.unverified, *(["discount (none is counted)"] if host.discount is None else [])]
    return [f"not verified for {catalog.hosts()[host.name].title}: {', '.join(told)}"] if told and host.name in catalog.hosts() else []


def retry_failed(session: ScriptSession, name: str) -> int:
    """Send every row of a run without a clean answer once more; with --max-tokens those cut off. Returns the exit code."""
    found = session.known_run(name)
    session.own_account(found)
    with session.journal.lock(found):
        fresh = replace(session.journal.run(found.key), stopped=False, paused="", paused_by=Pause.NO)
        found = session.journal.save_run(fresh, "retry_failed")
        count = session.lifecycle(found).retry_failed(session.args.max_tokens)
    session.say(f"{count:,} rows of run {found.name} are sent once more")
    return _finish(session, *drive(session, found))


def _plan_facts(session: ScriptSession, planned: Planned, costs: Sequence[Cost]) -> dict:
    host = session.account.host
    return {
        **plan_facts(planned.run, planned.models, planned.shards, planned.ceiling),
        "host": host.title,
        "unverified": unverified(host),
        "simulated": host.local,
        "new": planned.is_new,
        "invalid": [{"custom_id": custom_id, "why": why} for custom_id, why in planned.invalid],
        **grid_of(planned.run),
        "taken_over": planned.taken,
        "processing": session.account.way or "batch",
        "as_batches_max_cost_usd": as_batches(planned.run, planned.shards) if session.account.way == "standard" else None,
        "taken_over_cost_usd": planned.saved,
        "asked_elsewhere": dict(planned.waits),
        "queue": session.queues(planned.models).plan(planned.shards),
        "changed": since(session, planned),
        **price_facts(costs),
        "caps_that_stop_it": [stop.facts() for stop in capped.stops_of(session, [planned])],
    }


def _print_plan(session: ScriptSession, planned: Planned, costs: Sequence[Cost], alone: bool) -> None:
    found = _plan_facts(session, planned, costs)
    counted = counted_line(found["prompt_tokens_counted"])
    session.say(
        f"run {found['run']} at {found['host']}: {many(found['requests'], 'request')} in {many(len(found['shards']), 'batch')}, "
        f"{size(found['bytes'])}, {'about ' * (not counted)}{found['estimated_prompt_tokens']:,} prompt tokens{counted}",
        f"models: {', '.join(found['models'])}",
        *([found["grid"]["line"]] if "line" in found["grid"] else ()),
        *(f"note: {line}" for line in found["told"]),
        *told_since(found["changed"]),
    )
    if found["skipped"]:
        example = f", e.g. {planned.invalid[0][0]}: {planned.invalid[0][1]}" if planned.invalid else ""
        session.say(f"left out: {found['skipped']:,} requests that cannot be sent{example}")
    states = session.journal.states(planned.run)
    for other, why in planned.unread.items():
        session.warn(f"the answers of {other} cannot be read, so what it has asked is asked again: {why}")
    for other, count in planned.waits.items():
        session.say(f"{count:,} of them are being asked by {other}: its answers are waited for, and taken over")
    if planned.is_new or not waiting_facts(session.journal, planned.run)["started"]:
        beside = without_batch(costs) if alone else []  # the table tells it too
        session.say(*price_lines(session, planned, costs), *beside, *found["queue"].values())
    else:
        session.say("goes on where it stood: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items())))
        session.say(*cache_is_old(planned.shards))
    session.say(*capped.told(session, [planned], "this"), *by.told(session, planned))


def _show_plan(session: ScriptSession, planned: Planned) -> int:
    args, own = session.args, session.account.host.own
    add = ("--live" if own else "--batch") if session.script.needs_batch and not (args.batch or args.live) else ""
    costs = priced(session, planned)
    if session.args.json:
        session.json({**_plan_facts(session, planned, costs), "sent": False, "to_send_add": add})
        return OK
    _print_plan(session, planned, costs, alone=False)
    print(price_table(costs), end="\n\n")
    shown = planned.shards[:20]
    rows = [(s.path.name, s.model, f"{s.count:,}", size(s.bytes), f"{s.tokens:,}", usd(s.reserve), s.state) for s in shown]
    session.print_table(("shard", "model", "requests", "bytes", "tokens", "at most", "state"), rows)
    if len(planned.shards) > len(shown):
        session.say(f"… and {len(planned.shards) - len(shown)} more shards")
    session.say(f"shards: {planned.run.folder / 'shards'}", *forgetting(session, [planned.run]))
    steps = [f"add {add}"] * bool(add) + ["leave out --dry-run"] * session.args.dry_run
    session.say(f"nothing was sent; {' and '.join(steps)} to submit")
    return OK


def code_of(summary: dict, no_wait: bool) -> int:
    """The exit code of a command that has driven a run; with `no_wait` it was told to submit, not to wait."""
    told = summary["outcomes"].get(PENDING, 0) if no_wait else 0
    return OK if summary["adds_up"] and unclean(summary) == told else UNFINISHED


def _take(session: ScriptSession, found: Run) -> int:
    """Take answers from the files that the command names."""
    with session.journal.lock(found):
        life = session.lifecycle(found)
        for path in session.args.answers:
            taken, rest = life.take(path)
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

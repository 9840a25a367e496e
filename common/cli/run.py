"""Planning and driving a run from the command line: --batch, --dry-run, --no-wait, --retry-failed."""

from __future__ import annotations

from dataclasses import replace

from common.cli.exits import OK, UNFINISHED
from common.cli.progress import Progress
from common.cli.session import ScriptSession
from common.cli.text import HEADER, SIMULATED, answers_checked, failures, run_rows, the_sum
from common.errors import BatchError, InputError
from common.experiment.experiment import narrow
from common.experiment.read import load
from common.nouns import FINAL, Pause, Run
from common.outcomes import OWED, PAID, PENDING
from common.reports.notify import notify
from common.runs.choose import check_open, check_prices, check_source, choose_models
from common.runs.overview import current_summary, grid_of, plan_facts
from common.runs.plan import Planned, plan
from common.text import size, usd


def run(session: ScriptSession) -> int:
    """Plan the run that the command means; send it unless the command only asks for the plan. Returns the exit code."""
    args, script, account = session.args, session.script, session.account
    sends = (args.batch or not script.needs_batch) and not args.dry_run
    if sends:
        check_open(account)
        session.check_key()
    if args.sample and args.limit:
        raise InputError("--sample and --limit say different things; name one of them")
    if args.seed and not args.sample:
        raise InputError("--seed chooses a sample; add --sample N, or leave it out")
    whole = load(args.experiment, session.results)
    experiment = narrow(whole, args.trials, args.limit, args.persona, args.text, args.sample, args.seed or "1")
    models, notices = choose_models(args.model, script.group, account, args.allow_retired or not sends)
    if sends:
        check_prices(models, account, args.allow_unknown_price)
        check_source(experiment, account, args.allow_simulated)
    session.say(*(f"note: {notice}" for notice in notices))
    planned = plan(
        session.journal, session.provider, account, script.folder, experiment, models, args.run, args.skip_invalid
    )
    if not sends:
        return _show_plan(session, planned)
    if planned.run.imported and all(shard.state in FINAL for shard in planned.shards):
        return _finish(session, planned.run, current_summary(planned.run, planned.shards) or session.derive(planned.run))
    _check_cap(session, planned)
    _print_plan(session, planned)
    return _drive(session, planned.run, planned.is_new)


def retry_failed(session: ScriptSession, name: str) -> int:
    """Send every row of a run without a clean answer once more; with --max-tokens those cut off. Returns the exit code."""
    found = session.known_run(name)
    session.own_account(found)
    with session.journal.lock(found):
        fresh = replace(session.journal.run(found.key), stopped=False, paused="", paused_by=Pause.NO)
        found = session.journal.save_run(fresh, "retry_failed")
        count = session.lifecycle(found).retry_failed(session.args.max_tokens)
    session.say(f"{count:,} rows of run {found.name} are sent once more")
    return _drive(session, found)


def _check_cap(session: ScriptSession, planned: Planned) -> None:
    cap, most = session.cap(), planned.ceiling
    if most is not None and most > cap:
        raise InputError(
            f"this could cost up to {usd(most)}, above the cap of {usd(cap)}; "
            f"--max-cost USD raises it. Nothing was sent"
        )


def _plan_facts(session: ScriptSession, planned: Planned) -> dict:
    host = session.account.host
    return {
        **plan_facts(planned.run, planned.models, planned.shards, planned.ceiling),
        "host": host.title,
        "simulated": host.local,
        "new": planned.is_new,
        "invalid": [{"custom_id": custom_id, "why": why} for custom_id, why in planned.invalid],
        **grid_of(planned.run),
    }


def _print_plan(session: ScriptSession, planned: Planned) -> None:
    found = _plan_facts(session, planned)
    session.say(
        f"run {found['run']} at {found['host']}: {found['requests']:,} requests in {len(found['shards'])} batches, "
        f"{size(found['bytes'])}, about {found['estimated_prompt_tokens']:,} prompt tokens",
        f"models: {', '.join(found['models'])}",
        *([found["grid"]["line"]] if "line" in found["grid"] else ()),
        *(f"note: {line}" for line in found["told"]),
    )
    if found["skipped"]:
        example = f", e.g. {planned.invalid[0][0]}: {planned.invalid[0][1]}" if planned.invalid else ""
        session.say(f"left out: {found['skipped']:,} requests that cannot be sent{example}")
    states = session.journal.states(planned.run)
    if set(states) == {"planned"}:
        as_if = " (as if: nothing is paid on the local batch service)" if session.account.host.local else ""
        session.say(f"costs at most {usd(found['max_cost_usd'])}{as_if}")
    else:
        session.say("goes on where it stood: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items())))


def _show_plan(session: ScriptSession, planned: Planned) -> int:
    add = "--batch" if session.script.needs_batch and not session.args.batch else ""
    if session.args.json:
        session.json({**_plan_facts(session, planned), "sent": False, "to_send_add": add})
        return OK
    _print_plan(session, planned)
    shown = planned.shards[:20]
    rows = [
        (s.path.name, s.model, f"{s.count:,}", size(s.bytes), f"{s.tokens:,}", usd(s.reserve), s.state) for s in shown
    ]
    session.print_table(("shard", "model", "requests", "bytes", "tokens", "at most", "state"), rows)
    if len(planned.shards) > len(shown):
        session.say(f"… and {len(planned.shards) - len(shown)} more shards")
    session.say(f"shards: {planned.run.folder / 'shards'}")
    steps = [f"add {add}"] * bool(add) + ["leave out --dry-run"] * session.args.dry_run
    session.say(f"nothing was sent; {' and '.join(steps)} to submit")
    return OK


def _drive(session: ScriptSession, found: Run, fresh: bool = False) -> int:
    journal, args = session.journal, session.args
    with journal.lock(found):
        found = journal.run(found.key)
        session.own_account(found, is_locked=True)
        events = journal.event_count(found)
        life = session.lifecycle(found, fresh)
        life.listen(show := Progress(found, life.shards, args.json))
        ending = "is finished"
        try:
            life.resume()
            life.go(until_submitted=args.no_wait)
        except BatchError as error:
            ending = f"has stopped: {error}"
            raise
        except KeyboardInterrupt:
            ending = ""
            raise
        finally:
            show.close()
            # Whatever ended it: what has been collected is there to be read.
            summary = None if journal.event_count(found) != events else current_summary(found, journal.shards(found))
            if summary is None or (summary["tokens"] and not (found.folder / "results.csv").exists()):
                summary = session.derive(found)
            if ending and not args.no_wait:
                _notify(session, found, ending, summary)
    return _finish(session, life.run, summary)


def _notify(session: ScriptSession, found: Run, ending: str, summary: dict) -> None:
    text = f"{found.provider} run {found.name} {ending}. {the_sum(summary)}"
    told = {key: summary[key] for key in ("run", "provider", "simulated", "outcomes", "cost_usd")}
    if warning := notify(text, told):
        session.warn(warning)


def _finish(session: ScriptSession, found: Run, summary: dict) -> int:
    pending = summary["outcomes"].get(PENDING, 0)
    bad = summary["rows"] - summary["outcomes"].get("succeeded", 0)
    owed, paid = summary["outcomes"].get(OWED, 0), sum(summary["outcomes"].get(outcome, 0) for outcome in PAID)
    code = OK if summary["adds_up"] and not bad else UNFINISHED
    if session.args.json:
        session.json(summary)
        return code
    session.print_table(HEADER, run_rows(summary))
    if summary["simulated"]:
        session.say(SIMULATED)
    session.say(*answers_checked(summary))
    session.say(the_sum(summary))
    session.say(f"table: {found.folder / 'results.csv'}")
    if session.args.texts:
        session.say(f"texts: {found.folder / 'texts'}")
    session.say(f"raw:   {found.folder.parent / 'batch_results'}")
    if pending:
        session.say(f"not finished: {pending:,} requests are still to come. Go on with: {session.again()}")
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

"""--rescue: shortly before a deadline what is unanswered is cancelled, waited for, collected, and only the rest asked row by row."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace

from common.cli import by, capped, run
from common.cli.drive import drive
from common.cli.price import price_lines, priced
from common.cli.progress import Progress
from common.cli.session import ScriptSession, opened
from common.errors import Busy, InputError
from common.nouns import Run, State
from common.retry import Clock
from common.runs import studies, wishes
from common.runs.lifecycle import Lifecycle


class Due(KeyboardInterrupt):
    """It is time to rescue; as when a person breaks off, all that sleeps ends, and nothing is announced."""


def command(session: ScriptSession) -> int:
    """Send a run in batches, and rescue what is not back in time; returns the exit code. Raises InputError."""
    args = session.args
    wrong = [name for name in ("live", "no_wait", "fresh", "answers") if getattr(args, name)]
    if not args.by or wrong or session.account.way:
        raise InputError("--rescue goes with --by, and with batches that are waited for: not with --live, --no-wait, --fresh or own models")
    return run.run(session, _driven)


def _driven(session: ScriptSession, found: Run, fresh: bool = False, as_of: int | None = None) -> tuple[Run, dict]:
    """Drive a run to its end, or until it is to be rescued."""
    args, calm = session.args, session.clock
    session.clock = replace(calm, sleep=_until(args.by - 60 * args.rescue, calm))
    try:
        return drive(session, found, fresh, as_of=as_of)
    except Due:
        session.say(f"{by.clock(args.by)} is near: what is unanswered is cancelled, and asked row by row once that has ended at the host")
    finally:
        session.clock = calm
    _call_back(session, found)
    return _row_by_row(session, found)


def _until(due: float, clock: Clock) -> Callable[[float], None]:
    """Sleep that ends in Due when the time has come."""

    def sleep(seconds: float) -> None:
        if (left := due - clock.now()) <= 0:
            raise Due
        clock.sleep(min(seconds, left))

    return sleep


def _call_back(session: ScriptSession, found: Run) -> None:
    """Cancel what is out, and collect it once the host says that it has ended. Raises Busy where some of it is owed then."""
    journal = session.journal
    with journal.lock(found):
        session.own_account(found, is_locked=True)
        desk = session.desk(found)
        desk.listeners.append(show := Progress(found, [*desk.shards.values()], session.args.json))
        try:
            wishes.cancel_flying(desk)
            Lifecycle(desk).go(submits=False)
        finally:
            show.close()
            session.derive(found)
    if owed := sum(shard.count for shard in journal.shards(found, State.OWED)):
        raise Busy(f"{owed:,} requests of run {found.name} may have been answered, but could not be had: nothing is asked a second time")


def _row_by_row(session: ScriptSession, found: Run) -> tuple[Run, dict]:
    """Ask what no batch has answered, at the full price, under one cap with the batches; the run that has all answers."""
    name = f"{found.name}-live"
    args = Namespace(**{**vars(session.args), "live": True, "batch": False, "run": name, "reuse": True})
    with opened(session.typed, session.script.host, args, makes_journal=True) as here:
        live = ScriptSession(**vars(here), script=session.script, arguments=session.arguments, clock=session.clock)
        planned = run.planned_for(live, run.asked(live), args.model, sends=True)
        study = found.study or found.name
        studies.join(live.journal, found, study)
        planned = replace(planned, run=studies.join(live.journal, planned.run, study))
        capped.check(live, [planned], f"run {found.name}")
        live.say(f"run {name}:", *price_lines(live, planned, priced(live, planned)))
        live.say(f"if this is broken off, --live --run {name} --reuse instead of --batch, --by and --rescue goes on")
        return drive(live, planned.run, planned.is_new, as_of=planned.as_of)

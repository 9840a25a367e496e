"""Driving a run to where a command wants it, from the command line: what others have asked is taken over, and waited for, first."""

from __future__ import annotations

import sys

from common.catalog.vocabulary import let_go
from common.cli.announce import announce
from common.cli.progress import Progress
from common.cli.session import ScriptSession
from common.errors import Busy, InputError
from common.nouns import IN_FLIGHT, Run, Shard, State
from common.runs import wishes
from common.runs.journal import Overtaken
from common.runs.lifecycle import Lifecycle
from common.runs.lock import InWork
from common.runs.overview import current_summary
from common.runs.reuse import refresh


def drive(session: ScriptSession, found: Run, fresh: bool = False, prefix: str = "", as_of: int | None = None) -> tuple[Run, dict]:
    """Take a run as far as the options say; returns it and its summary. `fresh`: it was planned by this command.

    What happens on the way is told with the `prefix`. `as_of`: the moment at which all that is answered was taken over.
    Raises BatchError; what has come is in its table all the same.
    """
    journal, summary = session.journal, None
    let_go()  # all is planned
    try:
        with journal.lock(found):
            found = journal.run(found.key)
            session.own_account(found, is_locked=True)
            summary = _driven(session, found, fresh, prefix, as_of)
    finally:
        announce(journal, found, session.posts, summary, sys.exception())
    return journal.run(found.key), summary


def _driven(session: ScriptSession, found: Run, fresh: bool, prefix: str, as_of: int | None) -> dict:
    """Drive a run whose lock is held; returns its summary."""
    journal, shards = session.journal, None
    events = journal.event_count(found)
    try:
        with session.log(found).ending():
            shards = _go(session, found, fresh, prefix, as_of)
    finally:
        # Whatever ended it: what has been collected is there to be read.
        summary = None if journal.event_count(found) != events else current_summary(found, shards or journal.shards(found))
        if summary is None or (summary["tokens"] and session.lacks_files(found)):
            summary = session.derive(found)
    return summary


def _go(session: ScriptSession, run: Run, fresh: bool, prefix: str, as_of: int | None) -> list[Shard]:
    """Drive a run, again and again looking at what others have asked and got where they have sent more meanwhile; its shards."""
    if run.paused:
        wishes.resume(session.desk(run))
    while True:
        as_of = _taken_over(session, run, prefix, as_of) if run.reuses else None  # what others send is nothing to a run that takes none
        desk = session.desk(run, fresh, as_of)
        desk.listeners.append(show := Progress(run, [*desk.shards.values()], session.args.json, prefix, session.journal))
        try:
            Lifecycle(desk).go(until_submitted=session.args.no_wait)
        except Overtaken:
            continue
        finally:
            show.close()
        return [*desk.shards.values()]


def _taken_over(session: ScriptSession, run: Run, prefix: str, as_of: int | None) -> int | None:
    """Take over all that is answered by now, and wait for what other runs are asking; the moment that is known then.

    Nothing is done where nobody has sent anything since `as_of`. Raises BatchError.
    """
    journal = session.journal
    while as_of is None or journal.sent_since(run.key, as_of):
        as_of, waits = journal.moment(), refresh(journal, run, session.provider.decode).waits
        if not waits:
            break
        if session.args.no_wait:
            told = ", ".join(f"{count:,} by {key}" for key, count in waits.items())
            raise Busy(f"requests of this run are being asked already ({told}); collect those first, or leave out --no-wait")
        _collect(session, run, prefix)  # ours first, or two runs might wait for each other
        for key in waits:
            _wait_for(session, journal.run(key), prefix)
        as_of = None
    return as_of


def _wait_for(session: ScriptSession, other: Run, prefix: str) -> None:
    """Until nothing of another run is in flight; nothing of it is sent. Raises Busy where its answers cannot be had."""
    if bool(other.way) != bool(session.account.way):
        how = "row by row (--live)" if other.way else "in batches"
        raise Busy(f"requests of this run are being asked {how} by {other.key}; collect those first, or ask --fresh")
    session.say(f"{prefix}waiting for the answers of {other.key}")
    try:
        with session.journal.lock(other):
            session.own_account(other, is_locked=True)
            _collect(session, other, f"{prefix}{other.key}: ")
        session.derive(other)
    except InWork:
        session.clock.sleep(1.0)
        return
    if any(shard.state is State.OWED for shard in session.journal.shards(other)):
        raise Busy(f"answers of {other.key} are owed, and may be this run's too; look again later, close them there, or ask --fresh")


def _collect(session: ScriptSession, run: Run, prefix: str) -> None:
    """Until nothing of a run is in flight; nothing is sent. What is wrong with its other batches is its own command's to say."""
    desk = session.desk(run)
    desk.listeners.append(show := Progress(run, [*desk.shards.values()], session.args.json, prefix))
    try:
        Lifecycle(desk).go(submits=False)
    except InputError:
        if desk.count(*IN_FLIGHT):
            raise
    finally:
        show.close()

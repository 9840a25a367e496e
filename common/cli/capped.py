"""The spending caps at the command line: what a plan says of them, and the refusal to begin what they do not cover."""

from __future__ import annotations

from collections.abc import Collection

from common.cli.session import ScriptSession
from common.errors import InputError
from common.runs.budget import REHEARSED, Stop, stops
from common.runs.overview import started
from common.runs.plan import Planned


def stops_of(session: ScriptSession, plans: Collection[Planned]) -> list[Stop]:
    """The caps that do not cover what plans could cost at most."""
    shards = {plan.run.key: plan.shards for plan in plans}
    return [*stops(session.journal, shards, session.caps(), session.clock.now(), session.account.host.local)]


def told(session: ScriptSession, plans: Collection[Planned], whole: str) -> list[str]:
    """The same in a line each; `whole` is what the plans are together."""
    return [f"cap: {_line(session, stop, whole)}" for stop in stops_of(session, plans)]


def check(session: ScriptSession, plans: Collection[Planned], whole: str) -> None:
    """Refuse to begin what the caps do not cover. What has begun goes on, as far as they let it. Raises InputError."""
    begun = any(started(session.journal, plan.run) for plan in plans)
    if not begun and (found := stops_of(session, plans)):
        raise InputError(f"{_line(session, found[0], whole)}. Nothing was sent")


def _line(session: ScriptSession, stop: Stop, whole: str) -> str:
    return REHEARSED * session.account.host.local + stop.line(whole, session.clock.now())

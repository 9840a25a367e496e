"""--by: whether a run is likely to be back in time, told by how long earlier batches took."""

from __future__ import annotations

import time

from common.cli.session import ScriptSession
from common.nouns import IN_FLIGHT, TO_SUBMIT
from common.runs.pace import Estimate, Flight, Pace
from common.runs.plan import Planned
from common.text import duration


def told(session: ScriptSession, planned: Planned) -> list[str]:
    """What is to be said of the time that a command names; nothing where it names none, or where all has ended."""
    by, now, shards = session.args.by, session.clock.now(), planned.shards
    waiting = [shard.model for shard in shards if shard.state in TO_SUBMIT]
    flights = [Flight(shard.model, max(0.0, now - shard.intent_at)) for shard in shards if shard.state in IN_FLIGHT]
    if not by or session.account.way or not (waiting or flights):
        return []
    found = Pace.of(session.journal).run(planned.run.address, flights, waiting, session.args.parallel)
    return [f"by {clock(by)}, in {duration(by - now)}: {verdict(found, by - now)}"]


def clock(moment: float) -> str:
    """A moment as a person says it, in local time."""
    return time.strftime("%H:%M" if moment - time.time() < 86_400 else "%Y-%m-%d %H:%M", time.localtime(moment))


def verdict(found: Estimate, left: float) -> str:
    """Whether something is likely to end within `left` seconds."""
    if found.likely is None:
        return f"cannot be told ({found.basis})"
    low, high = found.low or found.likely, found.high or found.likely
    said = "likely met" if high <= left else "not likely to be met" if low > left else "uncertain"
    return f"{said}: {found.when} ({found.basis})"

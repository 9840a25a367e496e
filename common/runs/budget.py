"""The spending caps of runs and months: money is reserved in the very transaction that writes the intent to submit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from common.nouns import TO_SUBMIT, Pause, Shard, State
from common.runs.desk import Desk
from common.runs.journal import Journal, QueueFull, Terms
from common.runs.spending import ROUNDING, Caps, Committed, OverCap, month_of
from common.text import many, usd

UNPRICED = "add the price to common/catalog/models.toml, or take MONTHLY_CAP_USD away"
NOTHING = Committed(0.0, 0.0)
REHEARSED = "rehearsed: "  # before what is said of a cap on simulated money


def write_intent(desk: Desk, shard: Shard) -> Shard | None:
    """Commit `submitting` with the shard's reserve, before the one call that costs money; None when a cap forbids it.

    Beyond a cap nothing is written but that the run is paused, and why. None too when another process has just taken the
    room in the host's queue: the shard waits. Raises Overtaken.
    """
    options, now = desk.options, desk.clock.now()
    told = {"max_cost": options.caps.run, "retries": options.retries, "parallel": options.parallel}
    try:
        terms = Terms(options.caps, desk.as_of, lambda: desk.queues.fits(shard))
        return desk.record(shard, "submitting", about={"told": told}, terms=terms, state=State.SUBMITTING, intent_at=now)
    except QueueFull:
        desk.wait(shard, desk.options.poll)
        return None
    except OverCap as over:
        whole = f"study {desk.run.study}" if desk.run.study else "this run"
        desk.pause(REHEARSED * desk.run.local + _reached(over, whole, now), Pause.CAP)
        return None


def _reached(over: OverCap, whole: str, now: float) -> str:
    """Why a run pauses: which cap it was, what is spent and in flight, and what goes on."""
    if over.reserve is None:
        return f"no price is known for the next batch, so MONTHLY_CAP_USD cannot be kept; {UNPRICED}"
    if over.which == "run":
        return f"the next batch could bring {whole} to {_beyond(over.most, over.cap, over.money)}; --max-cost USD raises it"
    month, _, following = month_of(now)
    said = f"the next batch could bring the month {month} (UTC) to {_beyond(over.most, over.cap, over.money)}"
    return f"{said}; the same command goes on with a higher MONTHLY_CAP_USD, or from {following}"


def _beyond(most: float, cap: float, money: Committed) -> str:
    unpriced = f", beside {many(money.unpriced, 'batch')} at no known price" if money.unpriced else ""
    stands = f" (spent {usd(money.spent)}, in flight at most {usd(money.out)}{unpriced})" if money != NOTHING else ""
    return f"{usd(most)}, above the cap of {usd(cap)}{stands}"


class Stop(NamedTuple):
    """A cap that does not cover all that is planned, should every answer cost as much as it can."""

    which: str  # "run" (or its study) or "month"
    cap: float  # USD
    money: Committed  # what counts against it already
    most: float | None  # USD that it would come to; None where a price is unknown
    covers: int  # requests of the batches that it has room for …
    waiting: int  # … of so many that wait to be sent

    def facts(self) -> dict:
        """As a plan's JSON has it."""
        return {
            "cap": self.which, "usd": self.cap, "spent_usd": self.money.spent, "in_flight_at_most_usd": self.money.out,
            "covers_requests": self.covers, "requests_to_send": self.waiting,
        }  # fmt: skip

    def line(self, whole: str, now: float) -> str:
        """What a person is told of it; `whole` is "this" or the study."""
        if self.most is None:
            return f"no price is known for a part of it, so MONTHLY_CAP_USD cannot be kept; {UNPRICED}"
        covers = f"which covers {self.covers:,} of the {self.waiting:,} requests to send"
        if self.which == "run":
            return f"{whole} could cost up to {_beyond(self.most, self.cap, self.money)}, {covers}; --max-cost USD raises it"
        month, _, following = month_of(now)
        said = f"the month {month} (UTC) could come to {_beyond(self.most, self.cap, self.money)}, {covers}"
        return f"{said}; MONTHLY_CAP_USD raises it, and {following} begins a new month"


def stops(journal: Journal, plans: Mapping[str, Sequence[Shard]], caps: Caps, now: float, simulated: bool) -> Iterator[Stop]:
    """The caps that would stop what is planned: shards by run, which share both caps."""
    waiting = [shard for shards in plans.values() for shard in shards if shard.state in TO_SUBMIT]
    if caps.run < math.inf:
        yield from _stop("run", caps.run, journal.money(*plans), waiting)
    if caps.month < math.inf:
        yield from _stop("month", caps.month, journal.month(now, simulated), waiting)


def _stop(which: str, cap: float, money: Committed, waiting: Sequence[Shard]) -> Iterator[Stop]:
    most, covers = money.total, 0
    for shard in waiting:
        reserve = math.inf if shard.reserve is None and which == "month" else shard.reserve or 0.0
        most += reserve
        if most <= cap + ROUNDING:
            covers += shard.count
    if most > cap + ROUNDING:
        yield Stop(which, cap, money, most if most < math.inf else None, covers, sum(shard.count for shard in waiting))

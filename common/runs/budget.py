"""The spending cap of a run: money is reserved in the very transaction that writes the intent to submit."""

from __future__ import annotations

from common.nouns import Pause, Shard, State
from common.runs.desk import Desk
from common.runs.journal import OverCap, QueueFull


def write_intent(desk: Desk, shard: Shard) -> Shard | None:
    """Commit `submitting` with the shard's reserve, before the one call that costs money; None when the cap forbids it.

    Beyond the cap nothing is written but that the run is paused, and why. None too when another process has just taken the
    room in the host's queue: the shard waits. Raises Overtaken.
    """
    options, whole = desk.options, f"study {desk.run.study}" if desk.run.study else "this run"
    told = {"max_cost": options.max_cost, "retries": options.retries, "parallel": options.parallel}
    try:
        return desk.record(
            shard, "submitting", cap=options.max_cost, about={"told": told}, as_of=desk.as_of, fits=lambda: desk.queues.fits(shard),
            state=State.SUBMITTING, intent_at=desk.clock.now(),
        )  # fmt: skip
    except QueueFull:
        desk.wait(shard, desk.options.poll)
        return None
    except OverCap as over:
        desk.pause(
            f"the next batch could bring {whole} to {over.most:.2f} USD, above the cap of {options.max_cost:.2f}; "
            f"--max-cost USD raises it",
            Pause.CAP,
        )
        return None

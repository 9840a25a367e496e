"""What a person asks of a run beside going on: look at some batches now, stop them, give up what is owed, ask again what failed."""

from __future__ import annotations

from collections.abc import Iterable

from common.errors import InputError
from common.nouns import FINAL, Pause, Shard, State
from common.runs import collect, lost, once_more, steps, watch
from common.runs.desk import Desk


def resume(desk: Desk) -> None:
    """Forget why the run was paused: the person who calls again has seen to it."""
    if desk.run.paused:
        desk.save_run("resumed", paused="", paused_by=Pause.NO)


def collect_ended(desk: Desk, wanted: Iterable[int]) -> None:
    """One look at given shards' batches: what has ended is collected, nothing is submitted. Raises the worst that went wrong."""
    wanted = list(wanted)
    for n in wanted:
        if desk.shards[n].state is State.OWED:
            steps.reopen(desk, desk.shards[n])
    desk.ask(lambda: watch.look(desk, [desk.shards[n] for n in wanted if desk.shards[n].state is State.SUBMITTED]))
    for n in wanted:
        if desk.shards[n].state is State.ENDED:
            collect.collect_now(desk, desk.shards[n])
    if desk.worst:
        raise desk.worst


def cancel(desk: Desk) -> list[str]:
    """Ask the host to stop every batch in flight, and submit nothing more; returns the ids of those asked."""
    if desk.count(*FINAL) == len(desk.shards):
        raise InputError(f"run {desk.run.name} has nothing left to cancel")
    desk.save_run("cancel", stopped=True)
    return cancel_flying(desk)


def cancel_flying(desk: Desk) -> list[str]:
    """Ask the host to stop every batch in flight; the run itself is not cancelled. Returns the ids of those asked."""
    for shard in desk.of(State.SUBMITTING):
        desk.ask(lambda shard=shard: lost.recover(desk, shard))
    return [shard.batch_id for shard in desk.of(State.SUBMITTED) if cancel_one(desk, shard)]


def cancel_one(desk: Desk, shard: Shard) -> bool:
    """Ask the host to stop one batch; whether it was asked. Unfinished rows are not sent again unless a person asks for it."""
    desk.record(shard, "cancel", stopped=True)
    return lost.cancel_batch(desk, shard.batch_id)


def give_up(desk: Desk, batch_ids: Iterable[str]) -> list[str]:
    """Close owed batches as a person wishes; returns the ids of those that were owed.

    With "" among the ids, also creations whose answer was lost at a host that does not list batches.
    """
    wanted = set(batch_ids)
    gone = [shard for shard in desk.of(State.SUBMITTING) if "" in wanted and desk.ask(lambda s=shard: lost.listed(desk, s)) is None]
    for shard in gone:
        steps.give_up(desk, shard, "its answer was lost; a person has given it up")
    owed = [shard for shard in desk.of(State.OWED) if shard.batch_id in wanted]
    for shard in owed:
        collect.give_up_owed(desk, shard)
    return [*(shard.batch_id for shard in owed), *(f"shard {shard.n}" for shard in gone)]


def retry_failed(desk: Desk, cap: int | None = None) -> int:
    """Plan new shards for every request without a clean answer; returns how many requests.

    With a `cap` only for answers that were cut off, to be asked with that many tokens. What is owed is looked at and fetched
    again first, and never sent again: it may have been answered.
    """
    collect.mend_all(desk)
    if owed := [shard.n for shard in desk.of(State.OWED)]:
        collect_ended(desk, owed)
    if desk.worst:
        raise desk.worst
    return once_more.retry_failed(desk, cap)

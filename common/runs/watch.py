"""Watching batches until they end: one look at many of them, and what is made of what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from common.errors import Broke, Refused
from common.nouns import Batch, Shard, State
from common.runs.desk import Desk
from common.runs.lost import turned_down
from common.runs.steps import give_up, owe, pause_before_retry, queue_line, wait_for_file


def look(desk: Desk, flying: Iterable[Shard]) -> bool:
    """Ask for the status of batches; returns whether anything has changed."""
    by_id = {shard.batch_id: shard for shard in flying}
    seen = _seen(desk, by_id)
    changed = False
    for batch_id, shard in by_id.items():
        if (batch := seen.get(batch_id)) is None:
            vanished(desk, shard)
            continue
        desk.found(shard)
        changed |= batch != desk.memory[shard.n].batch
        desk.memory[shard.n].batch = batch
        desk.tell("batch", shard, batch=batch)
        if batch.failed:
            _failed(desk, shard, batch)
            continue
        if batch.total:  # its input was read
            desk.queues.went_through(shard)
        if batch.ended:
            desk.record(shard, "ended", state=State.ENDED)
    return changed


def _seen(desk: Desk, by_id: Mapping[str, Shard]) -> dict[str, Batch]:
    """What the host shows of batches. That it refuses to show one is that one's trouble, not the account's."""
    seen: dict[str, Batch] = {}
    try:
        for batch in desk.provider.status(by_id) if by_id else ():
            seen[batch.id] = batch
    except Refused as error:
        if error.status == 401 or isinstance(error, Broke):
            raise
        desk.tell("wait", text=f"{error}; looking again")
    return seen


def vanished(desk: Desk, shard: Shard) -> None:
    """The host does not know a batch that it has accepted: owed once that has lasted, for a replica may lag."""
    if desk.searched_in_vain(shard):
        owe(desk, shard, "the provider does not know it at the moment")
    else:
        desk.wait(shard, min(desk.options.grace, desk.options.poll))


def look_elsewhere(desk: Desk, models: Iterable[str]) -> bool:
    """Ask for the batches of other runs that keep these models' shards waiting; returns whether any has ended.

    Their own commands may not be at work, and then their journal's lines would stand in our way for ever.
    """
    batch_ids = desk.queues.held_elsewhere(models)
    seen = _seen(desk, batch_ids)
    over = {one for one in batch_ids if one not in seen or seen[one].ended}
    desk.queues.over |= over
    return bool(over)


def _failed(desk: Desk, shard: Shard, batch: Batch) -> None:
    """A batch whose input was turned down as a whole: nothing was tried, nothing is billed."""
    said = "; ".join(": ".join(filter(None, (p.get("code"), p.get("message")))) for p in batch.problems[:3]) or "no reason was given"
    match batch.refusal:
        case "later":
            shard = turned_down(desk, shard, State.UPLOADED, 0.0, said)
            wait = desk.queues.refused(shard, said, desk.options.poll * 4)
            desk.tell("wait", shard, queue_line(desk, shard, wait))
        case "not ready" if wait_for_file(desk, shard, said):
            pass
        case "upload again" if shard.tries < desk.options.retries:
            turned_down(desk, shard, State.PLANNED, pause_before_retry(desk, shard), said)
        case _:
            give_up(desk, shard, said, batch.problems)

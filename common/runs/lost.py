"""Looking for the batch that a creation without an answer may have made: taken, waited for, or known never to have been made."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from common.errors import BatchError, InputError, Refused, Unknown
from common.experiment import ids_file, shards
from common.nouns import TO_SUBMIT, Batch, Shard, State
from common.providers.base import SLACK, UNLISTED
from common.results.raw import Problem, read_raw
from common.runs.claims import Claimed, Holder, proves
from common.runs.desk import Desk


def sent_elsewhere(desk: Desk, shard: Shard) -> bool:
    """Before the creations of a plan that another command has made: whether a copy of this folder has sent this shard already."""
    if desk.suspicious is None:
        desk.suspicious = not desk.fresh and _is_untouched(desk) and _made_elsewhere(desk)
    if not desk.suspicious or shard.attempt > 1:
        return False
    since = desk.run.created_at
    seen = [b for b in _all(desk) if _is_of_plan(b, shard)] or [
        b for b in listed(desk, replace(shard, ref="", intent_at=since)) or () if not b.tag and not b.ref and b.created_at >= since - SLACK
    ]
    found, _ = desk.journal.standing(shard, seen)
    if not shard.mark:
        found = [b for b in found if _is_of_plan(b, shard) or not _asks_other_ids(desk, shard, b)]
    if not found:
        return False
    if not _is_of_plan(found[0], shard) and not shard.mark:  # its rows could not tell: neither taken for ours, nor bought beside it unasked
        raise InputError(
            f"batch {found[0].id} was made in this account after this run was planned, is as large, and no run here made it; "
            f"if it is not a copy of this run's, plan anew with --run NAME"
        )
    return _adopt(desk, shard, found)


def _asks_other_ids(desk: Desk, shard: Shard, batch: Batch) -> bool:
    """Whether a batch that has ended shows by a row that it is not this shard's. Its file is read once a command, and not kept."""
    if not batch.ended or not batch.output:
        return False
    if batch.id not in desk.row_of:
        with TemporaryDirectory(dir=desk.run.folder) as folder:
            files = desk.provider.download(batch, Path(folder, "output"), Path(folder, "errors"))
            items = (item for path in files for _, item in read_raw(path, desk.provider.decode))
            desk.row_of[batch.id] = next((item.custom_id for item in items if not isinstance(item, Problem)), "")
    row = desk.row_of[batch.id]
    return bool(row) and row not in ids_file.ids(shard)


def _is_untouched(desk: Desk) -> bool:
    """Whether nothing of a run was ever about to be created, as far as this journal knows."""
    return desk.count(*TO_SUBMIT) == len(desk.shards) and not any(shard.intent_at for shard in desk.shards.values())


def _made_elsewhere(desk: Desk) -> bool:
    """Whether the host's list shows a batch that a copy of this run may have made: one look, for all shards."""
    tags = {shards.first_tag(shard.tag) for shard in desk.shards.values()}
    refs = {shard.ref for shard in desk.shards.values() if shard.ref}
    since = desk.run.created_at - SLACK
    batches = _all(desk)
    told = (shards.first_tag(b.tag) in tags if b.tag else b.ref in refs for b in batches if b.tag or b.ref)
    return any(told) or any(b.created_at >= since or not b.created_at for b in batches if not b.tag and not b.ref)


def _all(desk: Desk) -> list[Batch]:
    """All batches that the host lists, oldest first; none where it does not list any."""
    try:
        return list(desk.provider.listing())[::-1]
    except (Refused, Unknown) as error:
        if error.status not in UNLISTED:
            raise
        return []


def _is_of_plan(batch: Batch, shard: Shard) -> bool:
    """Whether a batch says itself that it is of a try at this shard, here or in a copy of its folder."""
    same_try = proves(batch, shard)
    return not batch.failed and (same_try or bool(batch.tag) and shards.first_tag(batch.tag) == shards.first_tag(shard.tag))


def recover(desk: Desk, shard: Shard) -> None:
    """Look for the batch that a lost answer may have made: adopt it, look again later, or submit again.

    Raises Unknown while a shard of another run holds a batch that may be this one's.
    """
    found = listed(desk, shard)
    free, holder = desk.journal.standing(shard, found or ())
    if free and _adopt(desk, shard, free):
        return
    if desk.memory[shard.n].busy and not (holder or free):  # what another shard holds may be what was made all the same
        turned_down(desk, shard, State.UPLOADED, 0.0, shard.note)
    elif found is None:
        desk.set_aside(shard, BatchError(unlisted(desk, shard)))
    elif holder or free:
        _wait_for(desk, shard, holder)
    elif desk.searched_in_vain(shard):
        desk.found(shard)
        desk.tell("again", shard, "the lost batch was never made; submitting again")
        turned_down(desk, shard, State.UPLOADED, 0.0, "")
    else:
        desk.wait(shard, min(desk.options.grace, desk.options.poll))


def listed(desk: Desk, shard: Shard) -> list[Batch] | None:
    """What the host's list shows of a shard's lost batch; None where the host does not list batches at all."""
    try:
        return [*desk.provider.find(shard)]
    except (Refused, Unknown) as error:
        if error.status not in UNLISTED:
            raise
        return None


def unlisted(desk: Desk, shard: Shard) -> str:
    """What a person must do about a creation whose answer was lost, at a host that does not list batches."""
    at, name = time.strftime("%Y-%m-%d %H:%M", time.localtime(shard.intent_at)), desk.run.name
    return (
        f"nobody can tell whether a batch of {shard.count:,} requests was made at {at}: its answer was lost, and the provider lists no "
        f"batches; it is never sent again by itself. See in the provider's own pages: if it is not there, --give-up {name} and then "
        f"--retry-failed {name} send it once more; if it is there, --status ID fetches its answers"
    )


def _wait_for(desk: Desk, shard: Shard, holder: Holder | None) -> None:
    """Somebody else holds a batch that may be this shard's: nothing is known before its rows are."""
    desk.found(shard)
    mine = desk.shards.get(holder.n) if holder and holder.run == shard.run else None
    if holder and not (mine and mine.state in (State.SUBMITTED, State.ENDED) and not desk.memory[mine.n].stuck):
        raise Unknown(f"batch {holder.batch_id}, which run {holder.run.partition('/')[2]} has taken for its own, may be the lost one of "
                      f"shard {shard.n}: that run's command shows whose it is")  # fmt: skip
    desk.wait(shard, desk.options.poll)


def _adopt(desk: Desk, shard: Shard, found: Iterable[Batch]) -> bool:
    """Take the first batch that nobody has claimed meanwhile; whether there was one."""
    found = list(found)
    for batch in found:
        try:
            _take(desk, shard, batch, [other for other in found if other is not batch])
        except Claimed:
            continue
        return True
    return False


def _take(desk: Desk, shard: Shard, first: Batch, rest: Iterable[Batch]) -> None:
    note, unproven = "found at the provider after its answer was lost", not proves(first, shard)
    if unproven:
        note += "; whose it is shows once its rows are there"
    shard = desk.record(shard, "adopted", state=State.SUBMITTED, batch_id=first.id, adopted=True, unproven=unproven, note=note)
    desk.tell("adopted", shard)
    if desk.run.stopped or shard.stopped:  # a person wanted it stopped while its answer was lost
        desk.tell("late", shard, f"batch {shard.batch_id} was found after its run was cancelled: cancelling it")
        cancel_batch(desk, shard.batch_id)
    for other in rest:
        if other.tag == shard.tag:  # certainly ours; a mere likeness may be somebody else's paid work
            desk.tell("double", shard, f"batch {other.id} is a double of {first.id}: cancelling it")
            cancel_batch(desk, other.id)


def cancel_batch(desk: Desk, batch_id: str) -> bool:
    """Ask the host to stop a batch; whether it was asked. One that has ended meanwhile is no error, nor is a host that stops none."""
    try:
        desk.ask(lambda: desk.provider.cancel(batch_id))
    except Refused as error:
        if error.status not in (400, 404, 405, 409):
            raise
        has_ended = f"batch {batch_id} has ended before it could be cancelled"
        desk.tell("late", text=str(error) if error.status == 405 else has_ended)
        return error.status != 405
    return True


def turned_down(desk: Desk, shard: Shard, state: State, wait: float, note: str) -> Shard:
    """Not accepted: back for another try, under a tag of its own."""
    desk.memory[shard.n].busy = False
    tag = shards.next_tag(shard.tag)
    return desk.record(shard, "turned_down", state=state, batch_id="", tag=tag, tries=shard.tries + 1, wait=wait, note=note)

"""The steps of a shard up to the end of its batch: each does one outside thing, then commits one event."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from common.errors import BatchError, Broke, Busy, Denied, InputError, Refused, Unknown, Unreached
from common.experiment import shards
from common.nouns import TO_SUBMIT, Batch, Pause, Shard, State
from common.outcomes import OWED
from common.providers.base import SLACK, UNLISTED
from common.results.tally import BatchScan
from common.retry import backoff
from common.runs import witness
from common.runs.budget import write_intent
from common.runs.claims import Claimed, Holder, proves
from common.runs.desk import Desk

LONGEST_QUEUE = 600.0  # seconds between two tries at a full queue


def upload(desk: Desk, shard: Shard) -> None:
    """planned → uploaded."""
    shards.check(shard)
    try:
        ref = desk.provider.upload(shard)
    except Refused as error:
        if isinstance(error, (Denied, Broke)):
            raise
        give_up(desk, shard, f"its file was refused: {error}")
        return
    if not desk.run.account:  # the first thing this key was let do: from here on the run is that account's
        desk.save_run("bound", account=desk.account)
    desk.record(shard, "uploaded", state=State.UPLOADED, ref=ref)


def submit(desk: Desk, shard: Shard) -> None:
    """uploaded → submitting, written first; then THE call; → submitted, or back, or refused, or looked for."""
    if _sent_elsewhere(desk, shard):
        return
    intended = write_intent(desk, shard)
    if intended is None:
        return
    shard = intended
    witness.intends(shard)
    try:
        batch_id = desk.provider.submit(shard, desk.models[shard.model].id)
    except Unknown as error:
        desk.tell("lost", shard, str(error))
        desk.record(shard, "answer_lost", note=str(error))
    except Busy as error:
        wait = _pause_of(desk, shard) if error.retry_after is None else error.retry_after
        desk.tell("wait", shard, f"{error}; trying again in {wait:.0f} s")
        desk.memory[shard.n].busy = True
        desk.record(shard, "busy", wait=wait, note=str(error))
    except Unreached as error:
        wait = _pause_of(desk, shard)
        desk.tell("wait", shard, f"{error}; trying again in {wait:.0f} s")
        turned_down(desk, shard, State.UPLOADED, wait, str(error))
    except Broke as error:
        turned_down(desk, shard, State.UPLOADED, 0.0, str(error))
        desk.pause(str(error), Pause.MONEY)
    except (Denied, InputError) as error:  # of the file: it was not sent whole, so nothing can have been accepted
        turned_down(desk, shard, State.UPLOADED, 0.0, str(error))
        raise
    except Refused as error:
        _refused(desk, shard, error)
    else:
        _accepted(desk, shard, batch_id)


def _accepted(desk: Desk, shard: Shard, batch_id: str) -> None:
    try:
        shard = desk.record(shard, "submitted", state=State.SUBMITTED, batch_id=batch_id, note="")
    except Claimed:  # an answer out of some cache, or a host that counts anew: it says nothing about this creation
        note = f"the answer names batch {batch_id}, which was there before: looking for the one that it may have made"
        desk.tell("lost", shard, note)
        desk.record(shard, "answer_lost", note=note)
        return
    witness.accepted(shard)
    desk.tell("submitted", shard)


def _sent_elsewhere(desk: Desk, shard: Shard) -> bool:
    """Before the first creation of a plan that another command has made: whether a copy of this folder has sent it already."""
    untouched = desk.count(*TO_SUBMIT) == len(desk.shards)
    if desk.fresh or desk.suspicious is False or (desk.suspicious is None and not untouched):
        return False
    since = desk.run.created_at
    found, _ = desk.journal.standing(shard, listed(desk, replace(shard, ref="", intent_at=since)) or ())
    found = [b for b in found if proves(b, shard) or (not b.tag and not b.ref and b.created_at >= since - SLACK)]
    desk.suspicious = bool(found)
    if not found:
        return False
    if not proves(found[0], shard) and not shard.mark:  # its rows could not tell: neither taken for ours, nor bought beside it unasked
        raise InputError(
            f"batch {found[0].id} was made in this account after this run was planned, is as large, and no run here made it; "
            f"if it is not a copy of this run's, plan anew with --run NAME"
        )
    return _adopt(desk, shard, found)


def _pause_of(desk: Desk, shard: Shard) -> float:
    return backoff(shard.tries + 1, desk.options.poll)


def turned_down(desk: Desk, shard: Shard, state: State, wait: float, note: str) -> Shard:
    """Not accepted: back for another try, under a tag of its own."""
    desk.memory[shard.n].busy = False
    tag = shards.new_tag(shard.run, shard.n)
    return desk.record(shard, "turned_down", state=state, batch_id="", tag=tag, tries=shard.tries + 1, wait=wait, note=note)


def _refused(desk: Desk, shard: Shard, error: Refused) -> None:
    """The create call was refused: again with a new upload if its file is gone, else for good."""
    if error.status == 404 and shard.tries < desk.options.retries:
        turned_down(desk, shard, State.PLANNED, _pause_of(desk, shard), str(error))
        return
    line = desk.provider.line_of(str(error))
    give_up(desk, shard, str(error), [{"message": str(error), "line": line}] if line else [])


def give_up(desk: Desk, shard: Shard, why: str, problems: Iterable[dict] = ()) -> None:
    """Refused for good. Where lines are named and --skip-invalid is on, the others go on as a new shard."""
    named = []
    for problem in problems:
        line = problem.get("line")
        named.append({**problem, "custom_id": shards.id_at_line(shard, line) if isinstance(line, int) else ""})
    bad = {p["custom_id"] for p in named if p["custom_id"]}
    follower = None
    if bad and desk.options.skip_invalid:
        keep = {sent for sent, rest in shards.ids(shard).items() if shards.custom_id(shard, sent, rest) not in bad}
        follower = shards.retry(shard, desk.next_n(), keep, attempt=shard.attempt)
    more = [follower] if follower else []
    shard = desk.record(shard, "refused", more, state=State.REFUSED, note=why, problems=tuple(named[:1000]))
    desk.tell("refused", shard, why)


# ---- lost answers


def recover(desk: Desk, shard: Shard) -> None:
    """Look for the batch that a lost answer may have made: adopt it, look again later, or submit again.

    Raises Unknown while a shard of another run holds a batch that may be this one's.
    """
    found = listed(desk, shard)
    free, holder = desk.journal.standing(shard, found or ())
    if free and _adopt(desk, shard, free):
        return
    if desk.memory[shard.n].busy:
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


def cancel_batch(desk: Desk, batch_id: str) -> None:
    """Ask the host to stop a batch; one that has ended meanwhile is no error."""
    try:
        desk.ask(lambda: desk.provider.cancel(batch_id))
    except Refused as error:
        if error.status not in (400, 404, 409):
            raise
        desk.tell("late", text=f"batch {batch_id} has ended before it could be cancelled")


# ---- watching


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
        elif batch.ended:
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


def owe(desk: Desk, shard: Shard, why: str, found: BatchScan | None = None, files: Mapping[Path, str] | None = None) -> None:
    """A batch was accepted and may be paid, but not all of it can be had now: each command looks and fetches again."""
    changes: dict[str, object] = {"files": {path.name: sha256 for path, sha256 in (files or {}).items()}}
    if found is not None:
        changes["tally"] = {**found.tally.outcomes, OWED: len(found.absent)}
    shard = desk.record(shard, "owed", state=State.OWED, note=why, **changes)
    desk.tell("owed", shard, f"batch {shard.batch_id} is owed: {why}")


def trouble(desk: Desk, shard: Shard, error: BatchError) -> None:
    """A passing error of one shard: waited for as long as the patience, then owed if it has ended, else set aside."""
    if (wait := desk.patience_left(shard, error)) is not None:
        desk.tell("wait", text=f"{error}; trying again in {wait:.0f} s")
        desk.wait(shard, wait)
    elif shard.state is State.ENDED:
        owe(desk, shard, f"its results cannot be had: {error}")
    else:
        desk.set_aside(shard, error)


def reopen(desk: Desk, shard: Shard) -> Shard:
    """owed → submitted: looked at and fetched once more."""
    return desk.record(shard, "reopened", state=State.SUBMITTED)


def _failed(desk: Desk, shard: Shard, batch: Batch) -> None:
    """A batch whose input was turned down as a whole: nothing was tried, nothing is billed."""
    said = "; ".join(f"{p.get('code')}: {p.get('message')}" for p in batch.problems[:3]) or "no reason was given"
    match batch.refusal:
        case "later":
            wait = backoff(shard.tries + 2, desk.options.poll * 2, LONGEST_QUEUE)
            desk.tell("wait", shard, f"the queue for {shard.model} is full; its turn comes later ({wait:.0f} s)")
            turned_down(desk, shard, State.UPLOADED, wait, said)
        case "upload again" if shard.tries < desk.options.retries:
            turned_down(desk, shard, State.PLANNED, _pause_of(desk, shard), said)
        case _:
            give_up(desk, shard, said, batch.problems)

"""The steps of a shard until its batch is accepted: each does one outside thing, then commits one event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from common.errors import BatchError, Broke, Busy, Denied, InputError, Refused, Unknown, Unreached
from common.experiment import ids_file, shards
from common.nouns import IN_FLIGHT, Limits, Pause, Shard, State
from common.outcomes import OWED, is_unready
from common.providers import quota
from common.results.scan import BatchScan
from common.retry import backoff
from common.runs import witness
from common.runs.budget import write_intent
from common.runs.claims import Claimed
from common.runs.desk import Desk
from common.runs.lost import sent_elsewhere, turned_down
from common.runs.reuse import forget
from common.runs.room import lacking

LONGEST_UNREADY = 600.0  # seconds between two tries with a file that the host has not processed yet
UNREADY = 12  # tries with a file that the host has not processed yet: 47 minutes at the usual pace; each fourth uploads again


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
    """uploaded → submitting, written first; then THE call; → submitted, or back, or refused, or looked for.

    Before the disk is full the run pauses: what is out already still finds its room.
    """
    if sent_elsewhere(desk, shard):
        return
    if why := lacking(desk.run.folder, [*desk.of(*IN_FLIGHT), shard]):
        desk.pause(f"{why} of what is out and of the next batch; make room (make disk shows what uses it)", Pause.DISK)
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
        wait = _busy(desk, shard, error)
        desk.memory[shard.n].busy = True
        desk.record(shard, "busy", wait=wait, note=str(error))
    except Unreached as error:
        wait = pause_before_retry(desk, shard)
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


def _busy(desk: Desk, shard: Shard, error: Busy) -> float:
    """Not accepted for now; seconds until it is made sure of. For a full queue the gates see to the rest."""
    if quota.said(str(error)) is not None:
        held = desk.queues.refused(shard, str(error), 2 * (error.retry_after or desk.options.poll))
        desk.tell("wait", shard, queue_line(desk, shard, held))
        return 0.0
    wait = pause_before_retry(desk, shard) if error.retry_after is None else error.retry_after
    desk.tell("wait", shard, f"{error}; trying again in {wait:.0f} s")
    return wait


def pause_before_retry(desk: Desk, shard: Shard) -> float:
    """Seconds until the input of a shard that was turned down goes out again."""
    return backoff(shard.tries + 1, desk.options.poll)


def _refused(desk: Desk, shard: Shard, error: Refused) -> None:
    """The create call was refused: again with a new upload if its file is gone, else for good."""
    if error.status == 404 and shard.tries < desk.options.retries:
        turned_down(desk, shard, State.PLANNED, pause_before_retry(desk, shard), str(error))
        return
    if is_unready(str(error)) and wait_for_file(desk, shard, str(error)):
        return
    line = desk.provider.line_of(str(error))
    give_up(desk, shard, str(error), [{"message": str(error), "line": line}] if line else [])


def wait_for_file(desk: Desk, shard: Shard, said: str) -> bool:
    """The host has not processed the input file yet: the same one again, at times a new one; whether that may still help."""
    memory = desk.memory[shard.n]
    memory.unready += 1
    if memory.unready > UNREADY:
        return False
    wait = backoff(memory.unready, desk.options.poll, LONGEST_UNREADY)
    desk.tell("wait", shard, f"the host has not processed the input file of shard {shard.n} yet; trying again in {wait:.0f} s")
    turned_down(desk, shard, State.UPLOADED if memory.unready % 4 else State.PLANNED, wait, said)
    return True


def give_up(desk: Desk, shard: Shard, why: str, problems: Iterable[dict] = ()) -> None:
    """Refused for good. Where lines are named and --skip-invalid is on, the others go on as a new shard."""
    named = []
    for problem in problems:
        line = problem.get("line")
        named.append({**problem, "custom_id": ids_file.id_at_line(shard, line) if isinstance(line, int) else ""})
    bad = {p["custom_id"] for p in named if p["custom_id"]}
    follower = None
    if bad and desk.options.skip_invalid:
        keep = {sent for sent, rest in ids_file.ids(shard).items() if ids_file.custom_id(shard, sent, rest) not in bad}
        follower = shards.retry(shard, desk.next_n(), keep, attempt=shard.attempt)
    more = [follower] if follower else []
    shard = desk.record(shard, "refused", more, state=State.REFUSED, note=why, problems=tuple(named[:1000]))
    desk.tell("refused", shard, why)


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


def cut(desk: Desk, shard: Shard) -> None:
    """A shard that is larger than the host's whole queue → several that fit; it was planned when nobody knew that."""
    words = desk.queues.words(shard.model)
    if shard.count == 1:
        give_up(desk, shard, f"its one request has {shard.tokens:,} prompt tokens, and the queue of {shard.model} {words}")
        return
    most = desk.queues.cut(Limits(None, None), shard.model)
    groups = ids_file.groups(shard, most["tokens"], most.get("requests"))
    parts = [shards.part(shard, n, ids, desk.run.mark) for n, ids in enumerate(groups, desk.next_n())]
    desk.replan(shard, parts)
    forget([shard])
    desk.tell("cut", text=f"shard {shard.n} is larger than the queue of {shard.model}, which {words}: cut into {len(parts)}")


def queue_line(desk: Desk, shard: Shard, wait: float) -> str:
    """In words, that the host's queue is full and for how long its shards wait."""
    how = f"the queue of {shard.model} is full: it {desk.queues.words(shard.model)}"
    return f"{how}; trying again in {wait:.0f} s" if wait else f"{how}; a shard waits until there is room"

"""Collecting an ended batch: its files fetched and read against what was asked, and new shards for what is asked again."""

from __future__ import annotations

from pathlib import Path

from common.errors import Broke, Busy, Denied, InputError, Refused, Unknown, Unreached
from common.experiment import ids_file, shards
from common.experiment.marks import moved
from common.nouns import Batch, Pause, Shard, State
from common.outcomes import OWED, POLICY, Policy
from common.results.packed import raw_sha256
from common.results.scan import BatchScan, scan
from common.retry import backoff
from common.runs import verdicts
from common.runs.desk import Desk
from common.runs.rawnames import paths_to_write
from common.runs.steps import owe
from common.runs.watch import vanished

DOWNLOADS = 3  # how often a result file with holes is fetched at least before the holes are believed


def collect_shard(desk: Desk, shard: Shard, patient: bool = True) -> None:
    """ended → collected, or owed; with `patient`, late and broken results are waited for first, as long as the grace.

    Looked for again when the rows are not ours. Raises Busy, Unreached and Unknown of a host that cannot be had.
    """
    memory = desk.memory[shard.n]
    if (batch := memory.batch or _status_of(desk, shard)) is None:
        vanished(desk, shard)
        return
    if not batch.ended:  # a replica that lags: what has ended cannot run again
        desk.record(shard, "runs_again", state=State.SUBMITTED)
        return
    try:
        files = _download(desk, shard, batch)
    except Refused as error:
        if isinstance(error, Broke) or (isinstance(error, Denied) and error.status == 401):
            raise
        files, why = {}, f"its results cannot be had: {error}"
    else:
        why = ""
    found = scan_of(desk, shard)
    if is_foreign(shard, found):
        _disown(desk, shard)
        return
    absent = verdicts.absent_outcome(shard, batch, found)
    if (why or verdicts.has_holes(batch, found)) and patient and _may_wait(desk, shard):
        memory.batch = None  # a new look: an output file may be named late
        desk.wait(shard, desk.options.poll)
    elif found.absent and (why or absent == OWED):
        owe(desk, shard, why or f"{len(found.absent)} of its requests have no line yet, and may have been answered", found, files)
    else:
        close(desk, shard, batch, found, files)


def _download(desk: Desk, shard: Shard, batch: Batch) -> dict[Path, str]:
    output, errors = paths_to_write(desk.journal, desk.run, shard.batch_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    return desk.provider.download(batch, output, errors)


def _may_wait(desk: Desk, shard: Shard) -> bool:
    """Whether results with holes are fetched once more by this command."""
    memory = desk.memory[shard.n]
    memory.downloads += 1
    memory.since = memory.since or desk.clock.steady()
    return memory.downloads < DOWNLOADS or desk.clock.steady() - memory.since < desk.options.grace


def _status_of(desk: Desk, shard: Shard) -> Batch | None:
    return next(iter(desk.provider.status([shard.batch_id])), None)


def scan_of(desk: Desk, shard: Shard) -> BatchScan:
    """What a collected batch's files hold."""
    return scan(shard, desk.run, desk.models[shard.model], desk.provider.decode)


def is_foreign(shard: Shard, found: BatchScan) -> bool:
    """Whether the rows of a batch that was adopted by its likeness are not what we asked: it was somebody else's."""
    return shard.unproven and found.tally.bad["foreign"] > shard.count - len(found.absent)


def _disown(desk: Desk, shard: Shard) -> None:
    """Keep the file of somebody else's batch out of our results, and look on for ours."""
    for path in paths_to_write(desk.journal, desk.run, shard.batch_id):
        path.unlink(missing_ok=True)
    desk.tell("disowned", shard, f"batch {shard.batch_id} answers other requests: it is not ours; looking on")
    desk.record(shard, "disowned", state=State.SUBMITTING, batch_id="", adopted=False, unproven=False, note="")


def close(desk: Desk, shard: Shard, batch: Batch, found: BatchScan, files: dict[Path, str]) -> None:
    """Commit what an ended batch brought, together with the new shards for what is to be tried again."""
    absent = verdicts.absent_outcome(shard, batch, found)
    outcomes = verdicts.outcomes(found, absent)
    more = _followers(desk, shard, outcomes)
    note = verdicts.complaints(shard, batch, found)
    changes = {**_changes(found, absent, files), **_asked_twice(shard, batch, found)}
    shard = desk.record(
        shard, "collected", [new for new, _ in more], state=State.COLLECTED, collected_at=desk.clock.now(), note=note, **changes
    )
    for new, wait in more:
        desk.wait(new, wait)
    desk.tell("collected", shard, note)
    if unpaid := sum(POLICY[outcome] is Policy.PAUSE for outcome in outcomes.values()):
        desk.pause(f"{unpaid} rows of batch {shard.batch_id}: {found.examples.get('quota') or 'quota used up'}", Pause.MONEY)


def collect_now(desk: Desk, shard: Shard) -> None:
    """One attempt: collected, or owed."""
    try:
        desk.ask(lambda: collect_shard(desk, shard, patient=False))
    except (Busy, Unreached, Unknown) as error:
        owe(desk, shard, f"its results cannot be had: {error}")


def mend_all(desk: Desk) -> None:
    """See to it that all collected raw files are what was received; those that cannot be had again are set aside."""
    for shard in desk.of(State.COLLECTED):
        try:
            mend(desk, shard)
        except InputError as error:
            desk.set_aside(shard, error)


def mend(desk: Desk, shard: Shard) -> None:
    """A collected raw file that is gone or no longer what came is fetched again. Raises InputError where that cannot be."""
    folder = desk.run.folder.parent / "batch_results"
    wrong = [folder / name for name, sha256 in shard.files.items() if raw_sha256(folder / name, sha256) != sha256]
    if not wrong:
        return
    if shard.taken_from:
        raise InputError(f"{wrong[0]}: lost or changed since it was copied from the answers of {shard.taken_from}; restore a backup")
    desk.tell("mend", shard, f"{wrong[0]} is not what was received; fetching it again")
    try:
        batch = _status_of(desk, shard)
        files = _download(desk, shard, batch) if batch else {}
    except (Refused, Busy, Unreached, Unknown):
        files = {}
    if any(files.get(path) != shard.files[path.name] for path in wrong):
        raise InputError(f"{wrong[0]}: lost or changed since it was received, and the provider no longer gives the same; restore a backup")
    (desk.run.folder / "summary.json").unlink(missing_ok=True)  # what was made while it was lacking is made anew


def give_up_owed(desk: Desk, shard: Shard) -> None:
    """A person gives an owed batch up: what has come stays, the rest counts as paid at its ceiling and is not had."""
    found = scan_of(desk, shard)
    rest = ids_file.ceiling_of(shard, found.unpriced.union(found.absent))
    spent = shard.reserve if rest is None else found.known + rest
    changes = {**_changes(found, "given_up", {}), "files": shard.files, "spent": spent}
    note = f"given up by a person; it was owed: {shard.note}"
    shard = desk.record(shard, "given_up", state=State.COLLECTED, collected_at=desk.clock.now(), note=note, **changes)
    desk.tell("given_up", shard, note)


def _changes(found: BatchScan, absent: str, files: dict[Path, str]) -> dict:
    """What the journal notes of rows and files that have come."""
    tally = dict(found.tally.outcomes)
    if found.absent:
        tally[absent] = tally.get(absent, 0) + len(found.absent)
    received = {path.name: sha256 for path, sha256 in files.items()}
    money = {"spent": found.spent, "most": found.most, "known": found.known, "listed": found.listed, "wasted": found.wasted}
    told = {"simulated": found.tally.simulated > 0, "used": found.used.of(found.model)}
    return {"tally": tally, "absent": absent, **money, **told, "files": received}


def _asked_twice(shard: Shard, batch: Batch, found: BatchScan) -> dict:
    """What is to be noted where requests may have been paid more than once: each counts at the most that one can cost."""
    if not batch.asked_again:
        return {}
    each = ids_file.dearest(shard)
    most = None if each is None or found.most is None else found.most + batch.asked_again * each
    return {"asked_again": batch.asked_again, "spent": None, "most": most}


def _followers(desk: Desk, shard: Shard, outcomes: dict[str, str]) -> list[tuple[Shard, float]]:
    """New shards for the requests that their class's policy sends again, each with its wait in seconds."""
    run, options = desk.run, desk.options
    if shard.stopped or run.stopped:
        return []
    young = desk.clock.now() - run.created_at < options.retry_hours * 3600
    asked_again = _asked_again(desk, shard)
    groups = verdicts.to_send_again(
        {sent: outcome for sent, outcome in outcomes.items() if sent not in asked_again},
        again=young and shard.attempt <= options.retries,
        longer=bool(run.longer) and shard.max_tokens == desk.shards[shard.root].max_tokens,
    )
    made = []
    for policy, ids in groups.items():
        wait = backoff(shard.attempt, options.poll) if policy is Policy.RETRY else 0.0
        cap = int(shard.max_tokens * run.longer) if policy is Policy.LONGER else None
        how = {"attempt": shard.attempt + 1, "not_before": desk.clock.now() + wait, "with_cap": desk.provider.with_cap}
        made.append((shards.retry(shard, desk.next_n() + len(made), ids, longer=cap, **how), wait))
    return made


def _asked_again(desk: Desk, shard: Shard) -> set[str]:
    """What later shards ask again already: the shard was collected before, and the journal that noted it was lost."""
    later = (other for other in desk.shards.values() if other.root == shard.root and other.n > shard.n)
    return {moved(sent, other.mark, shard.mark) for other in later for sent in ids_file.ids(other)}

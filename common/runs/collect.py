"""Collecting an ended batch: its files fetched and read against what was asked, and new shards for what is asked again."""

from __future__ import annotations

from pathlib import Path

from common.errors import Broke, Denied, Refused
from common.experiment import shards
from common.nouns import FINAL, Batch, Pause, Shard, State
from common.outcomes import POLICY, Policy
from common.results.tally import BatchScan, scan
from common.retry import backoff
from common.runs import verdicts
from common.runs.desk import Desk
from common.runs.overview import collected_changes
from common.runs.rawnames import paths_to_write
from common.runs.steps import give_up, vanished

DOWNLOADS = 3  # how often a result file with holes is fetched before the holes are believed


def collect(desk: Desk, shard: Shard) -> None:
    """ended → collected; or looked at again, or looked for again when the rows are not ours."""
    memory = desk.memory[shard.n]
    if (batch := memory.batch or _status_of(desk, shard)) is None:
        vanished(desk, shard)
        return
    output, errors = paths_to_write(desk.journal, desk.run, shard.batch_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        files = desk.ask(lambda: desk.provider.download(batch, output, errors))
    except Refused as error:
        if isinstance(error, (Denied, Broke)):
            raise
        give_up(desk, shard, f"batch {shard.batch_id} has ended but its results cannot be had: {error}")
        return
    found = scan_of(desk, shard)
    if is_foreign(shard, found):
        _disown(desk, shard)
        return
    memory.downloads += 1
    if verdicts.has_holes(batch, found) and memory.downloads < DOWNLOADS:
        memory.batch = None  # a new look: an output file may be named late
        desk.wait(shard, desk.options.poll)
        return
    _close(desk, shard, batch, found, files)


def _status_of(desk: Desk, shard: Shard) -> Batch | None:
    return next(iter(desk.ask(lambda: list(desk.provider.status([shard.batch_id])))), None)


def scan_of(desk: Desk, shard: Shard) -> BatchScan:
    """What a collected batch's files hold."""
    return scan(shard, desk.run, desk.models[shard.model], desk.provider.decode)


def is_foreign(shard: Shard, found: BatchScan) -> bool:
    """Whether the rows of an adopted batch are not what we asked: it was somebody else's."""
    return shard.adopted and found.tally.bad["foreign"] > shard.count - len(found.absent)


def _disown(desk: Desk, shard: Shard) -> None:
    """Keep the file of somebody else's batch out of our results, and look on for ours."""
    for path in paths_to_write(desk.journal, desk.run, shard.batch_id):
        path.unlink(missing_ok=True)
    desk.tell("disowned", shard, f"batch {shard.batch_id} answers other requests: it is not ours; looking on")
    desk.record(shard, "disowned", state=State.SUBMITTING, batch_id="", adopted=False, note="")


def _close(desk: Desk, shard: Shard, batch: Batch, found: BatchScan, files: dict[Path, str]) -> None:
    """Commit what an ended batch brought, together with the new shards for what is to be tried again."""
    absent, outcomes = verdicts.outcomes(shard, batch, found)
    note = verdicts.complaints(shard, batch, found)
    changes = collected_changes(shard, found, absent, files, desk.clock.now())
    more = _followers(desk, shard, outcomes)
    shard = desk.record(shard, "collected", [new for new, _ in more], note=note, **changes)
    for new, wait in more:
        desk.wait(new, wait)
    desk.tell("collected", shard, note)
    if unpaid := sum(POLICY[outcome] is Policy.PAUSE for outcome in outcomes.values()):
        desk.pause(f"{unpaid} rows of batch {shard.batch_id}: {found.examples.get('quota') or 'quota used up'}", Pause.MONEY)


def _followers(desk: Desk, shard: Shard, outcomes: dict[str, str]) -> list[tuple[Shard, float]]:
    """New shards for the requests that their class's policy sends again, each with its wait in seconds."""
    run, options = desk.run, desk.options
    if shard.stopped or run.stopped:
        return []
    young = desk.clock.now() - run.created_at < options.retry_hours * 3600
    groups = verdicts.to_send_again(
        outcomes,
        again=young and shard.attempt <= options.retries,
        longer=bool(run.longer) and shard.max_tokens == desk.shards[shard.root].max_tokens,
    )
    made = []
    for policy, ids in groups.items():
        wait = backoff(shard.attempt, options.poll) if policy is Policy.RETRY else 0.0
        cap = int(shard.max_tokens * run.longer) if policy is Policy.LONGER else None
        how = {"attempt": shard.attempt + 1, "not_before": desk.clock.now() + wait, "with_cap": desk.provider.with_cap}
        made.append((shards.again(shard, desk.next_n() + len(made), ids, longer=cap, **how), wait))
    return made


def retry_failed(desk: Desk) -> int:
    """Plan new shards for every request without a clean answer, whatever its class; returns how many requests."""
    waiting = {sent for s in desk.shards.values() if s.state not in FINAL for sent in shards.ids(s)}
    count = 0
    for last_asked in _unclean(desk).values():
        by_shard: dict[int, set[str]] = {}
        for sent, shard in last_asked.items():
            if sent not in waiting:
                by_shard.setdefault(shard.n, set()).add(sent)
        for n, ids in by_shard.items():
            shard = desk.shards[n]
            new = shards.again(shard, desk.next_n(), ids, attempt=1 + shard.attempt)
            count += new.count
            desk.record(shard, "retry_asked", [new])
    return count


def _unclean(desk: Desk) -> dict[int, dict[str, Shard]]:
    """By family of shards: request id → the last shard that asked it in vain."""
    latest: dict[int, dict[str, Shard]] = {}
    for shard in sorted(desk.of(*FINAL), key=lambda s: s.n):
        rows = latest.setdefault(shard.root, {})
        asked = shards.ids(shard).keys()
        if shard.state is State.REFUSED:
            unclean = set(asked)
        else:
            found = scan_of(desk, shard)
            unclean = {*found.unclean, *found.absent}
            for sent in asked - unclean:
                rows.pop(sent, None)
        rows.update(dict.fromkeys(unclean, shard))
    return latest

"""Rebuilds what a lost, emptied or older journal does not know, from run folders and the host's list. Nothing is sent or bought."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path

from common import catalog
from common.errors import BatchError, InputError
from common.maintenance import rebuild
from common.nouns import TO_SUBMIT, Batch, Run, Shard, State
from common.providers import connect
from common.providers.account import Account
from common.providers.base import SLACK
from common.results.raw import Problem, read_raw, short_hash
from common.runs import witness
from common.runs.desk import Desk, Options
from common.runs.journal import Journal
from common.runs.rawnames import id_and_hash
from common.text import one_line

OPEN = (*TO_SUBMIT, State.SUBMITTING)
NOTE = "found again by make adopt"
Opener = Callable[[Run], AbstractContextManager[Account]]


@dataclass
class FoundRun:
    """What was found of one run folder; `run` is None where it cannot be rebuilt, and `notes` say why."""

    folder: Path
    run: Run | None = None
    is_new: bool = False  # the journal did not know it
    adopted: list[str] = field(default_factory=list)  # ids of batches that the journal did not know
    states: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what stays open


def adopt(journal: Journal, host_of: Callable[[str], str], opener: Opener) -> Iterator[FoundRun]:
    """Take up every run folder, one after the other. `host_of`: the host of a folder's script; `opener`: the account of a run.

    Rows that the journal has are kept; a shard changes only where it was seen to be sent and the journal does not know.
    """
    lists: dict[tuple[str, str], list[Batch] | str] = {}
    for folder in rebuild.folders(journal.results):
        found = FoundRun(folder)
        try:
            _take_up(journal, found, host_of(folder.parent.name), opener, lists)
        except (BatchError, OSError, sqlite3.Error, ValueError, TypeError, LookupError, AttributeError) as error:
            found.notes.append(one_line(error, 400))
        yield found


def _take_up(journal: Journal, found: FoundRun, host: str, opener: Opener, lists: dict) -> None:
    run = journal.run(f"{found.folder.parent.name}/{found.folder.name}")
    fresh = run if run is not None else rebuild.run_of(found.folder, host)
    if fresh.imported:  # its batches are whoever's made it
        found.run, found.states = run, journal.states(fresh)
        if run is None:
            found.notes.append("it was imported, and the journal does not know it; move the folder away and import its archive again")
        return
    with closing(connect(Account(catalog.hosts()[fresh.host], fresh.address))) as provider:
        if run is None or not run.planned:
            shards = rebuild.first_shards(fresh, provider)
            run = journal.plan(journal.save_run(fresh, "rebuilt"), shards)
            found.is_new = True
        found.run = run
        with journal.lock(run):
            desk = Desk(run, provider, journal, {}, Options())
            before = {shard.batch_id for shard in desk.shards.values()}
            witness.consult(desk)
            batches = _listed(run, journal, opener, lists)
            if isinstance(batches, str):
                found.notes.append(f"the host was not looked at: {batches}")
            else:
                _match(desk, found, batches)
            _match_raw(desk, found)
        found.adopted = sorted({shard.batch_id for shard in desk.shards.values()} - before - {""})
        found.states = journal.states(run)
    if lost := found.states.get(State.SUBMITTING, 0):
        found.notes.append(f"{lost} batches are still looked for: their creation went unanswered; the run's command looks, then sends")


def _listed(run: Run, journal: Journal, opener: Opener, lists: dict) -> list[Batch] | str:
    """All batches of the account that has the run's, oldest first, looked at once; or why that cannot be."""
    where = (run.host, run.address, run.way)
    if where not in lists:
        try:
            with opener(run) as account, closing(connect(account, lambda: account.rates(journal.results, journal.salt))) as provider:
                lists[where] = list(provider.listing())[::-1]
        except BatchError as error:
            lists[where] = str(error)
    return lists[where]


def _match(desk: Desk, found: FoundRun, batches: Sequence[Batch]) -> None:
    """Give shards the batches that carry their tag or input file; look for those that only look like one."""
    by_tag = re.compile(rf"{re.escape(desk.run.key)}#(\d+)#[0-9a-f]+(?:\.[0-9a-f]+)?").fullmatch
    refs = {shard.ref: shard.n for shard in desk.shards.values() if shard.ref}
    unknown = [batch for batch in batches if not batch.failed and not desk.journal.is_known(batch.id)]
    for batch in unknown:
        match = by_tag(batch.tag) if batch.tag else None
        n = int(match[1]) if match else None if batch.tag else refs.get(batch.ref)
        if n is None:
            continue
        shard = desk.shards.get(n) or rebuild.later_shard(desk.run, desk.provider, n, desk.shards)
        if shard is None:
            found.notes.append(f"batch {batch.id} is this run's shard {n}, whose files are gone; restore them from a backup")
        elif shard.state in OPEN:
            changes = {"tag": batch.tag or shard.tag, "ref": batch.ref or shard.ref, "intent_at": batch.created_at}
            _give(desk, shard, batch.id, **changes)
        else:
            has = shard.batch_id or "none"
            found.notes.append(f"batch {batch.id} is of shard {n} too, which has {has}: --status {batch.id} looks at it")
    if found.is_new and not witness.read(desk.run.folder / "shards"):
        _suspect(desk, [batch for batch in unknown if not batch.tag and not batch.ref])


def _give(desk: Desk, shard: Shard, batch_id: str, **changes: object) -> None:
    desk.record(shard, "adopted", state=State.SUBMITTED, batch_id=batch_id, adopted=True, note=NOTE, **changes)


def _suspect(desk: Desk, batches: Sequence[Batch]) -> None:
    """Where nothing was noted of creations, a batch as large and as young may be a shard's: the run's command looks first."""
    sizes = {batch.total for batch in batches if not batch.created_at or batch.created_at >= desk.run.created_at - SLACK}
    for shard in desk.of(*TO_SUBMIT):
        if shard.count in sizes:
            note = "a batch as large was made since: looked for before anything is sent"
            desk.record(shard, "suspected", state=State.SUBMITTING, intent_at=desk.run.created_at, note=note)


def _match_raw(desk: Desk, found: FoundRun) -> None:
    """Give shards the batches whose raw files here answer their requests, where only one shard can be meant."""
    still = {shard.n: set(rebuild.asked(shard.path)) for shard in desk.of(*OPEN)}
    for path in sorted((found.folder.parent / "batch_results").glob("*_output.jsonl")) if still else ():
        batch_id, short = id_and_hash(path)
        if batch_id.startswith("taken-") or desk.journal.is_known(batch_id) or short not in ("", short_hash(desk.run)):
            continue
        rows = {item.custom_id for _, item in read_raw(path, desk.provider.decode) if not isinstance(item, Problem)}
        fit = [n for n, asked in still.items() if rows and rows <= asked]
        if len(fit) == 1 and not _others(desk, rows):
            _give(desk, desk.shards[fit[0]], batch_id)
            del still[fit[0]]
        elif fit:
            found.notes.append(f"{path}: answers requests of this run, but of others too; nobody can tell whose it is")


def _others(desk: Desk, rows: set[str]) -> bool:
    """Whether a shard of another run, without a batch so far, asks the same: then the rows prove nothing."""
    runs = (run for run in desk.journal.runs(desk.run.provider) if run.key != desk.run.key)
    try:
        return any(rows <= set(rebuild.asked(shard.path)) for run in runs for shard in desk.journal.shards(run, *OPEN))
    except InputError:
        return True  # a garbled run may be the one



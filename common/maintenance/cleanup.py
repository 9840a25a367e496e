"""What may be deleted at a provider, and in which order: saved, verified, and only then deleted. Prints nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from common.errors import BatchError, Denied, InputError, Refused, Unknown, disk_error
from common.maintenance import copies
from common.maintenance.looks import confirm, is_unseen
from common.maintenance.owners import Owners
from common.nouns import FINAL, Batch, Run, Shard
from common.providers.base import Holding, Provider
from common.retry import Clock, patiently
from common.runs import wishes
from common.runs.choose import models_of
from common.runs.derive import derive
from common.runs.desk import Desk, Options
from common.runs.journal import Journal
from common.text import one_line

T = TypeVar("T")
DELETE, CANCEL, RUNNING, UNCOLLECTED, CLEAN, HELD, LATER, UNSEEN = (
    "delete", "cancel, then delete", "still runs", "not collected yet", "already clean", "input shared", "beyond the limit", "not told of",
)  # fmt: skip
DONE, LEFT, FAILED = "deleted", "left", "failed"
_ID = re.compile(r"(?!\.*\Z)[A-Za-z0-9_.:@-]{1,256}")


class Item(NamedTuple):
    """A batch of the account, and what is to become of it."""

    batch: Batch
    run: Run | None  # None: not made here
    shard: Shard | None
    plan: str
    holdings: tuple[Holding, ...] = ()


class Outcome(NamedTuple):
    """What became of a batch: DONE, LEFT or FAILED, and why in one line."""

    batch_id: str
    state: str
    note: str = ""
    deleted: tuple[str, ...] = ()
    backup: Path | None = None


@dataclass
class Survey:
    """A look at the account: what was chosen, oldest first, and how many batches not made here were left out."""

    items: list[Item]
    foreign_left: int = 0
    total: int = 0
    users: dict[str, set[str]] = field(default_factory=dict)  # input file → batches that name it
    needed: frozenset[str] = frozenset()  # input files that shards of the journal are yet to be submitted from

    @property
    def doomed(self) -> list[Item]:
        """Those that will be deleted."""
        return [item for item in self.items if item.plan in (DELETE, CANCEL)]


def check_id(batch_id: str) -> str:
    """The id, if a batch API could have made it. Raises InputError."""
    if not _ID.fullmatch(batch_id):
        raise InputError(f"{one_line(repr(batch_id), 80)} is no batch id; expected one such as batch_abc123 (see --list of the scripts)")
    return batch_id


class Cleanup:
    """Cleans one account's batches, as far as one results folder may. `folders` are the runs' folders in it.

    `patience` is how long a failing call is repeated and `wait` how long a cancelled batch is waited for, in seconds.
    """

    def __init__(
        self,
        provider: Provider,
        journal: Journal | None,
        backups: Path,
        folders: Iterable[str],
        about: dict,
        *,
        patience: float,
        poll: float,
        wait: float,
    ) -> None:
        self._provider, self._journal, self._about = provider, journal, about
        self._backups = backups / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self._patience, self._poll, self._wait = patience, poll, wait
        self._clock = Clock()
        self._runs = [run for folder in folders for run in journal.runs(folder) if not run.imported] if journal else []
        self._saved: set[str] = set()

    # ---- looking

    def survey(self, batch_id: str | None, limit: int | None, everything: bool, cancel_running: bool) -> Survey:
        """What would be done: to one batch, or to all (those that the journal knows, unless `everything`).

        `limit` counts batches that would be deleted. Raises InputError for a batch that the account does not have.
        """
        listed = self._listed(batch_id)
        found = Survey([], total=len(listed))
        for batch in listed:
            found.users.setdefault(batch.ref, set()).add(batch.id)
        owners = Owners(self._journal, self._runs)
        found.needed = owners.needed
        owned = [(batch, *owners.of(batch)) for batch in listed if batch_id in (None, batch.id)]
        chosen = [row for row in owned if row[1] or everything or batch_id]
        found.foreign_left = len(owned) - len(chosen)
        if batch_id is not None and not chosen:
            raise InputError(f"the account has no batch {one_line(batch_id, 80)}; --list of the scripts shows what it has")
        plans = [(batch, run, shard, self._first_plan(batch, shard, cancel_running)) for batch, run, shard in chosen]
        may_go = {row[0].id for row in plans if row[3] in (DELETE, CANCEL)}
        count = 0
        for row in plans:
            item = Item(*row)
            if item.plan in (DELETE, CANCEL) and limit is not None and count >= limit:
                item = item._replace(plan=LATER)
            elif item.plan == DELETE:
                item = self._with_holdings(item, found, may_go)
            count += item.plan in (DELETE, CANCEL)
            found.items.append(item)
        return found

    def _listed(self, batch_id: str | None) -> list[Batch]:
        """All batches of the account, oldest first; the one that is named among them even where the list lacks it."""
        listed = sorted(self._ask(lambda: list(self._provider.listing())[::-1]), key=lambda batch: batch.created_at)
        if batch_id is not None and all(batch.id != batch_id for batch in listed):
            listed += self._ask(lambda: list(self._provider.status([batch_id])))
        return listed

    @staticmethod
    def _first_plan(batch: Batch, shard: Shard | None, cancel_running: bool) -> str:
        collected = shard is None or shard.state in FINAL
        if not batch.ended:
            stoppable = cancel_running and (shard is None or shard.state == "submitted")
            return CANCEL if stoppable else RUNNING
        return DELETE if collected else UNCOLLECTED

    def _with_holdings(self, item: Item, found: Survey, may_go: set[str]) -> Item:
        try:
            holdings = tuple(self._ask(lambda: self._provider.holdings(item.batch)))
        except (Refused, Unknown) as error:
            if isinstance(error, Denied):
                raise
            return item  # this one batch cannot be looked at: the attempt to save it will say why
        there = [h for h in holdings if h.deletable and not h.gone]
        free = [h for h in there if h.ref not in found.needed and found.users.get(h.ref, set()) <= may_go | {item.batch.id}]
        unseen = not there and is_unseen(self._provider, item.batch, holdings)
        return item._replace(holdings=holdings, plan=DELETE if free else HELD if there else UNSEEN if unseen else CLEAN)

    # ---- doing

    def clean(self, item: Item, survey: Survey) -> Outcome:
        """Stop if it runs, save, verify, delete. Whatever fails leaves what is not yet deleted alone."""
        deleted: list[str] = []
        try:
            if item.plan == CANCEL:
                item = self._stopped(item)
            return self._clean(item, survey, deleted)
        except (BatchError, OSError) as error:
            said = disk_error(error) if isinstance(error, OSError) else str(error)
            return Outcome(item.batch.id, FAILED, one_line(said, 500), tuple(deleted))

    def _clean(self, item: Item, survey: Survey, deleted: list[str]) -> Outcome:
        batch, shard = self._fresh(item)
        if batch is None:
            return Outcome(item.batch.id, LEFT, "the provider no longer has it")
        if (plan := self._first_plan(batch, shard, False)) != DELETE:
            return Outcome(batch.id, LEFT, plan)
        holdings = self._ask(lambda: self._provider.holdings(batch))
        have = copies.local_copies(item.run, shard) if item.run and shard else {}
        about = {**self._about, "run": item.run.name if item.run else None}
        copy = copies.save(self._provider, batch, holdings, have, self._backups, about, self._ask)
        self._saved.add(batch.id)
        # another batch may live on the same input: the last one to be saved takes it along
        needed = survey.needed - ({shard.ref} if shard else set())  # its own shard is through, as we have just seen
        kept = [h.ref for h in copy.safe if h.ref in needed or survey.users.get(h.ref, set()) - self._saved]
        try:
            for ref in (h.ref for h in copy.safe if h.ref not in kept):
                self._ask(lambda ref=ref: self._provider.remove(ref))
                deleted.append(ref)
            confirm(self._provider, batch, deleted, self._ask, lambda: self._clock.sleep(self._poll))
        finally:
            copies.note_deleted(copy, deleted)
        note = f"input {kept[0]} is kept: another batch uses it" if kept else ""
        return Outcome(batch.id, DONE, note, tuple(deleted), copy.folder)

    def _fresh(self, item: Item) -> tuple[Batch | None, Shard | None]:
        """The batch and its shard as they are now: time has passed since the survey."""
        batch = next(iter(self._ask(lambda: list(self._provider.status([item.batch.id])))), None)
        owner = self._journal.owner(item.batch.id) if item.shard else None
        return batch, owner[1] if owner else item.shard

    # ---- stopping

    def _stopped(self, item: Item) -> Item:
        """Cancel a running batch and wait until it has ended; one of ours is collected. Raises Unknown when it takes too long."""
        if item.shard is not None:
            return item._replace(shard=self._stop_ours(item.run, item.shard), plan=DELETE)
        self._cancel(lambda: self._ask(lambda: self._provider.cancel(item.batch.id)))
        self._until(lambda: all(b.ended for b in self._ask(lambda: list(self._provider.status([item.batch.id])))))
        return item._replace(plan=DELETE)

    def _stop_ours(self, run: Run, shard: Shard) -> Shard:
        """Through the lifecycle, so that the journal knows that a person stopped it, and has its rows."""
        with self._journal.lock(run):
            run = self._journal.run(run.key)
            models = {model.alias: model for model in models_of(run)}
            options = Options(poll=self._poll, patience=self._patience)
            desk = Desk(run, self._provider, self._journal, models, options, clock=self._clock)
            self._cancel(lambda: wishes.cancel_one(desk, shard))

            def is_collected() -> bool:
                wishes.collect_ended(desk, [shard.n])
                return self._state(run, shard) in FINAL

            self._until(is_collected)
            derive(self._journal, run.key, self._provider.decode, texts=(run.folder / "texts").is_dir())
        return replace(shard, state=self._state(run, shard))

    def _state(self, run: Run, shard: Shard) -> str:
        return next(s.state for s in self._journal.shards(run) if s.n == shard.n)

    @staticmethod
    def _cancel(call: Callable[[], object]) -> None:
        try:
            call()
        except Refused as error:
            if error.status not in (400, 404, 409):  # it may have ended meanwhile: the next look tells
                raise

    def _until(self, is_so: Callable[[], bool]) -> None:
        end, interval = self._clock.steady() + self._wait, self._poll
        while not is_so():
            if self._clock.steady() >= end:
                raise Unknown(f"it was asked to stop, but still runs after {self._wait:.0f} s; the same command looks again")
            self._clock.sleep(interval)
            interval = min(interval * 1.5, 20 * self._poll)

    def _ask(self, call: Callable[[], T]) -> T:
        return patiently(call, seconds=self._patience, start=min(1.0, self._poll), sleep=self._clock.sleep)

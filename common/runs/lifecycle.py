"""The order of things: the only place that knows what comes after what, from a planned shard to its collected rows.

    planned ─upload─► uploaded ─intent─► submitting ─submit─► submitted ─poll─► ended ─download─► collected
       ▲               ▲                  │ answer lost: find, adopt or back                      └► failed rows: new shard
       └───────────────┴── turned down for a passing reason                                refused: for good

Each step does one outside thing and then commits one event. Killed anywhere, the same loop goes on from the journal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from common.errors import Broke, Busy, Denied, InputError, Refused, Unknown, Unreached
from common.experiment import shards
from common.nouns import Batch, Model, Run, Shard
from common.outcomes import POLICY, Policy
from common.providers.base import Provider
from common.results.raw import raw_paths
from common.results.tally import Scan, scan
from common.retry import backoff, patiently
from common.runs import verdicts
from common.runs.journal import Journal
from common.runs.overview import collected_changes

T = TypeVar("T")
FINAL = ("collected", "refused")
LOOKS = 2  # how often a lost batch must be looked for in vain before it is submitted again
LONGEST_NOTED_WAIT = 3600.0  # seconds; what an earlier process wanted to wait longer for is asked again sooner
DOWNLOADS = 3  # how often a result file with holes is collected before the holes are believed


@dataclass(frozen=True)
class Options:
    """How a command wants its run driven. All times in seconds."""

    parallel: int = 8  # batches in flight
    poll: float = 15.0  # first interval between two looks; grows to 20 times that while nothing changes
    retries: int = 3  # how often a row that failed for a passing reason is sent again
    retry_hours: float = 72.0  # no row is sent again when its run is older
    grace: float = 60.0  # how long a batch may stay out of the host's list before it counts as never made
    patience: float = 3600.0  # how long a call that may be repeated is repeated
    skip_invalid: bool = False
    max_cost: float = 0.0  # USD for the whole run


class Lifecycle:
    """Drives one run, whose lock the caller holds. Raises the errors of errors.py when only a person can help.

    `account` is the salted digest of the key that the provider speaks with; the run is tied to it.

    `tell(kind, shard, text, batch)`, to be set by the caller, hears of everything that a person may want to see.
    """

    def __init__(
        self,
        run: Run,
        provider: Provider,
        journal: Journal,
        models: dict[str, Model],
        options: Options,
        *,
        account: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.run, self.journal, self.options = run, journal, options
        self._provider, self._models, self._account = provider, models, account
        self.tell: Callable[..., None] = lambda kind, shard=None, text="", batch=None: None
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._batches: dict[int, Batch] = {}  # the last look at each, by shard
        self._due: dict[int, float] = {}  # when a shard may be touched next (monotonic); absent: at once
        self._unlikely: set[int] = set()  # shards whose create was answered "busy": one look, and it was not accepted
        self._looks: dict[int, tuple[int, float]] = {}  # searches in vain: how many, since when (monotonic)
        self._downloads: Counter[int] = Counter()
        self._shards: dict[int, Shard] = {}
        self._states: Counter[str] = Counter()  # shards by state
        self._committed = 0.0  # USD: spent by what is collected, at most spent by what is in flight
        for shard in journal.shards(run):
            self._keep(shard)
            # the wall clock may have jumped since an earlier process noted this
            self._wait(shard, min(shard.not_before - clock(), LONGEST_NOTED_WAIT))
        self._interval = options.poll
        self._next_poll = 0.0

    @property
    def shards(self) -> list[Shard]:
        """All shards of the run as they stand now."""
        return list(self._shards.values())

    # ---- the loop

    def resume(self) -> None:
        """Forget why the run was paused: the person who calls again has seen to it."""
        if self.run.paused:
            self.run = self.journal.save_run(replace(self.run, paused=""), "resumed")

    def go(self, until_submitted: bool = False) -> None:
        """Take every shard as far as it goes; with `until_submitted`, return once nothing is left to submit."""
        while work := [shard for shard in self._shards.values() if shard.state not in FINAL]:
            for shard in work:
                self._step_if_due(shard)
            to_submit = self._states["planned"] + self._states["uploaded"]
            in_flight = self._states["submitting"] + self._states["submitted"] + self._states["ended"]
            if until_submitted and not to_submit and not self._states["submitting"]:
                return
            if to_submit and not in_flight and self._stopped():
                self._raise_stopped()
            self._poll_if_due()
            self._rest()

    def collect(self, wanted: Iterable[int]) -> None:
        """One look at given shards' batches: what has ended is collected, nothing is submitted."""
        chosen = [self._shards[n] for n in wanted if self._shards[n].state == "submitted"]
        self._look(chosen)
        for n in wanted:
            while self._shards[n].state == "ended":
                self._collect_results(self._shards[n])

    def cancel(self) -> list[str]:
        """Ask the host to stop every batch in flight, and submit nothing more; returns the ids of those asked."""
        if all(s.state in FINAL for s in self._shards.values()):
            raise InputError(f"run {self.run.name} has nothing left to cancel")
        self.run = self.journal.save_run(replace(self.run, stopped=True), "cancel")
        flying = [s for s in self._shards.values() if s.state in ("submitting", "submitted")]
        asked = []
        for shard in flying:
            if shard.state == "submitting":
                self._recover(shard)
                shard = self._shards[shard.n]
            if shard.state == "submitted":
                self.cancel_batch(shard)
                asked.append(shard.batch_id)
        return asked

    def cancel_batch(self, shard: Shard) -> None:
        """Ask the host to stop one batch; its unfinished rows are not sent again unless a person asks for it."""
        self._record(shard, "cancel", stopped=True)
        self._cancel(shard.batch_id)

    def _cancel(self, batch_id: str) -> None:
        try:
            self._ask(lambda: self._provider.cancel(batch_id))
        except Refused as error:
            if error.status not in (400, 404, 409):
                raise
            self.tell("late", text=f"batch {batch_id} has ended before it could be cancelled")

    def retry_failed(self) -> int:
        """Plan new shards for every row without a clean answer, whatever its class; returns how many rows."""
        count = 0
        latest: dict[int, dict[str, Shard]] = {}
        for shard in sorted(self._shards.values(), key=lambda s: s.n):
            if shard.state not in FINAL:
                continue
            rows = latest.setdefault(shard.root, {})
            if shard.state == "refused":
                unclean = set(shards.ids(shard))
            else:
                found = self._scan(shard)
                unclean = {*found.unclean, *found.absent}
                for request_id in shards.ids(shard).keys() - unclean:
                    rows.pop(request_id, None)
            rows.update(dict.fromkeys(unclean, shard))
        waiting = {request_id for s in self._shards.values() if s.state not in FINAL for request_id in shards.ids(s)}
        for rows in latest.values():
            by_shard: dict[int, set[str]] = {}
            for request_id, shard in rows.items():
                if request_id not in waiting:
                    by_shard.setdefault(shard.n, set()).add(request_id)
            for n, request_ids in by_shard.items():
                shard = self._shards[n]
                new = shards.again(shard, self._next_n(), request_ids, attempt=1 + shard.attempt)
                count += new.count
                self._record(shard, "retry_asked", more=[new])
        return count

    # ---- steps

    def _step_if_due(self, shard: Shard) -> None:
        shard = self._shards[shard.n]
        if self._left(shard) > 0:
            return
        match shard.state:
            case "planned" | "uploaded" if self._may_submit(shard):
                self._upload(shard) if shard.state == "planned" else self._submit(shard)
            case "submitting":
                self._recover(shard)
            case "ended":
                self._collect_results(shard)

    def _may_submit(self, shard: Shard) -> bool:
        states = self._states
        in_flight = states["submitted"] + states["ended"] + states["submitting"]
        # one lost answer at a time: an Anthropic batch is known again only by when it was made and how large it is
        return in_flight < self.options.parallel and not states["submitting"] and not self._stopped()

    def _upload(self, shard: Shard) -> None:
        shards.check(shard)
        ref = self._ask(lambda: self._provider.upload(shard))
        if not self.run.account:  # the first thing this key was let do: from here on the run is that account's
            self.run = self.journal.save_run(replace(self.run, account=self._account), "bound")
        self._record(shard, "uploaded", state="uploaded", ref=ref)

    def _submit(self, shard: Shard) -> None:
        if not self._affordable(shard):
            return
        shard = self._record(shard, "submitting", state="submitting", intent_at=self._clock())
        try:
            batch_id = self._provider.submit(shard, self._models[shard.model].id)
        except Unknown as error:
            self.tell("lost", shard, str(error))
            self._record(shard, "answer_lost", note=str(error))
        except Busy as error:
            wait = backoff(shard.tries + 1, self.options.poll) if error.retry_after is None else error.retry_after
            self.tell("wait", shard, f"{error}; trying again in {wait:.0f} s")
            self._unlikely.add(shard.n)
            self._record(shard, "busy", wait=wait, note=str(error))
        except Unreached as error:
            wait = backoff(shard.tries + 1, self.options.poll)
            self.tell("wait", shard, f"{error}; trying again in {wait:.0f} s")
            self._turned_down(shard, "uploaded", wait, str(error))
        except Broke as error:
            self._turned_down(shard, "uploaded", 0.0, str(error))
            self._pause(str(error))
        except (Denied, InputError) as error:  # of the file: it was not sent whole, so nothing can have been accepted
            self._turned_down(shard, "uploaded", 0.0, str(error))
            raise
        except Refused as error:
            self._refused(shard, error)
        else:
            shard = self._record(shard, "submitted", state="submitted", batch_id=batch_id, note="")
            self.tell("submitted", shard)

    def _turned_down(self, shard: Shard, state: str, wait: float, note: str) -> Shard:
        """Not accepted: back for another try, under a tag of its own."""
        self._unlikely.discard(shard.n)
        return self._record(
            shard,
            "turned_down",
            state=state,
            batch_id="",
            tag=shards.new_tag(shard.run, shard.n),
            tries=shard.tries + 1,
            wait=wait,
            note=note,
        )

    def _refused(self, shard: Shard, error: Refused) -> None:
        """The create call was refused: again with a new upload if its file is gone, else for good."""
        if error.status == 404 and shard.tries < self.options.retries:
            self._turned_down(shard, "planned", backoff(shard.tries + 1, self.options.poll), str(error))
            return
        line = self._provider.line_of(str(error))
        self._give_up(shard, str(error), [{"message": str(error), "line": line}] if line else [])

    # ---- lost answers

    def _recover(self, shard: Shard) -> None:
        """Look for the batch that a lost answer may have made: adopt it, look again later, or submit again."""
        found = self._ask(lambda: [b for b in self._provider.find(shard) if not self.journal.is_known(b.id)])
        if found:
            first, *rest = found
            shard = self._record(
                shard, "adopted", state="submitted", batch_id=first.id, adopted=True,
                note="found at the provider after its answer was lost",
            )  # fmt: skip
            self.tell("adopted", shard)
            for other in rest:
                if other.tag == shard.tag:  # certainly ours; a mere likeness may be somebody else's paid work
                    self.tell("double", shard, f"batch {other.id} is a double of {first.id}: cancelling it")
                    self._cancel(other.id)
            return
        if shard.n in self._unlikely:
            self._turned_down(shard, "uploaded", 0.0, shard.note)
            return
        looks, since = self._looks.get(shard.n, (0, self._monotonic()))
        self._looks[shard.n] = (looks + 1, since)
        # this process's own steady clock: after a jump of the wall clock a batch could seem long overdue
        if looks + 1 >= LOOKS and self._monotonic() - since >= self.options.grace:
            del self._looks[shard.n]
            self.tell("again", shard, "the lost batch was never made; submitting again")
            self._turned_down(shard, "uploaded", 0.0, "")
        else:
            self._wait(shard, min(self.options.grace, self.options.poll))

    # ---- watching

    def _poll_if_due(self) -> None:
        flying = [shard for shard in self._shards.values() if shard.state == "submitted"]
        if flying and self._monotonic() >= self._next_poll:
            changed = self._look(flying)
            self._interval = self.options.poll if changed else min(self._interval * 1.5, self.options.poll * 20)
            self._next_poll = self._monotonic() + self._interval

    def _look(self, flying: list[Shard]) -> bool:
        """Ask for the status of batches; returns whether anything has changed."""
        by_id = {shard.batch_id: shard for shard in flying}
        seen = {batch.id: batch for batch in self._ask(lambda: list(self._provider.status(by_id)))} if by_id else {}
        changed = False
        for batch_id, shard in by_id.items():
            batch = seen.get(batch_id)
            if batch is None:
                self._vanished(shard)
                continue
            self._looks.pop(shard.n, None)
            changed |= batch != self._batches.get(shard.n)
            self._batches[shard.n] = batch
            self.tell("batch", shard, batch=batch)
            if batch.failed:
                self._failed(shard, batch)
            elif batch.ended:
                self._record(shard, "ended", state="ended")
        return changed

    def _vanished(self, shard: Shard) -> None:
        looks, since = self._looks.get(shard.n, (0, self._monotonic()))
        self._looks[shard.n] = (looks + 1, since)
        if looks + 1 >= LOOKS and self._monotonic() - since >= self.options.grace:
            self._give_up(
                shard, f"the provider no longer knows batch {shard.batch_id}; --retry-failed sends its rows again"
            )

    def _failed(self, shard: Shard, batch: Batch) -> None:
        """A batch whose input was turned down as a whole: nothing was tried, nothing is billed."""
        said = "; ".join(f"{p.get('code')}: {p.get('message')}" for p in batch.problems[:3]) or "no reason was given"
        match batch.refusal:
            case "later":
                wait = backoff(shard.tries + 2, self.options.poll * 2)
                self.tell("wait", shard, f"the queue for {shard.model} is full; its turn comes later ({wait:.0f} s)")
                self._turned_down(shard, "uploaded", wait, said)
            case "upload again" if shard.tries < self.options.retries:
                self._turned_down(shard, "planned", backoff(shard.tries + 1, self.options.poll), said)
            case _:
                self._give_up(shard, said, batch.problems)

    def _give_up(self, shard: Shard, why: str, problems: Iterable[dict] = ()) -> None:
        """Refused for good. Where lines are named and --skip-invalid is on, the others go on as a new shard."""
        named = []
        for problem in problems:
            line = problem.get("line")
            custom_id = shards.id_at_line(shard, line) if isinstance(line, int) else ""
            named.append({**problem, "custom_id": custom_id})
        bad = {p["custom_id"] for p in named if p["custom_id"]}
        follower = None
        if bad and self.options.skip_invalid:
            keep = {request_id for request_id, rest in shards.ids(shard).items() if (rest.partition("\t")[0] or request_id) not in bad}
            follower = shards.again(shard, self._next_n(), keep, attempt=shard.attempt)
        shard = self._record(
            shard,
            "refused",
            more=[follower] if follower else [],
            state="refused",
            note=why,
            problems=tuple(named[:1000]),
        )
        self.tell("refused", shard, why)

    # ---- collecting

    def _collect_results(self, shard: Shard) -> None:
        batch = self._batches.get(shard.n) or self._status_of(shard)
        if batch is None:
            self._vanished(shard)
            return
        output, errors = raw_paths(self.run, shard.batch_id)
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            files = self._ask(lambda: self._provider.download(batch, output, errors))
        except Refused as error:
            if isinstance(error, (Denied, Broke)):
                raise
            self._give_up(shard, f"batch {shard.batch_id} has ended but its results cannot be had: {error}")
            return
        found = self._scan(shard)
        answered = shard.count - len(found.absent)
        if shard.adopted and found.bad["foreign"] > answered:
            self._disown(shard)
            return
        self._downloads[shard.n] += 1
        if verdicts.has_holes(batch, found) and self._downloads[shard.n] < DOWNLOADS:
            self._batches.pop(shard.n, None)  # a new look: an output file may be named late
            self._wait(shard, self.options.poll)
            return
        self._close(shard, batch, found, files)

    def _status_of(self, shard: Shard) -> Batch | None:
        return next(iter(self._ask(lambda: list(self._provider.status([shard.batch_id])))), None)

    def _scan(self, shard: Shard) -> Scan:
        return scan(shard, self.run, self._models[shard.model], self._provider.decode)

    def _disown(self, shard: Shard) -> None:
        """The rows are not what we asked: the batch was somebody else's. Keep their file out of our results."""
        for path in raw_paths(self.run, shard.batch_id):
            path.unlink(missing_ok=True)
        self.tell("disowned", shard, f"batch {shard.batch_id} answers other requests: it is not ours; looking on")
        self._record(shard, "disowned", state="submitting", batch_id="", adopted=False, note="")

    def _close(self, shard: Shard, batch: Batch, found: Scan, files: dict[Path, str]) -> None:
        """Commit what an ended batch brought, together with the new shards for what is to be tried again."""
        absent, outcomes = verdicts.outcomes(shard, batch, found)
        changes = collected_changes(shard, found, absent, files, self._clock())
        note = verdicts.complaints(shard, batch, found)
        more = self._followers(shard, outcomes)
        paid_stop = [request_id for request_id, outcome in outcomes.items() if POLICY[outcome] is Policy.PAUSE]
        shard = self._record(shard, "collected", more=[new for new, _ in more], note=note, **changes)
        for new, wait in more:
            self._wait(new, wait)
        self.tell("collected", shard, note)
        if paid_stop:
            self._pause(
                f"{len(paid_stop)} rows of batch {shard.batch_id}: {found.examples.get('quota') or 'quota used up'}"
            )

    def _followers(self, shard: Shard, outcomes: dict[str, str]) -> list[tuple[Shard, float]]:
        """New shards for the rows that their class's policy sends again, each with its wait in seconds."""
        if shard.stopped or self.run.stopped:
            return []
        young = self._clock() - self.run.created_at < self.options.retry_hours * 3600
        groups = verdicts.to_send_again(
            outcomes,
            again=young and shard.attempt <= self.options.retries,
            longer=bool(self.run.longer) and shard.max_tokens == self._shards[shard.root].max_tokens,
        )
        made = []
        for policy, request_ids in groups.items():
            wait = backoff(shard.attempt, self.options.poll) if policy is Policy.RETRY else 0.0
            cap = int(shard.max_tokens * self.run.longer) if policy is Policy.LONGER else None
            how = {"attempt": shard.attempt + 1, "not_before": self._clock() + wait, "with_cap": self._provider.with_cap}
            made.append((shards.again(shard, self._next_n() + len(made), request_ids, longer=cap, **how), wait))
        return made

    # ---- money

    def _affordable(self, shard: Shard) -> bool:
        most = self._committed + (shard.reserve or 0.0)
        if most <= self.options.max_cost:
            return True
        if not self.run.paused:
            self._pause(
                f"the next batch could bring this run to {most:.2f} USD, "
                f"above the cap of {self.options.max_cost:.2f}; --max-cost USD raises it",
                by_cap=True,
            )
        return False

    def _pause(self, why: str, by_cap: bool = False) -> None:
        self.run = self.journal.save_run(replace(self.run, paused=why), "paused", cap=by_cap)
        self.tell("paused", text=why)

    def _stopped(self) -> bool:
        return bool(self.run.paused or self.run.stopped)

    def _raise_stopped(self) -> None:
        if self.run.stopped:
            raise InputError(f"run {self.run.name} was cancelled; --retry-failed {self.run.name} takes it up again")
        if "--max-cost" in self.run.paused:
            raise InputError(self.run.paused)
        raise Broke(f"paused: {self.run.paused}; the same command goes on once that is settled")

    # ---- small things

    def _record(
        self, shard: Shard, kind: str, more: Iterable[Shard] = (), wait: float | None = None, **changes: object
    ) -> Shard:
        """Commit an event; `wait`: seconds for which the shard is then left alone."""
        if wait is not None:
            changes["not_before"] = self._clock() + wait
        more = list(more)
        shard = self.journal.record(shard, kind, more, **changes)
        for one in (shard, *more):
            self._keep(one)
        if wait is not None:
            self._wait(shard, wait)  # on the steady clock; what the journal notes is for another process
        return shard

    def _keep(self, shard: Shard) -> None:
        before = self._shards.get(shard.n)
        if before is not None:
            self._states[before.state] -= 1
            self._committed -= _commitment(before)
        self._shards[shard.n] = shard
        self._states[shard.state] += 1
        self._committed += _commitment(shard)

    def _wait(self, shard: Shard, seconds: float) -> None:
        self._due[shard.n] = self._monotonic() + max(seconds, 0.0)

    def _left(self, shard: Shard) -> float:
        """Seconds until a shard may be touched."""
        return self._due.get(shard.n, 0.0) - self._monotonic()

    def _next_n(self) -> int:
        return max(self._shards) + 1

    def _ask(self, call: Callable[[], T]) -> T:
        """The answer of a call that is safe to repeat."""
        return patiently(
            call,
            seconds=self.options.patience,
            start=min(1.0, self.options.poll),
            sleep=self._sleep,
            told=lambda text: self.tell("wait", text=text),
        )

    def _rest(self) -> None:
        """Sleep until the next thing is due, never longer than a poll interval (the wall clock may jump)."""
        due = []
        for shard in self._shards.values():
            match shard.state:
                case "submitted":
                    due.append(self._next_poll - self._monotonic())
                case "submitting" | "ended":
                    due.append(self._left(shard))
                case "planned" | "uploaded" if self._may_submit(shard):
                    due.append(self._left(shard))
        if (wait := min(due, default=0.0)) > 0:
            self._sleep(min(wait, self._interval))


def _commitment(shard: Shard) -> float:
    """USD that a shard has cost, or may cost at most while it is in flight."""
    if shard.state == "collected":
        return shard.spent or 0.0
    return (shard.reserve or 0.0) if shard.state in ("submitting", "submitted", "ended") else 0.0

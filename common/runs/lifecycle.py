"""The order of things: the only place that knows what comes after what, from a planned shard to its collected rows.

    planned ─upload─► uploaded ─intent─► submitting ─submit─► submitted ─look─► ended ─download─► collected
       ▲               ▲                    │ answer lost: find, adopt or back                       └► failed rows: new shard
       └───────────────┴── turned down for a passing reason                                  refused: for good

Each step does one outside thing and then commits one event. Killed anywhere, the same loop goes on from the journal.
"""

from __future__ import annotations

from common.errors import Broke, Busy, Denied, InputError, Unknown, Unreached
from common.nouns import IN_FLIGHT, RESTING, TO_SUBMIT, Pause, Shard, State
from common.runs import collect, lost, steps, watch, witness
from common.runs.desk import Desk
from common.runs.gates import barred, closed, queued

SOON = 60.0  # seconds that a command which does not stay waits for a shard that may not be touched yet
MOST_INTERVALS = 20  # the interval between two looks grows to so many times the first …
WAITING_INTERVALS = 4  # … or to so many while something waits for room in the host's queue, which each batch that ends makes


class Lifecycle:
    """Drives the run on a desk. Raises the errors of errors.py when only a person can help.

    Where the desk says as of which moment other runs are known, `go` and `advance` raise Overtaken instead of sending once one
    of them has sent more.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._interval = desk.options.poll
        self._next_look = 0.0

    def go(self, until_submitted: bool = False, submits: bool = True) -> None:
        """Take every shard as far as it goes; with `until_submitted`, return once nothing is left to submit.

        Without `submits`, only what is in flight: what is planned stays so.

        A shard's trouble is its own: the others go on, and the worst is raised when nothing else is left to do.
        """
        desk = self._desk
        self._begin()
        done = RESTING if submits else (*RESTING, *TO_SUBMIT)
        while work := [s for s in desk.shards.values() if s.state not in done and not desk.memory[s.n].stuck]:
            for shard in work:
                self._step_if_due(desk.shards[shard.n])
            to_submit = desk.count(*TO_SUBMIT) if submits else 0
            if until_submitted and not to_submit and not desk.looked_for():
                break
            if to_submit and not self._in_flight():
                self._raise_if_stopped()
                if self._is_barred():
                    break
            self._look_if_due()
            self._rest(submits)
        if desk.worst:
            raise desk.worst

    def advance(self, submits: bool = True) -> None:
        """One look at all batches, then every step that needs no batch to end first: for a command that does not stay.

        Without `submits`, what is planned stays so.
        """
        desk = self._desk
        self._begin()
        desk.ask(lambda: watch.look(desk, desk.of(State.SUBMITTED)))
        while soon := [left for shard in self._desk.shards.values() if self._can_go(shard, submits) and (left := desk.left(shard)) <= SOON]:
            if min(soon) > 0:
                desk.clock.sleep(min(soon))
            for shard in [*desk.shards.values()]:
                if self._can_go(desk.shards[shard.n], submits):
                    self._step_if_due(desk.shards[shard.n])
        if desk.worst:
            raise desk.worst

    # ---- the loop

    def _begin(self) -> None:
        """Take up what other commands have left: creations that the journal does not know, files that are gone, what is owed."""
        witness.consult(self._desk)
        collect.mend_all(self._desk)
        for shard in self._desk.of(State.OWED):
            steps.reopen(self._desk, shard)

    def _can_go(self, shard: Shard, submits: bool) -> bool:
        """Whether a shard's next step waits for no batch and no person."""
        if self._desk.memory[shard.n].stuck:
            return False
        return shard.state in (State.SUBMITTING, State.ENDED) or (submits and shard.state in TO_SUBMIT and not closed(self._desk, shard))

    def _in_flight(self) -> bool:
        return any(shard.state in IN_FLIGHT and not self._desk.memory[shard.n].stuck for shard in self._desk.shards.values())

    def _is_barred(self) -> bool:
        """Whether nothing can be submitted any more: what the others would wait for was set aside, so no waiting helps."""
        desk = self._desk
        return all(barred(desk, shard) for shard in desk.of(*TO_SUBMIT) if not desk.memory[shard.n].stuck)

    def _step_if_due(self, shard: Shard) -> None:
        desk = self._desk
        if desk.left(shard) > 0 or desk.memory[shard.n].stuck:
            return
        try:
            self._step(shard)
        except (Busy, Unreached, Unknown) as error:
            steps.trouble(desk, desk.shards[shard.n], error)
        except InputError as error:
            desk.set_aside(shard, error)
        except (Denied, Broke) as error:
            if shard.state not in TO_SUBMIT:
                raise
            desk.halted = desk.worst = error  # nothing more is sent; what is paid is collected first

    def _step(self, shard: Shard) -> None:
        match shard.state:
            case State.PLANNED | State.UPLOADED if self._desk.queues.is_too_large(shard) and not barred(self._desk, shard):
                steps.cut(self._desk, shard)
                return
            case State.PLANNED if not closed(self._desk, shard):
                steps.upload(self._desk, shard)
            case State.UPLOADED if not closed(self._desk, shard):
                steps.submit(self._desk, shard)
            case State.SUBMITTING:
                lost.recover(self._desk, shard)
            case State.ENDED:
                collect.collect_shard(self._desk, shard)
            case _:
                return
        self._desk.memory[shard.n].trouble = 0.0

    def _look_if_due(self) -> None:
        desk = self._desk
        flying, steady, poll = desk.of(State.SUBMITTED), desk.clock.steady, desk.options.poll
        if steady() < self._next_look:
            return
        waiting = {shard.model for shard in desk.of(*TO_SUBMIT) if queued(desk, shard)}
        if flying or waiting:
            changed = desk.ask(lambda: watch.look(desk, flying))
            changed |= desk.ask(lambda: watch.look_elsewhere(desk, waiting))
            self._interval = poll if changed else min(self._interval * 1.5, poll * (WAITING_INTERVALS if waiting else MOST_INTERVALS))
            self._next_look = steady() + self._interval

    def _rest(self, submits: bool) -> None:
        """Sleep until the next thing is due, never longer than a poll interval (the wall clock may jump)."""
        desk, due = self._desk, []
        for shard in desk.shards.values():
            if desk.memory[shard.n].stuck:
                continue
            match shard.state:
                case State.SUBMITTED:
                    due.append(self._next_look - desk.clock.steady())
                case State.SUBMITTING | State.ENDED:
                    due.append(desk.left(shard))
                case State.PLANNED | State.UPLOADED if submits and not closed(desk, shard):
                    due.append(desk.left(shard))
                case State.PLANNED | State.UPLOADED if submits and queued(desk, shard):
                    due.append(self._next_look - desk.clock.steady())
        if (wait := min(due, default=0.0)) > 0:
            desk.clock.sleep(min(wait, self._interval))

    def _raise_if_stopped(self) -> None:
        run = self._desk.run
        if self._desk.halted:
            raise self._desk.halted
        if run.stopped:
            raise InputError(f"run {run.name} was cancelled; --retry-failed {run.name} takes it up again")
        match run.paused_by:
            case Pause.CAP | Pause.DISK:
                raise InputError(run.paused)
            case Pause.MONEY:
                raise Broke(f"paused: {run.paused}; the same command goes on once that is settled")

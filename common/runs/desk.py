"""A run as this process works on it: its shards as the journal has them, what waits until when, and who listens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from common.errors import BatchError
from common.nouns import Batch, Event, Model, Pause, Run, Shard, State
from common.providers.base import Provider
from common.retry import Clock, backoff, patiently
from common.runs.journal import Journal, Terms
from common.runs.queue import Queues
from common.runs.spending import Caps

T = TypeVar("T")
LONGEST_NOTED_WAIT = 3600.0  # seconds; what an earlier process wanted to wait longer for is asked again sooner


@dataclass(frozen=True)
class Options:
    """How a command wants its run driven. All times in seconds."""

    parallel: int = 8  # batches in flight
    poll: float = 15.0  # first interval between two looks; grows to 20 times that while nothing changes
    retries: int = 3  # how often a request that failed for a passing reason is sent again
    retry_hours: float = 72.0  # no request is sent again when its run is older
    grace: float = 60.0  # how long a batch may stay out of the host's list before it counts as never made
    patience: float = 3600.0  # how long a call that may be repeated is repeated
    skip_invalid: bool = False
    caps: Caps = Caps(0.0)  # USD for the whole run, and for the month


@dataclass
class ShardMemory:
    """What only this process knows of a shard."""

    due: float = 0.0  # when it may be touched next, on the steady clock
    batch: Batch | None = None  # the last look at its batch
    busy: bool = False  # its create was answered "busy": one look, and it was not accepted
    searches: int = 0  # how often its batch was looked for in vain …
    since: float = 0.0  # … and since when, on the steady clock
    downloads: int = 0
    unready: int = 0  # how often the host called its input file not processed yet
    trouble: float = 0.0  # since when its step fails for a passing reason, on the steady clock; 0: it does not
    failures: int = 0
    stuck: bool = False  # this command can do nothing more about it


@dataclass(eq=False)
class Desk:
    """One run at work, whose lock the caller holds."""

    run: Run
    provider: Provider
    journal: Journal
    models: Mapping[str, Model]
    options: Options
    account: str = ""  # the salted digest of the key that the provider speaks with; the run is tied to it
    clock: Clock = field(default_factory=Clock)
    queues: Queues | None = None  # what its account may have in the host's queue; None: no limit is known yet
    fresh: bool = False  # planned by this very command: nobody else can have sent any of it
    as_of: int | None = None  # the journal's moment of which what other runs ask and have is known; None: it does not matter
    listeners: list[Callable[[Event], None]] = field(default_factory=list)  # each hears of every event
    shards: dict[int, Shard] = field(default_factory=dict, init=False)
    states: Counter[State] = field(default_factory=Counter, init=False)
    memory: defaultdict[int, ShardMemory] = field(default_factory=lambda: defaultdict(ShardMemory), init=False)
    suspicious: bool | None = field(default=None, init=False)  # whether somebody else seems to have sent this run; None: nobody has looked
    row_of: dict[str, str] = field(default_factory=dict, init=False)  # batches looked into for whose they are → the id of one of their rows
    worst: BatchError | None = field(default=None, init=False)  # what a command ends with that could not do everything
    halted: BatchError | None = field(default=None, init=False)  # the account is turned away: nothing more is sent

    def __post_init__(self) -> None:
        self.queues = self.queues or Queues(self.journal, self.account, self.run.key, clock=self.clock)
        for shard in self.journal.shards(self.run):
            self._keep(shard)
            # the wall clock may have jumped since an earlier process noted this
            self.wait(shard, min(shard.not_before - self.clock.now(), LONGEST_NOTED_WAIT))
        self.primers = [shard.n for shard in self.shards.values() if shard.primes]  # none is ever added

    def tell(self, kind: str, shard: Shard | None = None, text: str = "", batch: Batch | None = None) -> None:
        """Let all listeners hear of something."""
        event = Event(kind, shard, text, batch)
        for listener in self.listeners:
            listener(event)

    # ---- what the journal says

    def of(self, *states: State) -> list[Shard]:
        """The shards in the given states."""
        return [shard for shard in self.shards.values() if shard.state in states]

    def count(self, *states: State) -> int:
        """How many shards are in the given states."""
        return sum(self.states[state] for state in states)

    def looked_for(self) -> list[Shard]:
        """The shards whose batch this command still looks for."""
        return [shard for shard in self.of(State.SUBMITTING) if not self.memory[shard.n].stuck]

    def next_n(self) -> int:
        """The number of the next new shard."""
        return max(self.shards) + 1

    def record(
        self, shard: Shard, kind: str, more: Iterable[Shard] = (), *, wait: float | None = None,
        about: Mapping[str, object] | None = None, terms: Terms | None = None, **changes: object,
    ) -> Shard:  # fmt: skip
        """Commit an event; `wait`: seconds for which the shard is then left alone; `terms`: see `Journal.record`.

        `about` is for the event only.
        """
        if wait is not None:
            changes["not_before"] = self.clock.now() + wait
        more = list(more)
        shard = self.journal.record(shard, kind, more, about, terms, **changes)
        for one in (shard, *more):
            self._keep(one)
        if wait is not None:
            self.wait(shard, wait)  # on the steady clock; what the journal notes is for another process
        return shard

    def save_run(self, kind: str, more: Mapping[str, object] | None = None, **changes: object) -> None:
        """Commit an event of the run itself."""
        self.run = self.journal.save_run(replace(self.run, **changes), kind, **(more or {}))

    def pause(self, why: str, by: Pause) -> None:
        """Submit nothing more until a person has seen to it."""
        self.save_run("paused", {"by": by}, paused=why, paused_by=by)
        self.tell("paused", text=why)

    def replan(self, gone: Shard, instead: Iterable[Shard]) -> None:
        """Commit other shards for the requests of one that was not accepted."""
        instead = list(instead)
        self.journal.replan(self.run, [gone], instead, "cut")
        self.states[self.shards.pop(gone.n).state] -= 1
        for one in instead:
            self._keep(one)

    def _keep(self, shard: Shard) -> None:
        if (before := self.shards.get(shard.n)) is not None:
            self.states[before.state] -= 1
        self.shards[shard.n] = shard
        self.states[shard.state] += 1

    # ---- time

    def wait(self, shard: Shard, seconds: float) -> None:
        """Leave a shard alone for so long."""
        self.memory[shard.n].due = self.clock.steady() + max(seconds, 0.0)

    def left(self, shard: Shard) -> float:
        """Seconds until a shard may be touched."""
        return self.memory[shard.n].due - self.clock.steady()

    def searched_in_vain(self, shard: Shard) -> bool:
        """Count one search without a find; whether it has been looked for often and long enough."""
        memory = self.memory[shard.n]
        memory.since = memory.since or self.clock.steady()
        memory.searches += 1
        # this process's own steady clock: after a jump of the wall clock a batch could seem long overdue
        return memory.searches >= 2 and self.clock.steady() - memory.since >= self.options.grace

    def found(self, shard: Shard) -> None:
        """What was looked for is there: begin anew with the next search."""
        self.memory[shard.n].searches, self.memory[shard.n].since = 0, 0.0

    # ---- trouble

    def patience_left(self, shard: Shard, error: BatchError) -> float | None:
        """Count a passing failure of a shard's step; seconds until it is tried again, None when patience has run out."""
        memory = self.memory[shard.n]
        memory.trouble = memory.trouble or self.clock.steady()
        memory.failures = 1 if memory.trouble == self.clock.steady() else memory.failures + 1
        wish = getattr(error, "retry_after", None)
        wait = backoff(memory.failures, min(1.0, self.options.poll)) if wish is None else wish
        over = self.clock.steady() + wait - memory.trouble > self.options.patience
        return None if over else wait

    def set_aside(self, shard: Shard, error: BatchError) -> None:
        """This command can do nothing more about a shard: the others go on."""
        self.memory[shard.n].stuck = True
        self.worst = self.worst or error
        self.tell("aside", shard, f"shard {shard.n}: {error}")

    # ---- the host

    def ask(self, call: Callable[[], T]) -> T:
        """The answer of a call that is safe to repeat."""
        options = self.options
        return patiently(
            call,
            seconds=options.patience,
            start=min(1.0, options.poll),
            sleep=self.clock.sleep,
            told=lambda text: self.tell("wait", text=text),
        )

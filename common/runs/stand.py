"""What is said of where everything stands: a run, a batch that is out, an amount, a queue, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from common.nouns import OUT, TO_SUBMIT, Batch, Run, State
from common.outcomes import SUCCEEDED
from common.runs.pace import Estimate, Flight, Pace


class Out(NamedTuple):
    """A batch that is out, or owed. `at`: when its creation was begun, unix seconds; 0 where that cannot be read."""

    run: str
    n: int
    state: str
    batch_id: str
    account: str
    model: str
    requests: int
    tokens: int
    reserve: float | None
    at: float

    def flight(self, now: float, look: Batch | None = None) -> Flight:
        """The same as what an estimate asks for; `look`: what the host says of it."""
        return Flight(self.model, max(now - self.at, 0.0), (look.succeeded + look.errored) / look.total if look and look.total else 0.0)


@dataclass(slots=True)
class Stand:
    """Where a run stands."""

    run: Run
    states: dict[str, int] = field(default_factory=dict)  # batches by state
    rows: Mapping[str, int] = field(default_factory=dict)  # rows that have come by class; one that is asked again counts each time
    requests: dict[str, int] = field(default_factory=dict)  # requests by the state of their batch
    out: list[Out] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)  # models of the batches still to be sent
    simulated: bool = False
    is_open: bool = False
    ends: Estimate | None = None  # of an open run

    @property
    def answered(self) -> int:
        """Requests whose answer has come."""
        return min(self.rows.get(SUCCEEDED, 0), self.run.planned)

    @property
    def in_flight(self) -> int:
        """Requests that are out, or owed."""
        return sum(self.requests.get(state, 0) for state in OUT)

    @property
    def unsent(self) -> int:
        """Requests that wait to be sent, or sent again."""
        return sum(self.requests.get(state, 0) for state in TO_SUBMIT)

    @property
    def failed(self) -> int:
        """Requests that have no answer and are not on their way to one."""
        return max(self.run.planned - self.answered - self.in_flight - self.unsent, 0)

    @property
    def is_plan(self) -> bool:
        """Whether nothing of it was ever begun."""
        return not self.is_open and not set(self.states) - {State.PLANNED} and not self.run.imported


class Amount(NamedTuple):
    """A sum of USD, and of how many batches the price is unknown, so that it holds none of them."""

    usd: float = 0.0
    unpriced: int = 0

    def plus(self, usd: float | None) -> Amount:
        """With one more."""
        return Amount(self.usd, self.unpriced + 1) if usd is None else Amount(self.usd + usd, self.unpriced)


class Queue(NamedTuple):
    """What waits at a host for one model on one account."""

    host: str
    account: str
    model: str
    simulated: bool
    batches: int
    requests: int
    tokens: int


class Going(NamedTuple):
    """A batch whose results have not been fetched, and when its host lets go of them, unix seconds."""

    out: Out
    at: float


@dataclass(slots=True)
class Board:
    """Everything, as of `now` (unix seconds); runs newest first. Simulated money is never added to what is paid."""

    now: float
    open: list[Stand] = field(default_factory=list)
    closed: list[Stand] = field(default_factory=list)  # finished, cancelled, imported, or planned only
    in_flight: dict[bool, Amount] = field(default_factory=dict)  # by whether it is simulated; at most
    spent: dict[bool, Amount] = field(default_factory=dict)  # the same, by what was collected since `month`
    month: str = ""  # the first day that `spent` counts, in UTC
    queue: list[Queue] = field(default_factory=list)
    going: list[Going] = field(default_factory=list)  # the first to go first
    garbled: list[str] = field(default_factory=list)
    pace: Pace = field(default_factory=lambda: Pace({}))

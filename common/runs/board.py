"""Where everything stands, in sums that SQL makes over all runs: what is out, what has come, money, queue, what may be lost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from common import catalog
from common.nouns import IN_FLIGHT, TO_SUBMIT, Batch, Run, State
from common.outcomes import SUCCEEDED
from common.runs.desk import Options
from common.runs.journal import Journal
from common.runs.overview import began, summary_of
from common.runs.pace import Estimate, Flight, Pace
from common.settings import is_loopback

OUT = (*IN_FLIGHT, State.OWED)
SOON = 7 * 86_400  # seconds before results go at which that is said
_THESE = ", ".join(f"'{state}'" for state in OUT)
_STATES = "SELECT run, state, count(*), sum(requests) FROM shards GROUP BY run, state"
_OPEN = f"""
    SELECT run, n, state, batch_id, account, model, requests, tokens, reserve, CASE WHEN json_valid(CAST(body AS TEXT))
    THEN json_extract(CAST(body AS TEXT), '$.intent_at') END FROM shards WHERE state IN ({_THESE}) ORDER BY run, n
"""
_WAITING = "SELECT run, model FROM shards WHERE state IN ('planned', 'uploaded')"
# of a collected batch: its rows by class, when it was collected, and what it cost
_COME = """
    SELECT run, spent, CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.tally', '$.collected_at') END
    FROM shards WHERE state = 'collected'
"""


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
    rows: dict[str, int] = field(default_factory=dict)  # rows that have come by class; one that is asked again counts each time
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


def board(journal: Journal, now: float | None = None) -> Board:
    """Where everything stands by the journal alone; nobody is asked."""
    now = time.time() if now is None else now
    stands = {run.key: Stand(run, simulated=_is_simulated(run)) for run in journal.runs()}
    found = Board(now, garbled=[*journal.garbled.values()], pace=Pace.of(journal))
    _count_states(journal, stands)
    _count_rows(journal, stands, found)
    for stand in stands.values():
        stand.is_open = _is_open(journal, stand)
    for stand in sorted(stands.values(), key=lambda stand: -stand.run.created_at):
        (found.open if stand.is_open else found.closed).append(stand)
        if stand.is_open:
            stand.ends = ends(journal, found.pace, stand, now)
    _count_out(found)
    return found


def ends(journal: Journal, pace: Pace, stand: Stand, now: float, looks: Mapping[str, Batch] | None = None) -> Estimate:
    """When all batches of a run are likely to have ended; `looks`: the batches by id, where the host was asked."""
    run, looks = stand.run, looks or {}
    if owed := stand.states.get(State.OWED):
        return Estimate(None, None, None, f"{owed} owed by the provider")
    if stand.waiting and (run.paused or run.stopped):
        return Estimate(None, None, None, "it is cancelled" if run.stopped else "it waits for you")
    flights = [out.flight(now, looks.get(out.batch_id)) for out in stand.out if not _has_ended(out, looks)]
    if not flights and not stand.waiting:
        return Estimate(0.0, 0.0, 0.0, "all have ended")
    parallel = journal.told(run).get("parallel") if stand.waiting else None
    return pace.run(run.address, flights, stand.waiting, parallel if isinstance(parallel, int) and parallel > 0 else Options().parallel)


def _has_ended(out: Out, looks: Mapping[str, Batch]) -> bool:
    return out.state == State.ENDED or (out.batch_id in looks and looks[out.batch_id].ended)


def _is_simulated(run: Run) -> bool:
    """Whether a run's answers are; one at this machine may be, as its summary says once it has one."""
    return run.address == "local" or (is_loopback(run.address) and bool((summary_of(run) or {}).get("simulated")))


def _is_open(journal: Journal, stand: Stand) -> bool:
    """As `overview.is_open`, from the sums."""
    if stand.run.imported:
        return False
    if stand.states.keys() & {*OUT}:
        return True
    return bool(stand.states.keys() & {*TO_SUBMIT}) and not stand.run.stopped and began(journal, stand.run)


def _count_states(journal: Journal, stands: Mapping[str, Stand]) -> None:
    for key, state, batches, requests in journal.select(_STATES):
        if key in stands:
            stands[key].states[state], stands[key].requests[state] = batches, requests
    for row in journal.select(_OPEN):
        if row[0] in stands:
            stands[row[0]].out.append(Out(*row[:-1], row[-1] or 0.0))
    for key, model in journal.select(_WAITING):
        if key in stands:
            stands[key].waiting.append(model)


def _count_rows(journal: Journal, stands: Mapping[str, Stand], found: Board) -> None:
    """What has come, by run and class, and what it cost since this month began: in UTC, as providers bill."""
    begin = datetime.fromtimestamp(found.now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found.month, since = f"{begin:%Y-%m-%d}", begin.timestamp()
    for key, spent, noted in journal.select(_COME):
        if (stand := stands.get(key)) is None or noted is None:
            continue
        tally, at = orjson.loads(noted)
        for name, count in (tally or {}).items():
            stand.rows[name] = stand.rows.get(name, 0) + count
        if (at or 0.0) >= since and not stand.run.imported:
            found.spent[stand.simulated] = found.spent.get(stand.simulated, Amount()).plus(spent)


def _count_out(found: Board) -> None:
    """Money in flight, the queue, and the results that go."""
    queue: dict[tuple, list[Out]] = {}
    for stand in found.open:
        days = catalog.hosts()[stand.run.host].results_days if stand.run.host in catalog.hosts() else None
        for out in stand.out:
            found.in_flight[stand.simulated] = found.in_flight.get(stand.simulated, Amount()).plus(out.reserve)
            if out.state in (State.SUBMITTING, State.SUBMITTED):
                queue.setdefault((stand.run.host, out.account, out.model, stand.simulated), []).append(out)
            if days and out.at and not stand.simulated:
                found.going.append(Going(out, out.at + days * 86_400))
    found.queue = [Queue(*key, len(outs), _sum(outs, "requests"), _sum(outs, "tokens")) for key, outs in sorted(queue.items())]
    found.going.sort(key=lambda going: going.at)


def _sum(outs: Iterable[Out], name: str) -> int:
    return sum(getattr(out, name) for out in outs)

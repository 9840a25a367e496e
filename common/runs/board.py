"""Where everything stands, in sums that SQL makes over all runs: what is out, what has come, money, queue, what may be lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

from common import catalog
from common.nouns import OUT, TO_SUBMIT, Batch, Run, State
from common.runs.desk import Options
from common.runs.journal import Journal
from common.runs.overview import began, summary_of
from common.runs.pace import Estimate, Pace
from common.runs.spending import month_of
from common.runs.stand import Amount, Board, Going, Out, Queue, Stand
from common.settings import is_loopback

SOON = 7 * 86_400  # seconds before results go at which that is said
_THESE = ", ".join(f"'{state}'" for state in OUT)
_STATES = "SELECT run, state, count(*), sum(requests) FROM shards GROUP BY run, state"
_OPEN = f"""
    SELECT run, n, state, batch_id, account, model, requests, tokens, reserve, CASE WHEN json_valid(CAST(body AS TEXT))
    THEN json_extract(CAST(body AS TEXT), '$.intent_at') END FROM shards WHERE state IN ({_THESE}) ORDER BY run, n
"""
_WAITING = "SELECT run, model FROM shards WHERE state IN ('planned', 'uploaded')"
# of a run's collected batches: rows by class and when collected, what it cost; reading their bodies is most of what a look costs
_COME = """
    SELECT spent, CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.tally', '$.collected_at') END
    FROM shards WHERE run = ? AND state = 'collected'
"""
_TOUCHED = "SELECT DISTINCT run FROM events WHERE id > ?"


class Come(NamedTuple):
    """What has come of a run: rows by class, and when each batch was collected, with its cost."""

    rows: Counter[str]
    spent: list[tuple[float, float | None]]


class BoardMemory:
    """What a look keeps for the next one: of runs to which nothing has happened since, what has come, and the pace."""

    def __init__(self) -> None:
        self.come: dict[str, Come] = {}
        self.pace = Pace({})
        self._moment = -1

    def refresh(self, journal: Journal) -> None:
        """Forget what is no longer so."""
        moment = journal.moment()
        if moment < self._moment:  # an older journal was put in its place
            self.come.clear()
        for (key,) in journal.select(_TOUCHED, self._moment):
            self.come.pop(key, None)
        if moment != self._moment:
            self.pace, self._moment = Pace.of(journal), moment


def board(journal: Journal, now: float | None = None, memory: BoardMemory | None = None) -> Board:
    """Where everything stands by the journal alone; nobody is asked. With the same `memory` each time, further looks are quicker."""
    now, memory = time.time() if now is None else now, memory or BoardMemory()
    memory.refresh(journal)
    stands = {run.key: Stand(run, simulated=_is_simulated(run)) for run in journal.runs()}
    found = Board(now, garbled=[*journal.garbled.values()], pace=memory.pace)
    _count_states(journal, stands)
    _count_rows(journal, stands, found, memory)
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
    if run.way and not run.local:
        return Estimate(None, None, None, "asked row by row while its command lasts")
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
    return run.local or (is_loopback(run.address) and bool((summary_of(run) or {}).get("simulated")))


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


def _count_rows(journal: Journal, stands: Mapping[str, Stand], found: Board, memory: BoardMemory) -> None:
    """What has come, by run and class, and what it cost since this month began: in UTC, as providers bill."""
    name, since, _ = month_of(found.now)
    found.month = f"{name}-01"
    for key, stand in stands.items():
        if key not in memory.come:
            memory.come[key] = _come(journal, key)
        stand.rows, spent = memory.come[key]
        for at, cost in spent:
            if at >= since and not stand.run.imported:
                found.spent[stand.simulated] = found.spent.get(stand.simulated, Amount()).plus(cost)


def _come(journal: Journal, key: str) -> Come:
    come = Come(Counter(), [])
    for spent, noted in journal.select(_COME, key):
        tally, at = orjson.loads(noted) if noted else (None, None)
        come.rows.update(tally or {})
        come.spent.append((at or 0.0, spent))
    return come


def _count_out(found: Board) -> None:
    """Money in flight, the queue, and the results that go."""
    queue: dict[tuple, list[Out]] = {}
    for stand in found.open:
        days = catalog.hosts()[stand.run.host].keeps_days if stand.run.host in catalog.hosts() else None
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

"""When batches and runs are likely to end, told by how long earlier ones took in this journal; where nothing tells, that is said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, prod
from typing import NamedTuple

from common.runs.journal import Journal
from common.text import duration

FEWEST = 3  # earlier batches below which nothing is said by them
NEWEST = 2000  # earlier batches that are looked at: hosts change
QUARTERS = (0.25, 0.5, 0.75)
NOTHING = "no earlier batch to tell by"
DONE = 0.1  # share of a batch that must be answered before its own pace says anything
MOST = 50  # batches of a run that are reckoned with: the youngest end last

# How long batches took from creation until they were seen to have ended. The last creation counts: one that the host turned down
# for a passing reason is made again under the same number.
_TOOK = f"""
    SELECT e.run, s.model, e.at - (SELECT max(at) FROM events b WHERE b.run = e.run AND b.n = e.n AND b.kind = 'submitting' AND b.id < e.id)
    FROM (SELECT run, n, at, id FROM events WHERE kind = 'ended' ORDER BY id DESC LIMIT {NEWEST}) e JOIN shards s USING (run, n)
    WHERE s.state IN ('ended', 'owed', 'collected')
"""


class Estimate(NamedTuple):
    """When something ends, in seconds from now: as often before `likely` as after it, one time in four each before `low` and after `high`.

    None: nothing tells, and `basis` says why. Where `low` alone is None there is no saying how sure it is.
    """

    low: float | None
    likely: float | None
    high: float | None
    basis: str

    @property
    def when(self) -> str:
        """As people say it, without the basis."""
        if self.likely is None:
            return "unknown"
        if not self.high and self.low is not None:
            return "now"
        if self.low is None or duration(self.low) == duration(self.high):
            return f"in about {duration(self.likely)}"
        low, high = duration(self.low), duration(self.high)
        low = low.rpartition(" ")[0] if low.rpartition(" ")[2] == high.rpartition(" ")[2] else low
        return f"in {low}–{high}"


class Flight(NamedTuple):
    """A batch that is out: its model, its age in seconds, and what share of it the host says is done (0 where nobody knows)."""

    model: str
    age: float
    done: float = 0.0


class Pace:
    """How long batches took, in seconds, by (address, model); an address is a Run's, so what is simulated tells nothing of the rest."""

    def __init__(self, took: Mapping[tuple[str, str], Iterable[float]]) -> None:
        self._took = {key: sorted(seconds) for key, seconds in took.items()}

    @classmethod
    def of(cls, journal: Journal) -> Pace:
        """The pace of the newest batches of a journal."""
        addresses, took = {run.key: run.address for run in journal.runs() if not run.way}, {}
        for key, model, seconds in journal.select(_TOOK):
            if seconds is not None and seconds > 0 and key in addresses:
                took.setdefault((addresses[key], model), []).append(seconds)
        return cls(took)

    def batch(self, address: str, flight: Flight) -> Estimate:
        """When a batch that is out is likely to end."""
        took, basis = self._earlier(address, flight.model)
        left = _left(took, flight.age)
        if left:
            return Estimate(*(_by([left], share) for share in QUARTERS), basis)
        if flight.done >= DONE:
            return Estimate(None, flight.age * (1 - flight.done) / flight.done, None, f"its own pace so far, {flight.done:.0%} done")
        return Estimate(None, None, None, f"out for longer than all {basis}" if took else basis)

    def run(self, address: str, flights: Sequence[Flight], waiting: Sequence[str] = (), parallel: int = 8) -> Estimate:
        """When all batches of a run are likely to have ended: those that are out, then those that wait, `parallel` at a time.

        `waiting`: the models of batches still to be sent. What will have to be asked again is not foreseen.
        """
        if not flights and not waiting:
            return Estimate(None, None, None, "nothing is out")
        young = sorted(flights, key=lambda flight: flight.age)[:MOST]
        told = [(flight, self.batch(address, flight)) for flight in young]
        if lost := next((one for _, one in told if one.likely is None), None):
            return lost
        if len(told) == 1 and not waiting:
            return told[0][1]
        if own := [one for _, one in told if one.low is None]:  # whose own pace is all that tells of them
            if waiting:
                return Estimate(None, None, None, NOTHING)
            return Estimate(None, max(one.likely for _, one in told), None, own[0].basis)
        rounds = self._rounds(address, waiting, parallel)
        if isinstance(rounds, str):
            return Estimate(None, None, None, rounds)
        basis = self._earlier(address, flights[0].model if flights else waiting[0])[1]
        lefts = [_left(self._earlier(address, flight.model)[0], flight.age) for flight in young]
        return Estimate(*(_by(lefts, share) + more for share, more in zip(QUARTERS, rounds)), basis)

    def _rounds(self, address: str, waiting: Sequence[str], parallel: int) -> Sequence[float] | str:
        """How much longer it takes for batches that are still to be sent: quartiles; why nobody knows, where nobody does."""
        if not waiting:
            return (0.0, 0.0, 0.0)
        every = [self._earlier(address, model) for model in dict.fromkeys(waiting)]
        if unknown := next((basis for took, basis in every if not took), ""):
            return unknown
        rounds = ceil(len(waiting) / parallel)
        lefts = [took for took, _ in every] * ceil(min(len(waiting), parallel) / len(every))
        return [rounds * _by(lefts, share) for share in QUARTERS]

    def _earlier(self, address: str, model: str) -> tuple[list[float], str]:
        """How long comparable batches took, and which those are: of the same model, else of the same host; none: why."""
        mine = self._took.get((address, model), [])
        if len(mine) >= FEWEST:
            return mine, f"{len(mine):,} earlier batches of {model}"
        every = sorted(seconds for (where, _), took in self._took.items() if where == address for seconds in took)
        if len(every) >= FEWEST:
            return every, f"{len(every):,} earlier batches at this host"
        return [], f"only {len(every)} earlier to tell by" if every else NOTHING


def _left(took: Sequence[float], age: float) -> list[float]:
    """How long the batches that took longer than `age` went on from there."""
    return [seconds - age for seconds in took[bisect_right(took, age) :]]


def _by(lefts: Sequence[Sequence[float]], share: float) -> float:
    """By when all of these end with this probability, each as one of its own earlier ones: the first time that is late enough."""
    times = sorted({time for left in lefts for time in left}) or [0.0]
    low, high = 0, len(times) - 1
    while low < high:
        middle = (low + high) // 2
        if prod(bisect_right(left, times[middle]) / len(left) for left in lefts) >= share:
            high = middle
        else:
            low = middle + 1
    return times[low]

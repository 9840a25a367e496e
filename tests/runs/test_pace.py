"""When things end: told by earlier batches of the same model at the same address, and never where nothing tells."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from common.runs.pace import Estimate, Flight, Pace

HERE, MODEL = "https://api.example", "m1"
seconds = st.floats(1, 1e5)
earlier = st.lists(seconds, min_size=3, max_size=12)
ages = st.lists(st.floats(0, 1e5), min_size=1, max_size=4)


@given(earlier, st.floats(0, 2e5))
def test_a_batch_by_those_that_took_longer(took: list[float], age: float) -> None:
    """The quartiles are those of what was left, at this age, of earlier batches; none took longer: nobody knows."""
    found = Pace({(HERE, MODEL): took}).batch(HERE, Flight(MODEL, age))
    left = sorted(one - age for one in took if one > age)
    if not left:
        assert found == Estimate(None, None, None, f"out for longer than all {len(took)} earlier batches of m1")
        assert found.when == "unknown"
        return
    assert left[0] <= found.low <= found.likely <= found.high <= left[-1]
    assert sum(one <= found.likely for one in left) * 2 >= len(left) >= sum(one < found.likely for one in left) * 2


@given(earlier, ages)
def test_a_run_ends_with_its_last_batch(took: list[float], ages: list[float]) -> None:
    """The chance that all of its batches have ended by then is what it should be, counted over every way in which they may go."""
    pace, flights = Pace({(HERE, MODEL): took}), [Flight(MODEL, age) for age in ages]
    found = pace.run(HERE, flights)
    lefts = [[one - age for one in took if one > age] for age in ages]
    if not all(lefts):
        assert found.likely is None
        return
    ends = [max(way) for way in product(*lefts)]
    for time, share in zip(found[:3], (0.25, 0.5, 0.75), strict=True):
        assert sum(end <= time for end in ends) >= share * len(ends) * (1 - 1e-9)
        assert sum(end < time for end in ends) < share * len(ends) * (1 + 1e-9)
    more = pace.run(HERE, flights, [MODEL] * 9, parallel=4)
    assert all(later > sooner for later, sooner in zip(more[:3], found[:3], strict=True))


def test_nothing_to_tell_by() -> None:
    """Two batches are no pace, another address and what is simulated tell nothing; a host's own counts are better than nothing."""
    pace = Pace({(HERE, MODEL): [5, 6], ("local", MODEL): [1, 1, 1, 1]})
    assert pace.batch(HERE, Flight(MODEL, 1)) == (None, None, None, "only 2 earlier to tell by")
    assert pace.batch("https://other.example", Flight(MODEL, 1)).basis == "no earlier batch to tell by"
    counted = pace.batch(HERE, Flight(MODEL, 60, done=0.25))
    assert (counted.low, counted.likely, counted.high, counted.when) == (None, 180, None, "in about 3 min")
    assert pace.batch(HERE, Flight(MODEL, 60, done=0.05)).likely is None
    assert pace.run(HERE, [Flight(MODEL, 60, done=0.25), Flight(MODEL, 60, done=0.5)]).likely == 180
    assert pace.run(HERE, [Flight(MODEL, 60, done=0.25)], waiting=[MODEL]).likely is None
    assert pace.run(HERE, []).likely is None


def test_another_model_at_the_same_host() -> None:
    """Better than nothing, and said."""
    found = Pace({(HERE, "m2"): [100, 200, 300]}).batch(HERE, Flight(MODEL, 0))
    assert (found.low, found.likely, found.high, found.basis) == (100, 200, 300, "3 earlier batches at this host")


def test_as_people_say_it() -> None:
    """A range with its unit once; no range where both ends are the same."""
    assert Estimate(720, 1200, 2400, "").when == "in 12–40 min"
    assert Estimate(60, 1200, 7200, "").when == "in 60 s–2.0 h"
    assert Estimate(20, 20, 20, "").when == "in about 20 s"
    assert Estimate(0, 0, 0, "").when == "now"

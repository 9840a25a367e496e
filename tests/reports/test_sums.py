"""Sums by factors, and conditions that are kept to be compared: nothing lost, nothing without bound."""

from __future__ import annotations

import statistics
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.nouns import Question
from common.reports import sums
from common.reports.sums import BINS, FOLDED, Conditions, Cube, measures

JOY = Question("Q1", "Joy", 0.0, 10.0)
COLOUR = Question("Q2", "Colour", type="choice", choices=(("red", ()), ("blue", ())))
ASKED = measures([JOY, COLOUR, Question("Q3", "Why", type="text")])
ROW = st.tuples(st.sampled_from("mn"), st.sampled_from("12"), st.sampled_from("tuv"), st.integers(0, 10))
ROWS = st.lists(ROW, min_size=1, max_size=60)


@given(ROWS)
def test_sums_by_factors(rows: list[tuple]) -> None:
    """By any factor, what a plain loop over the rows finds; texts are not summed."""
    cube = Cube(("model", "persona", "text"), ASKED)
    for *key, value in rows:
        cube.add(tuple(key), (value - 5.0, "red" if value > 5 else "blue"))
    assert [measure.question.id for measure in ASKED] == ["Q1", "Q2"]
    for n, name in enumerate(("model", "persona", "text")):
        found, counts = cube.by(0, name), cube.by(1, name)
        assert {key[0] for key in found} == {row[n] for row in rows}
        for (level,), numbers in found.items():
            values = [row[3] for row in rows if row[n] == level]
            assert (numbers.n, 5 + numbers.mean) == (len(values), pytest.approx(statistics.fmean(values)))
            assert counts[level,].counts["red"] == sum(value > 5 for value in values)


def test_the_order_of_levels() -> None:
    """Models as they came, all else by name, numbers in it as numbers."""
    cube = Cube(("model", "text"), ASKED)
    for model, text in (("z", "t10"), ("a", "t2"), ("z", "t2"), ("a", "t10")):
        cube.add((model, text), (0.0, None))
    assert [*cube.by(0, "model", "text")] == [("z", "t2"), ("z", "t10"), ("a", "t2"), ("a", "t10")]
    assert [*cube.by(0, "text")] == [("t2",), ("t10",)]


def test_too_many_levels() -> None:
    """A factor of very many levels is folded, what came before included; the others stay, and every answer counts."""
    cube = Cube(("model", "persona", "text"), ASKED)
    for n in range(5000):
        cube.add((f"m{n % 3}", f"p{n % 4}", f"t{n}"), (float(n % 10), None))
    assert cube.shown() == ["model", "persona"]
    assert [*cube.by(0, "text")] == [(FOLDED,)] and cube.by(0, "text")[FOLDED,].n == 5000
    assert len(cube.cells) == 12 and sum(sums.n for sums in cube.by(0, "model").values()) == 5000


def test_too_many_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no factor has many levels: the one with the most goes first."""
    monkeypatch.setattr(sums, "CELLS", 50)
    cube = Cube(("model", "a", "b"), ASKED)
    for n in range(4000):
        cube.add((f"m{n % 2}", f"{n % 20}", f"{n % 13}"), (1.0, "red"))
    assert cube.shown() == ["model", "b"] and sum(cell[1].n for cell in cube.cells.values()) == 4000


@given(st.floats(0, 10))
def test_bins(value: float) -> None:
    """Each value of the range has one, the ends included."""
    measure = ASKED[0]
    at = measure.bin(measure.fit(value))
    assert 0 <= at < BINS and at * 0.5 - 1e-7 <= value <= (at + 1) * 0.5 + 1e-7


def test_few_whole_numbers_have_a_bin_each() -> None:
    (stars,) = measures([Question("Q1", "Stars", 1.0, 5.0, type="integer")])
    assert [stars.bin(stars.fit(n)) for n in range(1, 6)] == [0, 1, 2, 3, 4] and stars.bins == 5
    (many,) = measures([Question("Q1", "Many", 0.0, 100.0, type="integer")])
    assert many.bins == BINS and [many.bin(many.fit(n)) for n in (0, 4, 5, 99, 100)] == [0, 0, 1, 19, 19]


def test_conditions_are_let_go_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many, some places are kept with all their models, whichever order they come in, about so many as told."""
    monkeypatch.setattr(sums, "CONDITIONS", 300)
    kept = []
    for models in ("ab", "ba"):
        found = Conditions(ASKED)
        for model in models:
            for n in range(1000):
                for value in (1.0, 3.0):
                    found.add((f"t{n}",), ("p", model), (value, None), lambda: ("why", ""), f"id{n}")
        kept.append(found)
        assert all(cells.keys() == {"a", "b"} for _, _, cells in found)
        assert all((cell.sums[0].n, cell.sums[0].mean) == (2, 2.0) for _, _, cells in found for cell in cells.values())
        assert 0.5 < len(found.places) * found.part / 1000 < 2 and len(found.places) <= 150
    assert kept[0].places.keys() == kept[1].places.keys()


def test_more_questions_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twice as many questions half as many conditions are kept."""
    monkeypatch.setattr(sums, "CONDITIONS", 400)
    kept = []
    for count in (4, 8):
        found = Conditions([ASKED[0]] * count)
        for n in range(1000):
            found.add((f"t{n}",), ("p", "m"), [1.0] * count, lambda count=count: ["why"] * count, "id")
        kept.append(len(found.places) * count)
        assert kept[-1] <= 400 * 4
    assert 0.5 < kept[0] / kept[1] < 2


def test_memory_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the texts take no more room once there is none."""
    monkeypatch.setattr(sums, "CONDITIONS", 500)
    peaks = []
    for size in (2_000, 20_000):
        tracemalloc.start()
        cube, found = Cube(("model", "persona", "text"), ASKED), Conditions(ASKED)
        for n in range(size):
            cube.add(("m", "p", f"t{n}"), (1.0, "red"))
            found.add((f"t{n}",), ("p", "m"), (1.0, "red"), lambda: ("word " * 10, ""), "id")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]

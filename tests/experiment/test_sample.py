"""Owns the tests of samples: their size, their evenness over ways and texts, and that only content decides."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from common.experiment.sample import Chosen, choose

WIDE = settings(max_examples=150, deadline=None)
IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
SEEDS = st.text(max_size=4)


@st.composite
def grids(draw: st.DrawFn, rules: bool = True) -> tuple[list[tuple[str, list[int]]], list[str], int]:
    """Texts with the ways that may ask them, the names of the ways, the number of trials."""
    names = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    every = list(range(len(names)))
    ids = draw(st.lists(IDS, min_size=1, max_size=12, unique=True))
    ways = st.lists(st.sampled_from(every), unique=True) if rules else st.just(every)
    return [(text, draw(ways)) for text in ids], names, draw(st.integers(1, 3))


def asked(chosen: Chosen, pairs: list, names: list[str]) -> dict[tuple[str, str], list[int]]:
    """What a sample asks, by names."""
    found = {(names[way], text): list(chosen.trials(way, text)) for text, _ in pairs for way in range(len(names))}
    return {pair: trials for pair, trials in found.items() if trials}


def spread(counts: list[int]) -> int:
    return max(counts, default=0) - min(counts, default=0)


@WIDE
@given(grids(), st.integers(1, 120), SEEDS)
def test_a_sample_has_its_size_and_ways_have_the_same_share_as_far_as_they_reach(grid: tuple, n: int, seed: str) -> None:
    pairs, names, trials = grid
    chosen = choose(pairs, names, trials, n, seed)
    found = asked(chosen, pairs, names)
    total = trials * sum(len(ways) for _, ways in pairs)
    assert sum(map(len, found.values())) == len(chosen) == min(n, total)
    allowed = {(names[way], text) for text, ways in pairs for way in ways}
    assert found.keys() <= allowed
    sizes = Counter(dict.fromkeys(names, 0))
    texts: dict[str, list[int]] = {name: [] for name in names}
    for name, text in allowed:
        numbers = found.get((name, text), [])
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) <= trials
        sizes[name] += len(numbers)
        texts[name].append(len(numbers))
    assert all(spread(counts) <= 1 for counts in texts.values())  # a second trial only when all texts have one
    not_used_up = [sizes[name] for name in names if sizes[name] < trials * len(texts[name])]
    assert spread(not_used_up) <= 1
    assert max(sizes.values()) <= min(not_used_up, default=total) + 1


@WIDE
@given(grids(rules=False), st.integers(1, 200), SEEDS)
def test_texts_are_used_evenly_where_no_rule_forbids_it(grid: tuple, n: int, seed: str) -> None:
    pairs, names, trials = grid
    found = asked(choose(pairs, names, trials, n, seed), pairs, names)
    assert spread([sum(len(found.get((name, text), ())) for name in names) for text, _ in pairs]) <= 1


def test_four_ways_and_three_texts_ask_each_text_four_times_by_twelve_requests() -> None:
    pairs = [(text, range(4)) for text in ("t1", "t2", "t3")]
    found = asked(choose(pairs, "abcd", 10, 12, ""), pairs, "abcd")
    assert Counter(text for _, text in found) == {"t1": 4, "t2": 4, "t3": 4}
    assert set(map(tuple, found.values())) == {(1,)}


@WIDE
@given(grids(), st.integers(1, 60), SEEDS, st.randoms())
def test_the_order_of_rows_and_of_ways_changes_nothing(grid: tuple, n: int, seed: str, order: random.Random) -> None:
    pairs, names, trials = grid
    other = order.sample(names, len(names))
    place = [other.index(name) for name in names]
    shuffled = [(text, order.sample([place[way] for way in ways], len(ways))) for text, ways in order.sample(pairs, len(pairs))]
    assert asked(choose(shuffled, other, trials, n, seed), pairs, other) == asked(choose(pairs, names, trials, n, seed), pairs, names)


def test_pruning_on_the_way_does_not_depend_on_the_order_of_rows() -> None:
    names = [f"way {n}" for n in range(5)]
    pairs = [(f"t{n}", [0, 1] if n % 3 else [0, 2, 4] if n % 7 else [3]) for n in range(12_000)]
    shuffled = random.Random(1).sample(pairs, len(pairs))
    found = [asked(choose(rows, names, 2, 60, "s"), pairs, names) for rows in (pairs, shuffled, pairs[::-1])]
    assert found[0] == found[1] == found[2]
    assert Counter(name for name, _ in found[0]) == dict.fromkeys(names, 12)
    assert len({text for _, text in found[0]}) == 60


def test_another_seed_is_another_sample() -> None:
    pairs = [(f"t{n}", [0, 1]) for n in range(1000)]
    one, other = (set(asked(choose(pairs, ["a", "b"], 1, 100, seed), pairs, ["a", "b"])) for seed in "12")
    assert len(one & other) < 50


@WIDE
@given(st.integers(1, 5), st.integers(1, 40), st.data())
def test_a_larger_sample_holds_a_smaller_one(ways: int, texts: int, data: st.DataObject) -> None:
    pairs, names = [(f"t{n}", range(ways)) for n in range(texts)], [f"w{n}" for n in range(ways)]
    small = data.draw(st.integers(1, texts))
    large = data.draw(st.integers(small, texts))
    one, other = (asked(choose(pairs, names, 2, n, "s"), pairs, names) for n in (small, large))
    assert one.keys() <= other.keys()


def test_every_pair_is_as_likely_as_any_other() -> None:
    pairs, names = [(f"t{n}", range(3)) for n in range(10)], ["a", "b", "c"]
    hits = Counter(pair for seed in range(600) for pair in asked(choose(pairs, names, 1, 6, str(seed)), pairs, names))
    assert len(hits) == 30 and all(80 < count < 160 for count in hits.values())  # 120 expected, four standard deviations are 40


def test_two_hundred_thousand_texts_are_sampled_quickly_and_at_flat_memory() -> None:
    begin = time.process_time()
    tracemalloc.start()
    chosen = choose(((f"t{n}", (0, 1, 2, 3)) for n in range(200_000)), "abcd", 3, 500, "s")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(chosen) == 500 and peak < 3_000_000
    assert time.process_time() - begin < 5

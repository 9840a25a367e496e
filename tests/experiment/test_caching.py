"""What is marked for the prompt cache, what that can save and cost, and in which order requests are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.catalog.models import find
from common.catalog.prices import ceiling, cost
from common.catalog.tokens import Tokens
from common.experiment.caching import Caching
from common.experiment.grid import Asked
from common.nouns import Ask, Condition, Marks, Usage

HAIKU = find("claude-haiku-4-5", "anthropic")  # 1 USD per million, half of it in a batch; 4,096 tokens at least


def count(text: str) -> Tokens:
    """A token a letter."""
    return Tokens(len(text), len(text))


def asked(system: int, user: int, trials: int, persona: str = "1", text: str = "t1", shared: bool = True) -> Asked:
    """A condition with prompts of so many tokens; its system prompt follows from the persona."""
    condition = Condition(HAIKU, persona, text, persona * system, text[-1] * user, None)
    return Asked(condition, Ask(64), range(1, trials + 1), shared=shared)


def marks_of(caching: Caching, *conditions: Asked) -> list[Marks | None]:
    """What is marked of each, in one stage."""
    ((primes, stage),) = caching.stages(lambda: iter(conditions), None)
    assert not primes
    return [one.marks for one in stage]


@pytest.mark.parametrize(
    ("system", "user", "trials", "texts", "shared", "marks"),
    [
        (4096, 10, 1, 3, True, (True, False)),  # three texts share the system prompt
        (4096, 10, 1, 2, True, None),  # written once and read once is dearer than plain
        (4095, 10, 1, 3, True, None),  # below the least nothing is cached
        (4096, 10, 1, 3, False, None),  # another system prompt for each text
        (10, 4086, 3, 1, True, (False, True)),  # trials share the whole prompt
        (10, 4086, 2, 1, True, None),
        (4096, 10, 3, 1, True, (False, True)),  # with one text the whole prompt is enough
        (4096, 10, 3, 2, True, (True, True)),
        (10, 4086, 3, 9, False, (False, True)),
    ],
)
def test_what_is_marked(system: int, user: int, trials: int, texts: int, shared: bool, marks: tuple | None) -> None:
    """By length and by how many requests share it."""
    found = marks_of(Caching(HAIKU, "on", texts, count), asked(system, user, trials, shared=shared))
    assert found == [marks and Marks(*marks)]


def test_what_must_be_known() -> None:
    """Without the least length, a price, or at a host that takes no marks, nothing is marked and the plan says why; off says nothing."""
    long = asked(9000, 10, 9)
    for model, takes, why in [
        (replace(HAIKU, cache_minimum=None), True, "the least that it caches"),
        (replace(HAIKU, input=None), True, "its price"),
        (HAIKU, False, "takes no marks"),
        (replace(HAIKU, caches_unasked=True), False, "caches by itself"),
    ]:
        caching = Caching(model, "on", 9, count, takes)
        assert marks_of(caching, long) == [None]
        assert why in "".join(caching.told())
        assert [*Caching(model, "off", 9, count, takes).told()] == []
    short = Caching(HAIKU, "on", 9, count)
    assert marks_of(short, asked(3000, 10, 9)) == [None]
    assert "4,096 tokens, the least to be cached (the longest has about 3,010)" in "".join(short.told())


def test_marks_of_a_person_stay() -> None:
    """A request whose parameters hold a mark gets none of ours."""
    one = asked(9000, 10, 9)
    own = one._replace(ask=Ask(64, parameters={"cache_control": {"type": "ephemeral"}}))
    assert marks_of(Caching(HAIKU, "on", 9, count), own) == [None]


def test_best_and_worst_are_the_prices() -> None:
    """What is saved if each part is written once, and what it costs if none is read, as `cost` has it for those very tokens."""
    grid = [asked(5000, 6000, 4, persona, text) for persona in "12" for text in ("t1", "t2", "t3")]
    caching = Caching(HAIKU, "on", 3, count)
    assert marks_of(caching, *grid) == [Marks(True, True)] * 6
    plain = 24 * cost(HAIKU, Usage(input=11_000))
    worst = 24 * cost(HAIKU, Usage(input=11_000, written_1h=11_000))
    # the system prompts are written by 2 requests, what stands behind by 6 (of which 2 write both), 18 read all
    best = 2 * cost(HAIKU, Usage(11_000, written_1h=11_000)) + 4 * cost(HAIKU, Usage(11_000, 5000, written_1h=6000))
    best += 18 * cost(HAIKU, Usage(11_000, 11_000))
    assert caching.money() == (pytest.approx(plain - best), pytest.approx(worst - plain))
    assert ceiling(HAIKU, 11_000, 0, kept=11_000) == pytest.approx(worst / 24)
    (line,) = caching.told()
    assert "24 requests share 2 system prompts of about 5,000 tokens, 24 are trials of 6 whole prompts of about 6,000 tokens more" in line
    assert "more than 53 %" in line
    off = Caching(HAIKU, "off", 3, count)
    assert marks_of(off, *grid) == [None] * 6
    assert off.money() == caching.money() and "is off" in "".join(off.told())


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from("12"), st.sampled_from([10, 5000]), st.sampled_from([10, 5000])), max_size=8),
    st.one_of(st.none(), st.integers(0, 20)),
)
def test_priming_asks_the_same(rows: list, limit: int | None) -> None:
    """The two parts hold what one part would hold, each request once; each part that is shared is in the first part, once."""
    grid = [asked(system, user, trials, persona, f"t{n}") for n, (trials, persona, system, user) in enumerate(rows)]

    def requests(stage) -> list:
        return [(one.condition.text, trial) for one in stage for trial in one.trials]

    (primes, first), (_, rest) = Caching(HAIKU, "primed", len(grid), count).stages(lambda: iter(grid), limit)
    assert primes
    opened, followed = [*first], [*rest]
    whole = [*next(iter(Caching(HAIKU, "on", len(grid), count).stages(lambda: iter(grid), limit)))[1]]
    assert sorted(requests(opened) + requests(followed)) == sorted(requests(whole))
    assert {one.condition.text: one.marks for one in (*opened, *followed)} == {one.condition.text: one.marks for one in whole if one.trials}
    parts = {one.condition.text for one in whole if one.marks and one.marks.whole}
    systems = {one.condition.system for one in whole if one.marks and one.marks.system}
    assert parts <= {one.condition.text for one in opened}
    assert systems == {one.condition.system for one in opened if one.marks.system}
    assert len(requests(opened)) <= len(parts) + len(systems)

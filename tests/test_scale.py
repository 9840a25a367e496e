"""docs/scale.md says what its arithmetic gives, and the arithmetic is that of a person with a pencil."""

from __future__ import annotations

import pytest

from bench import scale
from bench.scale import Lane, need

MILLION = 1_000_000


def test_the_page_is_computed() -> None:
    """The tables are those that today's prices and limits give: make scale WRITE=1 writes them anew."""
    text = scale.PAGE.read_text(encoding="utf-8")
    assert scale.with_tables(text) == text
    assert text.count("| OpenAI, ") == 15 and "| 100 M |" in text
    with pytest.raises(ValueError, match="lanes"):
        scale.with_tables("no table")


def test_by_hand() -> None:
    """1,100 tokens at 1 USD and 175 at 4 a million; a queue of 900,000 tokens holds 818 requests, a batch a quarter of them."""
    found = need(Lane("openai", "1", "gpt-4.1"), MILLION)
    assert found.usd == pytest.approx(1_100 + 700) and found.batches == -(-MILLION // 204)
    assert found.turns == pytest.approx(MILLION / 818) and found.days["queue"] == pytest.approx(found.turns / 24)
    assert found.days["money"] == pytest.approx((1_800 / 100 - 1) * 30) and found.days["rate"] == found.batches / 48_000
    of_requests = need(Lane("anthropic", "start", "claude-haiku-4-5"), 10 * MILLION)
    assert (of_requests.turns, of_requests.batches) == (50, 200)
    by_bytes = need(Lane("deepinfra", "", "deepseekv3-0324"), MILLION)
    assert by_bytes.batches == -(-MILLION // 47_619)


def test_unknown_stays_unknown() -> None:
    """A host whose queue nobody has published has no days for it, and its row says that it may be more; nor has an unknown price a sum."""
    found = need(Lane("nebius", "", "deepseekv3-0324"), MILLION)
    assert found.turns is None and not {"queue", "money"} & {*found.days}
    assert scale._lane(Lane("nebius", "", "deepseekv3-0324"), MILLION)[5:7] == ("unknown", "≥ 0.04")
    assert need(unpriced := Lane("deepinfra", "", "somebody/New-Model-7B-Instruct-2611"), MILLION).usd is None
    assert scale._lane(unpriced, MILLION)[3] == "unknown"
    assert {(lane.host, lane.tier) for lane in scale.LANES} >= set(scale.MONTHLY)

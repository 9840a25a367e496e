"""Checks the rules of prices by worked examples, some of which are the table of docs/money.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from common import catalog
from common.catalog.prices import ceiling, cost, rates
from common.nouns import Usage
from common.providers import anthropic, openai_rows

DOCS = Path(__file__).parents[2] / "docs/money.md"
M = 1_000_000
# rule, host, model, tokens, the sum as one writes it down, USD
EXAMPLES = [
    ("input and output at half price", "openai", "gpt-4.1", Usage(1_000, 0, 500), "(1,000 × 2 + 500 × 8) × 0.5", 3_000 / M),
    ("cached input that has a batch price", "openai", "gpt-5.4", Usage(10_000, 8_000, 100),
     "2,000 × 1.25 + 8,000 × 0.13 + 100 × 7.5", 4_290 / M),
    ("cached input at half the cached price", "openai", "gpt-5.2", Usage(10_000, 8_000, 100),
     "2,000 × 0.875 + 8,000 × 0.0875 + 100 × 7", 3_150 / M),
    ("cached input without a batch price: as input", "openai", "gpt-4.1", Usage(10_000, 8_000, 100), "10,000 × 1 + 100 × 4", 10_400 / M),
    ("reasoning is output", "openai", "gpt-5", Usage(1_000, 0, 2_000, 1_900), "1,000 × 0.625 + 2,000 × 5", 10_625 / M),
    ("at the long-context limit", "openai", "gpt-5.4", Usage(272_000, 0, 100), "272,000 × 1.25 + 100 × 7.5", 340_750 / M),
    ("one token beyond it: the whole request", "openai", "gpt-5.4", Usage(272_001, 0, 100),
     "272,001 × 1.25 × 2 + 100 × 7.5 × 1.5", 681_127.5 / M),
    ("beyond the long-context limit: the whole request, cached input too", "openai", "gpt-5.4", Usage(272_001, 72_001, 100),
     "(200,000 × 1.25 + 72,001 × 0.13) × 2 + 100 × 7.5 × 1.5", 519_845.26 / M),
    ("the same at Claude", "anthropic", "claude-haiku-5-5", Usage(200_000, 0, 10), "(200,000 × 0.05 + 10 × 0.25) × 5", 50_012.5 / M),
    ("written into a cache unasked", "openai", "gpt-6-luna", Usage(2_000, 0, 100, written=2_000),
     "2,000 × 0.05 × 1.25 + 100 × 0.25", 150 / M),
    ("cache write, 5 minutes", "anthropic", "claude-sonnet-4-6", Usage(5_000, 0, 100, written=4_000),
     "1,000 × 1.5 + 4,000 × 1.5 × 1.25 + 100 × 7.5", 9_750 / M),
    ("cache write, 1 hour", "anthropic", "claude-sonnet-4-6", Usage(5_000, 0, 100, written_1h=4_000),
     "1,000 × 1.5 + 4,000 × 1.5 × 2 + 100 × 7.5", 14_250 / M),
    ("cache read", "anthropic", "claude-sonnet-4-6", Usage(5_000, 4_000, 100), "1,000 × 1.5 + 4,000 × 0.15 + 100 × 7.5", 2_850 / M),
    ("a failed row that was counted (cut off, refused)", "anthropic", "claude-haiku-4-5", Usage(1_000, 0, 64),
     "1,000 × 0.5 + 64 × 2.5", 660 / M),
    ("a failed row that was not run", "anthropic", "claude-haiku-4-5", Usage(), "0", 0.0),
    ("a host's own discount: 20 %", "deepinfra", "deepseekv3-0324", Usage(M, 0, 0), "1,000,000 × 0.24 × 0.8", 0.192),
    ("a price that is a batch price already: no discount", "kluster", "deepseekr1", Usage(M, 0, 0), "1,000,000 × 3.5", 3.5),
    ("no price known", "openai", "vendor/model-1", Usage(1_000, 0, 500), "unknown; a real host gets nothing unless told so", None),
    ("usage not told", "openai", "gpt-4.1", None, "unknown; against the cap it counts as what it can have cost at most", None),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "host", "alias", "usage", "written", "usd"), EXAMPLES)
def test_worked_examples(rule: str, host: str, alias: str, usage: Usage | None, written: str, usd: float | None) -> None:
    """Each rule by hand and by the product."""
    model, _ = catalog.resolve(alias, host)
    assert cost(model, usage) == (None if usd is None else pytest.approx(usd, rel=1e-12)), rule
    if usd:
        sum_of = eval(written.replace(",", "").replace("×", "*"))
        assert sum_of / M == pytest.approx(usd)


def test_the_documents_rows_are_worked_examples() -> None:
    """Each row of the table in docs/money.md is one of them, so that none is wrong or stale."""
    _, _, rest = DOCS.read_text(encoding="utf-8").partition("| Rule | Model |")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 5
    assert set(rows) <= {line(rule, alias, written, usd) for rule, _, alias, _, written, usd in EXAMPLES}


def line(rule: str, alias: str, written: str, usd: float | None) -> str:
    """An example as a row of the document's table."""
    return f"| {rule} | `{alias}` | {written} | {'unknown' if usd is None else f'{usd:.8f}'.rstrip('0').rstrip('.')} |"


def test_the_most_that_a_request_can_cost() -> None:
    """No hit and the whole cap; where prompts are cached unasked, all of it written; beyond the limit the factors too."""
    asked = {name: catalog.resolve(name, "openai")[0] for name in ("gpt-4.1", "gpt-6-luna")}
    assert ceiling(asked["gpt-4.1"], 1_000, 500) == pytest.approx(3_000 / M)
    assert ceiling(asked["gpt-6-luna"], 1_000, 500) == pytest.approx((1_000 * 0.05 * 1.25 + 500 * 0.25) / M)
    claude, _ = catalog.resolve("claude-haiku-4-5", "anthropic")
    assert ceiling(claude, 1_000, 500) == pytest.approx((1_000 * 0.5 + 500 * 2.5) / M)


@pytest.mark.parametrize("hits", [0, 300, 1_000])
def test_no_usage_costs_more_than_at_most(hits: int) -> None:
    """Whatever is read from a cache or written into one unasked."""
    for model in catalog.models():
        if rates(model)[0] is None:
            continue
        kept = 1_000 - hits if model.caches_unasked else 0
        assert cost(model, Usage(1_000, hits, 500, 400, written=kept)) <= ceiling(model, 1_000, 500) + 1e-15, model.alias


def test_writes_are_read_from_both_apis() -> None:
    """Claude tells both kinds of writes, OpenAI one; a sum without its parts is taken for five minutes' worth."""
    told = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 9}
    parts = {"cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7}}
    assert anthropic._usage({**told, **parts}) == Usage(22, 3, 5, 0, 2, 7)
    assert anthropic._usage(told) == Usage(22, 3, 5, 0, 9, 0)
    row = {"custom_id": "a", "response": {"status_code": 200, "body": {
        "choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}], "model": "gpt-6-luna", "created": 1_790_000_000,
        "usage": {"prompt_tokens": 30, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 99}},
    }}}  # fmt: skip
    assert openai_rows.decode(row).usage == Usage(30, 10, 5, 0, 20)

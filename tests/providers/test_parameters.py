"""Request parameters: each wrong one is told in one line that names it, and a right one is let through."""

from __future__ import annotations

from dataclasses import replace
from typing import get_type_hints

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from common import catalog
from common.nouns import Ask, Model
from common.providers import APIS, anthropic_parameters, openai_parameters


def model(name: str) -> Model:
    """A model of the catalog, or one behind an id that it does not know."""
    rows = {m.alias: m for m in catalog.models()}
    return rows.get(name) or Model(name, name, "kluster")


def problem(name: str, value: object, of: str, **more: object) -> str:
    """What is wrong with a parameter beside others."""
    asked = model(of)
    schema, effort = more.pop("schema", ""), more.pop("effort", "")
    ask = Ask(2000, effort, schema, {name: value, **more})
    return APIS["anthropic" if asked.provider == "anthropic" else "openai"].parameter_problem(name, value, asked, ask)


TOOL = {"type": "function", "function": {"name": "note", "parameters": {}}}
CLAUDE_TOOL = {"name": "note", "input_schema": {"type": "object"}}
WRONG = [
    ("gpt-4.1", "top_p", 3, {}, "top_p is 3; expected a number from 0 to 1"),
    ("gpt-4.1", "top_p", True, {}, "top_p is true; expected a number from 0 to 1"),
    ("gpt-4.1", "seed", "7", {}, 'seed is "7"; expected a whole number from'),
    ("gpt-4.1", "n", 3, {}, "n is not for the request's parameters: write trials for more answers"),
    ("gpt-4.1", "stop", ["a"] * 5, {}, "expected a text or a list of 1 to 4 texts"),
    ("gpt-4.1", "stop", [""], {}, 'stop is [""]; expected a text or a list'),
    ("gpt-4.1", "logprobs", 5, {}, "logprobs is 5; expected true or false"),
    ("gpt-4.1", "top_logprobs", 3, {}, "top_logprobs needs logprobs = true beside it"),
    ("gpt-4.1", "top_logprobs", 21, {"logprobs": True}, "top_logprobs is 21; expected a whole number from 0 to 20"),
    ("gpt-4.1", "presence_penalty", -3, {}, "expected a number from -2 to 2"),
    ("gpt-4.1", "logit_bias", {"1": 101}, {}, "each with a number from -100 to 100"),
    ("gpt-4.1", "service_tier", "best", {}, '"auto", "default", "flex", "scale", "priority" or "fast"'),
    ("gpt-4.1", "metadata", {"a": 1}, {}, "expected a table of at most 16 texts"),
    ("gpt-4.1", "reasoning_effort", "low", {}, "gpt-4.1 takes no reasoning_effort"),
    ("gpt-4.1", "top_k", 5, {}, "gpt-4.1 takes no top_k"),
    ("gpt-4.1", "text", {}, {}, "gpt-4.1 is asked at /v1/chat/completions, which has no text"),
    ("gpt-4.1", "tool_choice", "required", {}, "there are none; add tools"),
    ("gpt-4.1", "tool_choice", {"type": "function", "function": {"name": "x"}}, {"tools": [TOOL]},
     'the tool "x", which is not among tools (note)'),
    ("gpt-4.1", "tools", [], {}, "tools is []; expected a list of tables"),
    ("gpt-4.1", "parallel_tool_calls", True, {}, "there are none; add tools"),
    ("gpt-4.1", "response_format", {"type": "text"}, {"schema": "{}"}, "response_format is written from the questions' schema"),
    ("gpt-4.1", "response_format", {"type": "xml"}, {}, "response_format is"),
    ("gpt-4.1", "verbosity", "loud", {}, '"low", "medium" or "high"'),
    ("gpt-5", "top_p", 0.5, {}, "gpt-5 takes no top_p"),
    ("gpt-5", "logit_bias", {"1": 1}, {}, "gpt-5 takes no logit_bias"),
    ("o3", "stop", "x", {}, "o3 takes no stop"),
    ("gpt-5.4", "top_p", 0.5, {}, 'it does with reasoning_effort = "none"'),
    ("gpt-5.4", "reasoning_effort", "low", {"effort": "high"}, "contradict each other; write one of them"),
    ("gpt-5.6-sol", "tools", [TOOL], {}, 'takes tools only without reasoning; write reasoning_effort = "none"'),
    ("gpt-5.5-pro", "verbosity", "low", {}, "which has no verbosity; write text = { verbosity = … }"),
    ("gpt-5.5-pro", "seed", 7, {}, "gpt-5.5-pro is asked at /v1/responses, which has no seed; leave it out"),
    ("gpt-5.5-pro", "text", {"verbosity": "loud"}, {}, "expected verbosity to be"),
    ("gpt-5.5-pro", "text", {"format": {"type": "text"}}, {"schema": "{}"}, "text.format is written from the questions' schema"),
    ("gpt-5.5-pro", "reasoning", {"effort": "huge"}, {}, "expected effort to be"),
    ("claude-haiku-4-5", "top_p", 1.5, {}, "top_p is 1.5; expected a number from 0 to 1"),
    ("claude-opus-4-7", "top_p", 0.5, {}, "claude-opus-4-7 takes no top_p"),
    ("claude-opus-4-7", "top_k", 5, {}, "claude-opus-4-7 takes no top_k"),
    ("claude-haiku-4-5", "top_k", -1, {}, "expected a whole number of at least 0"),
    ("claude-haiku-4-5", "stop_sequences", "x", {}, 'stop_sequences is "x"; expected a list of 1 to'),
    ("claude-haiku-4-5", "stop_sequences", [" "], {}, "expected a list of 1 to"),
    ("claude-haiku-4-5", "thinking", {"type": "enabled"}, {}, "thinking needs budget_tokens, from 1024 to below max_tokens"),
    ("claude-haiku-4-5", "thinking", {"type": "enabled", "budget_tokens": 1000}, {}, "budget_tokens to be a whole number of at least 1024"),
    ("claude-haiku-4-5", "thinking", {"type": "enabled", "budget_tokens": 2000}, {}, "expected less than max_tokens, which is 2000"),
    ("claude-haiku-4-5", "thinking", {}, {}, "thinking needs a type"),
    ("claude-opus-4-7", "thinking", {"type": "enabled", "budget_tokens": 1024}, {}, 'write thinking = { type = "adaptive" }'),
    ("claude35s", "thinking", {"type": "adaptive"}, {}, "claude35s takes no thinking"),
    ("claude-haiku-4-5", "output_config", {"effort": "none"}, {}, "expected effort to be"),
    ("claude-haiku-4-5", "output_config", {"format": {}}, {"schema": "{}"}, "output_config.format is written from the questions' schema"),
    ("claude-haiku-4-5", "tool_choice", {"type": "any"}, {}, "there are none; add tools"),
    ("claude-haiku-4-5", "tool_choice", {"type": "tool"}, {"tools": [CLAUDE_TOOL]}, 'with type = "tool" a name'),
    ("claude-haiku-4-5", "tool_choice", {"type": "tool", "name": "x"}, {"tools": [CLAUDE_TOOL]}, "not among tools (note)"),
    ("claude-haiku-4-5", "tool_choice", {"type": "any"}, {"tools": [CLAUDE_TOOL], "thinking": {"type": "adaptive"}},
     "while the model thinks"),
    ("claude-haiku-4-5", "stop", ["x"], {}, "claude-haiku-4-5 takes no stop; write stop_sequences"),
    ("claude-haiku-4-5", "seed", 7, {}, "claude-haiku-4-5 takes no seed; leave it out"),
    ("gpt-4.1", "stop_sequences", ["x"], {}, "gpt-4.1 takes no stop_sequences; write stop"),
    ("claude-haiku-4-5", "service_tier", "flex", {}, '"auto" or "standard_only"'),
    ("claude-haiku-4-5", "metadata", {"user_id": 7}, {}, "expected user_id to be a text"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "name", "value", "more", "said"), WRONG)
def test_a_wrong_parameter(of: str, name: str, value: object, more: dict, said: str) -> None:
    """One line with the name, and what is right."""
    found = problem(name, value, of, **more)
    assert said in found and name.partition(".")[0] in found and "\n" not in found


RIGHT = [
    ("gpt-4.1", "top_p", 0, {}), ("gpt-4.1", "n", 1, {}), ("gpt-4.1", "stop", ".", {}), ("gpt-4.1", "logprobs", True, {}),
    ("gpt-4.1", "top_logprobs", 5, {"logprobs": True}), ("gpt-4.1", "logit_bias", {"50256": -100}, {}),
    ("gpt-4.1", "response_format", {"type": "json_object"}, {}), ("gpt-4.1", "tools", [TOOL], {}),
    ("gpt-4.1", "tool_choice", {"type": "function", "function": {"name": "note"}}, {"tools": [TOOL]}), ("gpt-5", "logprobs", False, {}),
    ("gpt-4.1", "tool_choice", "none", {}), ("gpt-4.1", "nobody_knows", object(), {}), ("gpt-5.4", "top_p", 0.5, {"effort": "none"}),
    ("gpt-5.4", "top_p", 0.5, {"reasoning_effort": "none"}), ("o3", "reasoning_effort", "low", {}),
    ("gpt-5.6-sol", "tools", [TOOL], {"effort": "none"}), ("gpt-5.5-pro", "text", {"verbosity": "low"}, {"schema": "{}"}),
    ("gpt-5.5-pro", "reasoning", {"effort": "high", "summary": "auto"}, {}),
    ("deepseekv4-flash", "top_k", 5, {}), ("deepseekv4-flash", "thinking", {"type": "enabled"}, {}),
    ("some/model-7", "reasoning_effort", "low", {}), ("claude-haiku-4-5", "top_k", 5, {}),
    ("claude-opus-4-7", "thinking", {"type": "adaptive"}, {}),
    ("claude-haiku-4-5", "thinking", {"type": "enabled", "budget_tokens": 1999}, {}),
    ("claude-haiku-4-5", "thinking", {"type": "disabled"}, {}),
    ("claude-haiku-4-5", "output_config", {"effort": "low"}, {"schema": "{}"}), ("claude-haiku-4-5", "tool_choice", {"type": "none"}, {}),
    ("claude-haiku-4-5", "tool_choice", {"type": "tool", "name": "note"}, {"tools": [CLAUDE_TOOL]}),
]  # fmt: skip


@pytest.mark.parametrize(("of", "name", "value", "more"), RIGHT)
def test_a_right_parameter(of: str, name: str, value: object, more: dict) -> None:
    """Nothing is against it; what nobody knows is not judged."""
    assert problem(name, value, of, **more) == ""


@pytest.mark.parametrize("name", ["model", "messages", "max_tokens", "temperature", "stream", "custom_id"])
@pytest.mark.parametrize("of", ["gpt-4.1", "gpt-5.5-pro", "claude-haiku-4-5"])
def test_what_we_write_ourselves(of: str, name: str) -> None:
    """It is refused with what is to be written for it."""
    assert f"{name} is not for the request's parameters: " in problem(name, 7, of)


@pytest.mark.parametrize(
    ("params", "shape", "left_out"),
    [
        (CompletionCreateParamsNonStreaming, openai_parameters, set()),
        (ResponseCreateParamsNonStreaming, openai_parameters, {"access_programs", "background_options"}),
        (MessageCreateParamsNonStreaming, anthropic_parameters, set()),
    ],
)
def test_every_parameter_of_the_sdks_is_known(params: type, shape: object, left_out: set[str]) -> None:
    """A new version of an SDK that has more shows here what is to be added."""
    assert {name for name in get_type_hints(params) if not shape.knows_parameter(name)} == left_out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "format", "effort", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = sorted({*openai_parameters.CHAT, *openai_parameters.RESPONSES, *openai_parameters.OURS, *anthropic_parameters.TABLE, "x"})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["gpt-4.1", "o3", "gpt-5.5-pro", "claude-haiku-4-5", "claude-opus-4-7"]), st.sampled_from(NAMES), VALUES, VALUES)
def test_any_value_is_judged_in_one_line(of: str, name: str, value: object, beside: object) -> None:
    """Whatever stands there and beside it, an answer comes and is one printable line."""
    found = problem(name, value, of, tools=beside, thinking=beside, reasoning=beside, logprobs=beside)
    assert len(found) < 400 and (not found or found.isprintable())


def test_an_unknown_model_is_not_judged_by_its_abilities() -> None:
    """What we do not know of it is not held against it."""
    unknown = Model("claude-next", "claude-next", "anthropic")
    ask = Ask(2000, parameters={})
    assert anthropic_parameters.parameter_problem("thinking", {"type": "adaptive"}, unknown, ask) == ""
    assert anthropic_parameters.parameter_problem("thinking", {"type": "adaptive"}, replace(unknown, source="x"), ask)

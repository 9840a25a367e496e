"""Which request parameters Anthropic's Messages have, what each may be, and which ones a model refuses.

Sources: anthropic 2.12.0 types/message_create_params.py and those that it names; https://platform.claude.com/docs/en/api/migration-2026-10-21
(sampling). Read 2026-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from common.nouns import Ask, Model
from common.providers.checks import (
    EFFORTS,
    Check,
    any_table,
    choice_problem,
    complaint,
    either,
    listing,
    number,
    one_of,
    refused,
    text,
    texts,
    true_or_false,
    whole,
    with_keys,
)

# What we write ourselves, and what a person writes for it.
OURS = {
    "model": "name models with --model",
    "messages": "write [prompt] user, and [[prompt.message]] for further turns",
    "system": "write [prompt] system",
    "max_tokens": "write max_tokens beside trials",
    "temperature": "write temperature with a persona or a level of a factor",
    "stream": "a batch streams nothing; leave it out",
    "custom_id": "ids follow from personas, texts, models and trials; leave it out",
    "betas": "beta features belong to a whole batch; leave it out",
    "output_format": "it has become output_config = { format = … }",
}
# What only other APIs have, and what comes nearest here; Anthropic refuses every request with a name that it does not know.
OTHERS = {
    "stop": "write stop_sequences",
    "reasoning_effort": "write output_config = { effort = … }",
    "response_format": "write [answer] format",
    "user": "write metadata = { user_id = … }",
    "parallel_tool_calls": "write disable_parallel_tool_use in tool_choice",
    **dict.fromkeys(
        ("seed", "n", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "logit_bias", "verbosity", "reasoning", "text"),
        "leave it out",
    ),
}
TABLE: dict[str, Check] = {
    "cache_control": with_keys(type=one_of("ephemeral"), ttl=one_of("5m", "1h")),
    "container": either(text, any_table),
    "context_management": any_table,
    "diagnostics": any_table,
    "inference_geo": text,
    "metadata": with_keys(user_id=text),
    "output_config": with_keys(effort=one_of(*EFFORTS[2:]), format=with_keys(type=one_of("json_schema"), schema=any_table)),
    "service_tier": one_of("auto", "standard_only"),
    "speed": one_of("standard", "fast"),
    "stop_sequences": texts(8191),
    "thinking": with_keys(
        type=one_of("enabled", "disabled", "adaptive", "between_tools"),
        budget_tokens=whole(1024),
        display=one_of("summarized", "omitted"),
    ),
    "tool_choice": with_keys(type=one_of("auto", "any", "tool", "none"), name=text, disable_parallel_tool_use=true_or_false),
    "tools": listing,
    "top_k": whole(0),
    "top_p": number(0, 1),
    "user_profile_id": text,
    "workspace_id": text,
}

ONE_OF_BOTH = re.compile(r"claude-(?:opus-4-[1-9](?!\d)|(?:sonnet|haiku)-4-[5-9](?!\d))")  # temperature or top_p: SDK docs, 2026-11-28


def knows_parameter(name: str) -> bool:
    """Whether it is in one of the tables; see `Provider.knows_parameter`."""
    return name in TABLE or name in OURS or name in OTHERS


def parameter_problem(name: str, value: object, model: Model, ask: Ask) -> str:
    """Why a model's requests cannot have this parameter; see `Provider.parameter_problem`."""
    if name in OURS:
        return f"{name} is not for the request's parameters: {OURS[name]}"
    if name in OTHERS:
        return f"{model.alias} takes no {name}; {OTHERS[name]}"
    if name not in TABLE:
        return ""
    return complaint(name, value, TABLE[name]) or _clash(name, value, model, ask)


def temperature_problem(temperature: float, model: Model, ask: Ask) -> str:
    """Why a model's requests cannot have this temperature beside their other parameters; see `Provider.temperature_problem`."""
    thinking = ask.parameters.get("thinking")
    if temperature != 1 and isinstance(thinking, Mapping) and thinking.get("type") in ("enabled", "adaptive"):
        return f"the temperature is {temperature:g}, and while {model.alias} thinks it takes no other than 1; set temperature = 1"
    if "top_p" in ask.parameters and ONE_OF_BOTH.match(model.id):
        return f"{model.alias} takes a temperature or top_p, not both; leave out one"
    return ""


def _clash(name: str, value: object, model: Model, ask: Ask) -> str:
    """What is wrong with a good value at this model, or beside the other parameters."""
    if name in ("top_p", "top_k") and not model.supports_temperature:
        return refused(name, model)
    if name == "thinking":
        return _thinking(value, model, ask)
    if name == "output_config" and ask.schema and "format" in value:
        return "output_config.format is written from the questions' schema; leave it out, or leave out [answer] format"
    if name == "tool_choice":
        return _choice(value, ask)
    return ""


def _choice(choice: Mapping, ask: Ask) -> str:
    kind = choice.get("type")
    if kind is None or kind == "tool" and "name" not in choice:
        return 'tool_choice needs a type, and with type = "tool" a name'
    thinking = ask.parameters.get("thinking")
    if kind in ("any", "tool") and isinstance(thinking, Mapping) and thinking.get("type") in ("enabled", "adaptive"):
        return "tool_choice cannot force a tool while the model thinks; leave out thinking, or let the model choose"
    return "" if kind == "none" else choice_problem(choice if kind == "tool" else {}, ask.parameters.get("tools"))


def _thinking(thinking: Mapping, model: Model, ask: Ask) -> str:
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if kind is None:
        return 'thinking needs a type: "enabled" with budget_tokens, "adaptive" or "disabled"'
    if kind == "disabled":
        return ""
    if model.source and not model.reasoning:
        return refused("thinking", model)
    if kind == "enabled" and not model.supports_temperature:  # from Claude 4.7 on, which take neither
        return f'{model.alias} sets its thinking budget itself; write thinking = {{ type = "adaptive" }}'
    if kind == "enabled" and budget is None:
        return "thinking needs budget_tokens, from 1024 to below max_tokens"
    if budget is not None and budget >= ask.max_tokens:
        return f"thinking.budget_tokens is {budget}; expected less than max_tokens, which is {ask.max_tokens}"
    return ""

"""Which request parameters the OpenAI shape has, what each may be, and which ones a model refuses.

Sources: openai 3.54.0 types/chat/completion_create_params.py and types/responses/response_create_params.py; OpenAI's guides
reasoning and structured-outputs; for OPEN_WEIGHTS vLLM's "extra parameters". Read 2026-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from common.nouns import Ask, Model
from common.providers.checks import (
    EFFORTS,
    Check,
    any_table,
    biases,
    choice_problem,
    complaint,
    either,
    listing,
    number,
    one_of,
    pairs,
    refused,
    text,
    texts,
    true_or_false,
    whole,
    with_keys,
)  # fmt: skip

# What we write ourselves, and what a person writes for it.
OURS = {
    "model": "name models with --model",
    "messages": "write [prompt] system and user, and [[prompt.message]] for further turns",
    "input": "write [prompt] user, and [[prompt.message]] for further turns",
    "instructions": "write [prompt] system",
    "max_tokens": "write max_tokens beside trials",
    "max_completion_tokens": "write max_tokens beside trials",
    "max_output_tokens": "write max_tokens beside trials",
    "temperature": "write temperature with a persona or a level of a factor",
    "n": "write trials for more answers",
    "stream": "a batch streams nothing; leave it out",
    "stream_options": "a batch streams nothing; leave it out",
    "custom_id": "ids follow from personas, texts, models and trials; leave it out",
    "background": "a batch is in the background anyhow; leave it out",
    "previous_response_id": "requests of a batch know no others; write [[prompt.message]] for earlier turns",
    "conversation": "requests of a batch know no others; write [[prompt.message]] for earlier turns",
}
FORMS = with_keys(type=one_of("text", "json_object", "json_schema"))
VERBOSITY = one_of("low", "medium", "high")
BOTH: dict[str, Check] = {
    "metadata": pairs(16, 64, 512),
    "moderation": any_table,
    "parallel_tool_calls": true_or_false,
    "prompt_cache_key": text,
    "prompt_cache_options": any_table,
    "prompt_cache_retention": one_of("in_memory", "24h"),
    "safety_identifier": text,
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "store": true_or_false,
    "tools": listing,
    "top_logprobs": whole(0, 20),
    "top_p": number(0, 1),
    "user": text,
}
CHAT: dict[str, Check] = BOTH | {
    "audio": any_table,
    "frequency_penalty": number(-2, 2),
    "function_call": either(one_of("none", "auto"), with_keys(name=text)),
    "functions": listing,
    "logit_bias": biases,
    "logprobs": true_or_false,
    "modalities": one_of(["text"]),
    "n": one_of(1),
    "prediction": any_table,
    "presence_penalty": number(-2, 2),
    "reasoning_effort": one_of(*EFFORTS),
    "response_format": FORMS,
    "seed": whole(-(2**63), 2**63 - 1),
    "stop": either(text, texts(4)),
    "tool_choice": either(one_of("none", "auto", "required"), any_table),
    "verbosity": VERBOSITY,
    "web_search_options": any_table,
}
RESPONSES: dict[str, Check] = BOTH | {
    "context_management": listing,
    "image": any_table,
    "include": texts(20),
    "max_tool_calls": whole(1),
    "prompt": any_table,
    "reasoning": with_keys(effort=one_of(*EFFORTS), summary=one_of("auto", "concise", "detailed")),
    "text": with_keys(format=FORMS, verbosity=VERBOSITY),
    "tool_choice": either(one_of("none", "auto", "required"), any_table),
    "truncation": one_of("auto", "disabled"),
}
OPEN_WEIGHTS: dict[str, Check] = {"min_p": number(0, 1), "repetition_penalty": number(0, 2), "top_k": whole(-1)}
# What only Claude has, and what comes nearest here.
OTHERS = {
    "stop_sequences": "write stop",
    "thinking": "write reasoning_effort",
    "output_config": "write reasoning_effort",
    "system": "write [prompt] system",
}
MOVED = {
    "reasoning_effort": "reasoning = { effort = … }",
    "response_format": "text = { format = … }",
    "verbosity": "text = { verbosity = … }",
}
SAMPLING = ("top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")
TOOLS_NEED_NO_EFFORT = re.compile(r"gpt-(5\.[6-9]|[6-9])")  # in chat completions; OpenAI's model pages, 2026-11-22


def knows_parameter(name: str) -> bool:
    """Whether it is in one of the tables; see `Provider.knows_parameter`."""
    return name in CHAT or name in RESPONSES or name in OPEN_WEIGHTS or name in OURS or name in OTHERS


def parameter_problem(name: str, value: object, model: Model, ask: Ask) -> str:
    """Why a model's requests cannot have this parameter; see `Provider.parameter_problem`."""
    known = RESPONSES if model.endpoint else CHAT
    if name in OURS and not (name in known and not complaint(name, value, known[name])):
        return f"{name} is not for the request's parameters: {OURS[name]}"
    if name in OTHERS:
        return f"{model.alias} takes no {name}; {OTHERS[name]}" if model.provider == "openai" else ""
    if name in OPEN_WEIGHTS:
        return refused(name, model) if model.provider == "openai" else complaint(name, value, OPEN_WEIGHTS[name])
    if name not in known:
        return _elsewhere(name, model)
    return complaint(name, value, known[name]) or _clash(name, value, model, ask)


def _elsewhere(name: str, model: Model) -> str:
    """Of a parameter that only the other endpoint has; "" for one that nobody knows."""
    if not knows_parameter(name):
        return ""
    place = model.endpoint or "/v1/chat/completions"
    instead = MOVED.get(name, "leave it out") if model.endpoint else "leave it out"
    return f"{model.alias} is asked at {place}, which has no {name}; {instead if instead[0] == 'l' else f'write {instead}'}"


def _clash(name: str, value: object, model: Model, ask: Ask) -> str:
    """What is wrong with a good value at this model, or beside the other parameters."""
    if name in SAMPLING and value not in (False, None) and not samples(model, ask):
        return refused(name, model) + ('; it does with reasoning_effort = "none"' if model.temperature_with_effort_none else "")
    clash = _CLASHES.get(name)
    return clash(name, value, model, ask) if clash else ""


def _stop(name: str, value: object, model: Model, ask: Ask) -> str:
    only_reasons = model.reasoning and not model.supports_temperature and not model.temperature_with_effort_none
    return refused(name, model) if model.provider == "openai" and only_reasons else ""


def _form(name: str, value: object, model: Model, ask: Ask) -> str:
    return f"{name} is written from the questions' schema; leave it out, or leave out [answer] format" if ask.schema else ""


def _form_in_text(name: str, value: Mapping, model: Model, ask: Ask) -> str:
    return _form("text.format", value, model, ask) if "format" in value else ""


def _top_logprobs(name: str, value: object, model: Model, ask: Ask) -> str:
    lacking = not model.endpoint and ask.parameters.get("logprobs") is not True
    return "top_logprobs needs logprobs = true beside it" if lacking else ""


def _choice(name: str, value: object, model: Model, ask: Ask) -> str:
    return "" if value == "none" else choice_problem(value, ask.parameters.get("tools"))


def _parallel(name: str, value: object, model: Model, ask: Ask) -> str:
    return "" if ask.parameters.get("tools") else "parallel_tool_calls is about tools, and there are none; add tools"


def _tools(name: str, value: object, model: Model, ask: Ask) -> str:
    if not model.endpoint and TOOLS_NEED_NO_EFFORT.match(model.id) and effort_of(ask) != "none":
        return f'{model.alias} takes tools only without reasoning; write reasoning_effort = "none"'
    return ""


def _effort(name: str, value: object, model: Model, ask: Ask) -> str:
    effort = value.get("effort") if name == "reasoning" else value
    if effort is None:
        return ""
    if ask.effort and effort != ask.effort:
        return f'{name} and reasoning_effort = "{ask.effort}" of the experiment contradict each other; write one of them'
    if model.source and not model.reasoning:
        return refused(name, model)
    return ""


def effort_of(ask: Ask) -> str:
    """The reasoning effort that will be asked for; "" for the model's own."""
    reasoning = ask.parameters.get("reasoning")
    inner = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return ask.effort or str(ask.parameters.get("reasoning_effort") or inner or "")


def samples(model: Model, ask: Ask) -> bool:
    """Whether a model takes sampling parameters, asked like this."""
    return model.supports_temperature or (model.temperature_with_effort_none and effort_of(ask) == "none")


_CLASHES: dict[str, Callable[[str, Any, Model, Ask], str]] = {
    "parallel_tool_calls": _parallel,
    "reasoning": _effort,
    "reasoning_effort": _effort,
    "response_format": _form,
    "stop": _stop,
    "text": _form_in_text,
    "tool_choice": _choice,
    "tools": _tools,
    "top_logprobs": _top_logprobs,
}

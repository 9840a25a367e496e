"""Owns which parameters each family of models takes, and the words with which the real APIs refuse the others."""

from __future__ import annotations

import re
from functools import lru_cache

from .errors import ApiError

OLD_REASONERS = re.compile(r"^(o\d|gpt-5(-mini|-nano|-pro|-codex)?(-\d{4}|$))")
NEVER_SAMPLE = re.compile(r"^(gpt-6-astra|gpt-6\.1-sol|gpt-6\.2-)")
NEW_REASONERS = re.compile(r"^(gpt-5\.\d|gpt-6)")
EFFORT_OFF_BY_DEFAULT = re.compile(r"^gpt-5\.[124](-|$)")
NO_SYSTEM = re.compile(r"^o1-(mini|preview)")
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs")
CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
CLAUDE = re.compile(r"^claude-(?:(?P<a>\d)-(?P<b>\d)-[a-z]+|[a-z]+-(?P<c>\d)(?:-(?P<d>\d{1,2}))?|(?P<e>\d)-[a-z]+)(?:-\d{8})?(?:-latest)?$")
PREFILL_ENDS = (4, 6)
SAMPLING_ENDS = (4, 7)


@lru_cache(maxsize=512)
def claude_version(model: str) -> tuple[int, int] | None:
    """(4, 6) of "claude-sonnet-4-6"; None for a model that is not of the family."""
    match = CLAUDE.match(model)
    if not match:
        return None
    major = match["a"] or match["c"] or match["e"]
    return int(major), int(match["b"] or match["d"] or 0)


@lru_cache(maxsize=512)
def openai_family(model: str) -> str:
    """"reasoner" (never samples), "effort" (samples with effort none) or "plain"."""
    model = model.removeprefix("openai/")
    if OLD_REASONERS.match(model) or NEVER_SAMPLE.match(model):
        return "reasoner"
    return "effort" if NEW_REASONERS.match(model) else "plain"


def reasons(model: str, body: dict) -> bool:
    """Whether an OpenAI model thinks before it answers this body."""
    family = openai_family(model)
    if family == "plain":
        return False
    effort = body.get("reasoning_effort") or (body["reasoning"].get("effort") if isinstance(body.get("reasoning"), dict) else None)
    if family == "effort" and effort is None:
        return not EFFORT_OFF_BY_DEFAULT.match(model)
    return effort != "none"


def known_model(model: object) -> bool:
    """Whether a model id is accepted: every one is, unless it says itself that it does not exist."""
    return isinstance(model, str) and 0 < len(model) <= 256 and "no-such-model" not in model


def queue_full(model: str, limit: int) -> dict:
    """The error of a batch that finds the queue of prompt tokens full."""
    message = (f"Enqueued token limit reached for {model} in organization org-simulated. Limit: {limit:,} enqueued tokens. "
               "Please try again once some in_progress batches have been completed.")
    return {"code": "token_limit_exceeded", "message": message, "param": None, "line": None}


def check_openai(body: dict, endpoint: str) -> None:
    """Raise the ApiError with which the API would answer this body."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "you must provide a model parameter")
    if not known_model(model):
        raise ApiError(404, f"The model `{model[:100]}` does not exist or you do not have access to it.", code="model_not_found")
    if endpoint.endswith("/chat/completions"):
        _check_messages(body, model)
    if endpoint.endswith(("/chat/completions", "/responses", "/v1/completions")):
        _check_sampling(body, model)
        _check_caps(body, model)


def _check_messages(body: dict, model: str) -> None:
    messages = body.get("messages")
    if "messages" not in body:
        raise ApiError(400, "Missing required parameter: 'messages'.", code="missing_required_parameter", param="messages")
    if not isinstance(messages, list):
        raise ApiError(400, "Invalid type for 'messages': expected an array of objects.", code="invalid_type", param="messages")
    if not messages:
        raise ApiError(400, "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array "
                       "instead.", code="empty_array", param="messages")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ApiError(400, f"Missing required parameter: 'messages[{place}].role'.", code="missing_required_parameter",
                           param=f"messages[{place}].role")
        if message["role"] not in ("system", "developer", "user", "assistant", "tool", "function"):
            raise ApiError(400, f"Invalid value: '{message['role'][:40]}'.", code="invalid_value", param=f"messages[{place}].role")
        if message["role"] in ("system", "developer") and NO_SYSTEM.match(model):
            raise ApiError(400, f"Unsupported value: 'messages[{place}].role' does not support '{message['role']}' with this model.",
                           code="unsupported_value", param=f"messages[{place}].role")


def _check_sampling(body: dict, model: str) -> None:
    if body.keys().isdisjoint(SAMPLING):
        return
    refused = openai_family(model) == "reasoner" or reasons(model, body)
    for name in SAMPLING:
        value = body.get(name)
        if value is None:
            continue
        if refused and model.startswith("o3-mini"):
            raise ApiError(400, f"Unsupported parameter: '{name}' is not supported with this model.",
                           code="unsupported_parameter", param=name)
        if refused and not (name in ("temperature", "top_p") and value == 1) and value is not False:
            raise ApiError(400, f"Unsupported value: '{name}' does not support {value} with this model. Only the default (1) "
                           "value is supported.", code="unsupported_value", param=name)
    _in_range(body, "temperature", 0, 2)
    _in_range(body, "top_p", 0, 1)
    _in_range(body, "presence_penalty", -2, 2)
    _in_range(body, "frequency_penalty", -2, 2)


def _in_range(body: dict, name: str, low: float, high: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ApiError(400, f"Invalid type for '{name}': expected a decimal, but got {_kind(value)} instead.",
                       code="invalid_type", param=name)
    if value < low:
        raise ApiError(400, f"Invalid '{name}': decimal below minimum value. Expected a value >= {low}, but got {value} instead.",
                       code="decimal_below_min_value", param=name)
    if value > high:
        raise ApiError(400, f"Invalid '{name}': decimal above maximum value. Expected a value <= {high}, but got {value} instead.",
                       code="decimal_above_max_value", param=name)


def _check_caps(body: dict, model: str) -> None:
    if body.keys().isdisjoint(CAPS):
        return
    if body.get("max_tokens") is not None and openai_family(model) != "plain":
        raise ApiError(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                       "instead.", code="unsupported_parameter", param="max_tokens")
    for name in CAPS:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise ApiError(400, f"Invalid type for '{name}': expected an integer, but got {_kind(value)} instead.",
                           code="invalid_type", param=name)
        if value < 1:
            raise ApiError(400, f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead.",
                           code="integer_below_min_value", param=name)


def _kind(value: object) -> str:
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object", float: "a decimal", int: "an integer"}
    return names.get(type(value), "null")


def check_anthropic(params: dict, version: str) -> None:
    """Raise the ApiError with which /v1/messages would answer these params."""
    model = params.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "model: Field required" if model is None else "model: Input should be a valid string")
    if not known_model(model):
        raise ApiError(404, f"model: {model[:100]}")
    cap = params.get("max_tokens")
    if cap is None:
        raise ApiError(400, "max_tokens: Field required")
    if isinstance(cap, bool) or not isinstance(cap, int):
        raise ApiError(400, "max_tokens: Input should be a valid integer")
    if cap < 1:
        raise ApiError(400, "max_tokens: must be greater than or equal to 1")
    _check_turns(params, claude_version(model))
    _check_claude_sampling(params, claude_version(model), version)


def _check_turns(params: dict, family: tuple[int, int] | None) -> None:
    turns = params.get("messages")
    if not isinstance(turns, list):
        raise ApiError(400, "messages: Field required" if turns is None else "messages: Input should be a valid list")
    if not turns:
        raise ApiError(400, "messages: at least one message is required")
    for place, turn in enumerate(turns):
        if not isinstance(turn, dict) or turn.get("role") not in ("user", "assistant"):
            role = turn.get("role") if isinstance(turn, dict) else None
            if role == "system":
                raise ApiError(400, 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                               'not "system" as an input message role.')
            raise ApiError(400, f"messages.{place}.role: Input should be 'user' or 'assistant'")
        if not isinstance(turn.get("content"), (str, list)):
            raise ApiError(400, f"messages.{place}.content: Input should be a valid string or list")
        if turn["content"] in ("", []) and place < len(turns) - 1:
            raise ApiError(400, f"messages.{place}: all messages must have non-empty content except for the optional final "
                           "assistant message")
    if turns[-1]["role"] == "assistant" and family and family >= PREFILL_ENDS:
        raise ApiError(400, "This model does not support assistant message prefill. The conversation must end with a user message.")


def _check_claude_sampling(params: dict, family: tuple[int, int] | None, version: str) -> None:
    given = [name for name in ("temperature", "top_p", "top_k") if params.get(name) is not None]
    if version >= "2026-10-21" and given:
        raise ApiError(400, f"{given[0]}: Extra inputs are not permitted")
    if family and family >= SAMPLING_ENDS and any(params[name] != 1 or name == "top_k" for name in given):
        raise ApiError(400, f"{given[0]}: this parameter is not supported by this model")
    for name in given:
        value = params[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ApiError(400, f"{name}: Input should be a valid number")
        if name != "top_k" and not 0 <= value <= 1:
            raise ApiError(400, f"{name}: range: 0..1")
    if family and family >= (4, 1) and "temperature" in given and "top_p" in given:
        raise ApiError(400, "`temperature` and `top_p` cannot both be specified for this model. Please use only one.")

"""Owns the check of request parameters by name, type and range: what the APIs take, and in which words they refuse the rest."""

from __future__ import annotations

import re

from .errors import ApiError
from .rules import claude_version, openai_family

USUAL = frozenset(("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "system"))  # checked in rules
CHAT = USUAL - {"system"} | frozenset((
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "metadata", "modalities", "moderation", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
))  # fmt: skip
RESPONSES = frozenset((
    "access_programs", "background", "background_options", "context_management", "conversation", "image", "include", "input",
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls",
    "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
    "top_logprobs", "top_p", "truncation", "user",
))  # fmt: skip
MESSAGES = frozenset((
    "cache_control", "container", "diagnostics", "inference_geo", "max_tokens", "messages", "metadata", "model", "output_config",
    "output_format", "service_tier", "speed", "stop_sequences", "stream", "system", "temperature", "thinking", "tool_choice", "tools",
    "top_k", "top_p", "user_profile_id", "workspace_id", "context_management", "fallbacks", "billing_policy", "thread", "mcp_servers",
    "compaction", "fallback_credit_token",
))  # fmt: skip
MOVED = {"messages": "input", "max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens",
         "reasoning_effort": "reasoning.effort", "response_format": "text.format", "verbosity": "text.verbosity"}  # fmt: skip
OWN_MODELS = re.compile(r"^(?:openai/)?(?:gpt-[3-9]|o\d|chatgpt)")  # other hosts take other names, and are played by this API too
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
STARTS = ("input", "prompt", "previous_response_id", "conversation")


def check_openai_parameters(body: dict, endpoint: str, model: str) -> None:
    """Raise the ApiError with which chat completions or Responses would refuse a parameter."""
    if body.keys() <= USUAL and endpoint.endswith("/chat/completions"):
        return
    responses = endpoint.endswith("/responses")
    if OWN_MODELS.match(model):
        _names(body, responses)
        _effort(body, responses, model)
        if body.get("stop") is not None and openai_family(model) == "reasoner":
            raise _refused("Unsupported parameter: 'stop' is not supported with this model.", "unsupported_parameter", "stop")
    if responses and all(body.get(name) is None for name in STARTS):
        raise _refused("Missing required parameter: 'input'.", "missing_required_parameter", "input")
    _one_of(body, "service_tier", TIERS)
    _whole(body, "seed", -(2**63), 2**63 - 1)
    _whole(body, "top_logprobs", 0, 20)
    if body.get("top_logprobs") is not None and not responses and body.get("logprobs") is not True:
        raise _refused("Invalid value for 'top_logprobs': 'logprobs' must be true to use it.", "invalid_value", "top_logprobs")
    if body.get("logprobs") is not None and not isinstance(body["logprobs"], bool) and endpoint.endswith("/chat/completions"):
        raise _refused("Invalid type for 'logprobs': expected a boolean.", "invalid_type", "logprobs")
    _stops(body)
    _biases(body)


def _refused(message: str, code: str | None, param: str) -> ApiError:
    return ApiError(400, message, code=code, param=param)


def _names(body: dict, responses: bool) -> None:
    for name in body:
        if responses and name in MOVED:
            raise _refused(f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{MOVED[name]}'.",
                           "unsupported_parameter", name)  # fmt: skip
        if name not in (RESPONSES if responses else CHAT):
            raise _refused(f"Unknown parameter: '{name[:60]}'.", "unknown_parameter", name[:60])


def _effort(body: dict, responses: bool, model: str) -> None:
    given = body.get("reasoning") if responses else body
    param = "reasoning.effort" if responses else "reasoning_effort"
    effort = given.get(param.replace("reasoning.", "")) if isinstance(given, dict) else None
    if effort is None:
        return
    if effort not in EFFORTS:
        raise _refused(f"Invalid value: '{str(effort)[:40]}'. Supported values are: {_listed(EFFORTS)}.", "invalid_value", param)
    if openai_family(model) == "plain":
        raise _refused(f"Unsupported parameter: '{param}' is not supported with this model.", "unsupported_parameter", param)
    if re.match(r"(?:openai/)?o\d", model) and effort not in EFFORTS[2:5]:
        raise _refused(f"Unsupported value: '{param}' does not support '{effort}' with this model. Supported values are: "
                       f"{_listed(EFFORTS[2:5])}.", "unsupported_value", param)  # fmt: skip


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values[:-1]) + f", and '{values[-1]}'"


def _one_of(body: dict, name: str, values: tuple[str, ...]) -> None:
    if body.get(name) is not None and body[name] not in values:
        raise _refused(f"Invalid value: '{str(body[name])[:40]}'. Supported values are: {_listed(values)}.", "invalid_value", name)


def _whole(body: dict, name: str, low: int, high: int) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refused(f"Invalid type for '{name}': expected an integer.", "invalid_type", name)
    if value < low:
        raise _refused(f"Invalid '{name}': integer below minimum value. Expected a value >= {low}, but got {value} instead.",
                       "integer_below_min_value", name)  # fmt: skip
    if value > high:
        raise _refused(f"Invalid '{name}': integer above maximum value. Expected a value <= {high}, but got {value} instead.",
                       "integer_above_max_value", name)  # fmt: skip


def _stops(body: dict) -> None:
    stop = body.get("stop")
    if stop is None:
        return
    if not isinstance(stop, (str, list)) or isinstance(stop, list) and not all(isinstance(one, str) for one in stop):
        raise _refused("Invalid type for 'stop': expected one of a string or array of strings.", "invalid_type", "stop")
    if isinstance(stop, list) and len(stop) > 4:
        raise _refused(f"Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {len(stop)} "
                       "instead.", "array_above_max_length", "stop")  # fmt: skip


def _biases(body: dict) -> None:
    biases = body.get("logit_bias")
    if biases is None:
        return
    if not isinstance(biases, dict):
        raise _refused("Invalid type for 'logit_bias': expected an object.", "invalid_type", "logit_bias")
    if not all(isinstance(value, (int, float)) and -100 <= value <= 100 for value in biases.values()):
        raise _refused("Invalid value for 'logit_bias': expected numbers from -100 to 100.", "invalid_value", "logit_bias")


def stops_of(body: dict) -> list[str]:
    """The texts at which an answer ends."""
    stop = body.get("stop_sequences", body.get("stop"))
    return [one for one in ([stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []) if isinstance(one, str) and one]


def check_anthropic_parameters(params: dict) -> None:
    """Raise the ApiError with which /v1/messages would refuse a parameter."""
    if params.keys() <= USUAL:
        return
    family = claude_version(params["model"])
    extra = next((name for name in params if name not in MESSAGES), None)
    if extra is not None and params["model"].startswith("claude"):
        raise ApiError(400, f"{extra[:60]}: Extra inputs are not permitted")
    stops = params.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(one, str) for one in stops)):
        raise ApiError(400, "stop_sequences: Input should be a valid list of strings")
    if stops and not all(one.strip() for one in stops):
        raise ApiError(400, "stop_sequences: each stop sequence must contain non-whitespace")
    if params.get("service_tier") not in (None, "auto", "standard_only"):
        raise ApiError(400, "service_tier: Input should be 'auto' or 'standard_only'")
    top_k = params.get("top_k")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 0):
        raise ApiError(400, "top_k: Input should be greater than or equal to 0")
    config = params.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if effort is not None and effort not in EFFORTS[2:]:
        raise ApiError(400, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if params.get("thinking") is not None:
        _thinking(params, params["thinking"], family)


def _thinking(params: dict, thinking: object, family: tuple[int, int] | None) -> None:
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in ("adaptive", "disabled", "enabled"):
        raise ApiError(400, f"thinking: Input tag '{str(kind)[:40]}' found using 'type' does not match any of the expected tags: "
                       "'adaptive', 'disabled', 'enabled'")  # fmt: skip
    if kind == "disabled":
        return
    if family and (family < (3, 7) or kind == "adaptive" and family < (4, 6)):
        raise ApiError(400, f"thinking.type: '{kind}' is not supported on this model")
    if family and kind == "enabled" and family >= (4, 7):
        raise ApiError(400, '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                       '"output_config.effort" to control thinking behavior.')  # fmt: skip
    if kind == "enabled":
        _budget(params, thinking.get("budget_tokens"))
    if params.get("temperature") not in (None, 1):
        raise ApiError(400, "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    choice = params.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        raise ApiError(400, "Thinking may not be enabled when tool_choice forces tool use.")


def _budget(params: dict, budget: object) -> None:
    if budget is None:
        raise ApiError(400, "thinking.enabled.budget_tokens: Field required")
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise ApiError(400, "thinking.enabled.budget_tokens: Input should be a valid integer")
    if budget < 1024:
        raise ApiError(400, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= params["max_tokens"]:
        raise ApiError(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")


def thinks(params: dict, coin: bool) -> bool:
    """Whether Claude thinks before it answers: where that is on, and where it may choose in half of all answers."""
    thinking = params.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    return kind == "enabled" or kind == "adaptive" and coin

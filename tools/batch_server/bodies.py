"""Owns the shape of one answered request: what a model's reply looks like in each API, always marked as simulated."""

from __future__ import annotations

from typing import NamedTuple

import orjson


class Reply(NamedTuple):  # a frozen dataclass takes three times as long to make
    """A reply before it has a shape.

    text (with a tool: its arguments), whether it was cut off, tokens, the tool that is called; whether it refuses, which stop sequence
    ended it, and whether a schema was asked for.
    """

    text: str
    cut: bool
    tokens_in: int
    tokens_out: int
    reasoning: int = 0
    tool: str = ""
    refused: bool = False
    stop: str = ""
    formed: bool = False


def chat_completion(replies: list[Reply], model: str, tag: str, created: int, kluster: bool = False, logprobs: bool = False) -> dict:
    """A body of /v1/chat/completions."""
    choices = [_choice(reply, place, tag, logprobs) for place, reply in enumerate(replies)]
    body = {
        "id": f"chatcmpl-sim-{tag}", "object": "chat.completion", "created": created, "model": model, "choices": choices,
        "usage": _chat_usage(replies), "service_tier": "default", "system_fingerprint": "fp_simulated", "simulated": True,
    }
    if kluster:  # its bodies came from vLLM
        for choice in choices:
            choice["stop_reason"] = None
        body["prompt_logprobs"] = None
    return body


def _choice(reply: Reply, place: int, tag: str, logprobs: bool) -> dict:
    message = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    if reply.tool:
        call = {"id": f"call_sim_{tag}_{place}", "type": "function", "function": {"name": reply.tool, "arguments": reply.text}}
        message |= {"content": None, "tool_calls": [call]}
    elif reply.refused and reply.formed:  # without a schema a refusal is words like any others
        message |= {"content": None, "refusal": reply.text}
    reason = "length" if reply.cut else "tool_calls" if reply.tool else "stop"
    return {"index": place, "message": message, "logprobs": _logprobs(reply) if logprobs else None, "finish_reason": reason}


def _logprobs(reply: Reply) -> dict:
    """Made up for pieces of four characters, each a little less sure than certain."""
    pieces = [reply.text[at : at + 4] for at in range(0, len(reply.text), 4)]
    tokens = [{"token": piece, "logprob": -0.01 * (1 + len(piece)), "bytes": list(piece.encode("utf-8", "replace")), "top_logprobs": []}
              for piece in pieces]  # fmt: skip
    return {"content": tokens, "refusal": None}


def _counts(replies: list[Reply]) -> dict:
    out = sum(reply.tokens_out for reply in replies)
    return {"prompt_tokens": replies[0].tokens_in, "completion_tokens": out, "total_tokens": replies[0].tokens_in + out}


def _chat_usage(replies: list[Reply]) -> dict:
    return {
        **_counts(replies),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": sum(reply.reasoning for reply in replies), "audio_tokens": 0,
                                      "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }


def text_completion(replies: list[Reply], model: str, tag: str, created: int) -> dict:
    """A body of /v1/completions."""
    return {
        "id": f"cmpl-sim-{tag}", "object": "text_completion", "created": created, "model": model,
        "choices": [{"text": reply.text, "index": place, "logprobs": None, "finish_reason": "length" if reply.cut else "stop"}
                    for place, reply in enumerate(replies)],
        "usage": _counts(replies),
        "system_fingerprint": "fp_simulated", "simulated": True,
    }


ECHOED = {"instructions": None, "metadata": {}, "max_output_tokens": None, "parallel_tool_calls": True, "previous_response_id": None,
          "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [], "top_logprobs": 0, "truncation": "disabled",
          "background": False, "store": True, "user": None, "safety_identifier": None, "prompt_cache_key": None}  # fmt: skip


def response(reply: Reply, model: str, tag: str, created: int, given: dict) -> dict:
    """A body of /v1/responses: what was thought, then a message or a call; parameters are said again, those not given as they are meant."""
    items = [{"id": f"rs_sim_{tag}", "type": "reasoning", "summary": []}] if reply.reasoning else []
    if reply.text or not reply.cut or not items:  # thoughts may use up the whole cap
        items.append(_item(reply, tag))
    reasoning = given.get("reasoning") if isinstance(given.get("reasoning"), dict) else {}
    text = given.get("text") if isinstance(given.get("text"), dict) else {}
    return {
        "id": f"resp_sim_{tag}", "object": "response", "created_at": created, "model": model,
        "status": "incomplete" if reply.cut else "completed", "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if reply.cut else None,
        "output": items,
        **{name: meant if given.get(name) is None else given[name] for name, meant in ECHOED.items()},
        "reasoning": {"effort": reasoning.get("effort"), "summary": None}, "text": {"format": {"type": "text"}, **text},
        "service_tier": "default",
        "usage": {"input_tokens": reply.tokens_in, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                  "output_tokens": reply.tokens_out, "output_tokens_details": {"reasoning_tokens": reply.reasoning},
                  "total_tokens": reply.tokens_in + reply.tokens_out},
        "simulated": True,
    }


def _item(reply: Reply, tag: str) -> dict:
    status = "incomplete" if reply.cut else "completed"
    if reply.tool:
        return {"id": f"fc_sim_{tag}", "type": "function_call", "call_id": f"call_sim_{tag}", "name": reply.tool, "arguments": reply.text,
                "status": status}
    part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    if reply.refused and reply.formed:
        part = {"type": "refusal", "refusal": reply.text}
    return {"id": f"msg_sim_{tag}", "type": "message", "status": status, "role": "assistant", "content": [part]}


def embeddings(count: int, size: int, digest: bytes, model: str, tokens_in: int) -> dict:
    """A body of /v1/embeddings: small deterministic unit-less vectors."""
    data = [{"object": "embedding", "index": i, "embedding": [(digest[(i + j) % 32] - 127.5) / 1275 for j in range(size)]}
            for i in range(count)]
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens_in, "total_tokens": tokens_in},
            "simulated": True}


def moderation(count: int, tag: str, model: str) -> dict:
    """A body of /v1/moderations that flags nothing."""
    names = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
    result = {"flagged": False, "categories": dict.fromkeys(names, False), "category_scores": dict.fromkeys(names, 0.0),
              "category_applied_input_types": {name: ["text"] for name in names}}
    return {"id": f"modr-sim-{tag}", "model": model, "results": [result] * count, "simulated": True}


def _block(reply: Reply, tag: str) -> dict:
    if reply.tool:  # cut arguments are no JSON: what is left is nothing
        given = {} if reply.cut else orjson.loads(reply.text)
        return {"type": "tool_use", "id": f"toolu_sim_{tag}", "name": reply.tool, "input": given, "caller": {"type": "direct"}}
    return {"type": "text", "text": reply.text, "citations": None}


def _blocks(reply: Reply, tag: str) -> list[dict]:
    """What was thought, then a text or a call; thoughts may use up the whole cap."""
    thoughts = [{"type": "thinking", "thinking": "(simulated thoughts)", "signature": f"sim{tag}"}] if reply.reasoning else []
    return thoughts if thoughts and reply.cut and not reply.text else [*thoughts, _block(reply, tag)]


def _ending(reply: Reply) -> str:
    if reply.cut:
        return "max_tokens"
    return "refusal" if reply.refused else "tool_use" if reply.tool else "stop_sequence" if reply.stop else "end_turn"


def message(reply: Reply, model: str, tag: str, tier: str = "batch") -> dict:
    """A body of /v1/messages: every key that the API's own description requires, null where nothing is meant."""
    return {
        "id": f"msg_sim_{tag}", "type": "message", "role": "assistant", "model": model,
        "content": _blocks(reply, tag), "stop_reason": _ending(reply), "stop_sequence": reply.stop or None,
        "stop_details": None, "container": None,
        "usage": {
            "input_tokens": reply.tokens_in, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": reply.tokens_out, "server_tool_use": None, "service_tier": tier, "inference_geo": None,
        },
        "simulated": True,
    }

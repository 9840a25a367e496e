"""Owns the shape of one answered request: what a model's reply looks like in each API, always marked as simulated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """A reply before it has a shape: text, whether it was cut off, and tokens."""

    text: str
    cut: bool
    tokens_in: int
    tokens_out: int
    reasoning: int = 0


def chat_completion(reply: Reply, model: str, tag: str, created: int, kluster: bool = False) -> dict:
    """A body of /v1/chat/completions."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": "length" if reply.cut else "stop",
    }
    body = {
        "id": f"chatcmpl-sim-{tag}", "object": "chat.completion", "created": created, "model": model, "choices": [choice],
        "usage": _chat_usage(reply), "service_tier": "default", "system_fingerprint": "fp_simulated", "simulated": True,
    }
    if kluster:  # its bodies came from vLLM
        choice["stop_reason"] = None
        body["prompt_logprobs"] = None
    return body


def _chat_usage(reply: Reply) -> dict:
    return {
        "prompt_tokens": reply.tokens_in, "completion_tokens": reply.tokens_out,
        "total_tokens": reply.tokens_in + reply.tokens_out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning, "audio_tokens": 0,
                                      "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }


def text_completion(reply: Reply, model: str, tag: str, created: int) -> dict:
    """A body of /v1/completions."""
    return {
        "id": f"cmpl-sim-{tag}", "object": "text_completion", "created": created, "model": model,
        "choices": [{"text": reply.text, "index": 0, "logprobs": None, "finish_reason": "length" if reply.cut else "stop"}],
        "usage": {"prompt_tokens": reply.tokens_in, "completion_tokens": reply.tokens_out,
                  "total_tokens": reply.tokens_in + reply.tokens_out},
        "system_fingerprint": "fp_simulated", "simulated": True,
    }


def response(reply: Reply, model: str, tag: str, created: int) -> dict:
    """A body of /v1/responses."""
    message = {"id": f"msg_sim_{tag}", "type": "message", "status": "incomplete" if reply.cut else "completed",
               "role": "assistant", "content": [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]}
    return {
        "id": f"resp_sim_{tag}", "object": "response", "created_at": created, "model": model,
        "status": "incomplete" if reply.cut else "completed", "error": None, "instructions": None, "metadata": {},
        "incomplete_details": {"reason": "max_output_tokens"} if reply.cut else None,
        "output": [message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "temperature": None, "top_p": None,
        "usage": {"input_tokens": reply.tokens_in, "input_tokens_details": {"cached_tokens": 0},
                  "output_tokens": reply.tokens_out, "output_tokens_details": {"reasoning_tokens": reply.reasoning},
                  "total_tokens": reply.tokens_in + reply.tokens_out},
        "simulated": True,
    }


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


def message(reply: Reply, model: str, tag: str, tier: str = "batch") -> dict:
    """A body of /v1/messages: every key that the API's own description requires, null where nothing is meant."""
    return {
        "id": f"msg_sim_{tag}", "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": reply.text, "citations": None}],
        "stop_reason": "max_tokens" if reply.cut else "end_turn", "stop_sequence": None, "stop_details": None, "container": None,
        "usage": {
            "input_tokens": reply.tokens_in, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": reply.tokens_out, "server_tool_use": None, "service_tier": tier, "inference_geo": None,
        },
        "simulated": True,
    }

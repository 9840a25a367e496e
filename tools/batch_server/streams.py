"""Owns streamed single calls: a whole rehearsal answer, cut into server-sent events in each API's words."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from starlette.responses import Response

PIECE = 24


def streamed(endpoint: str, body: dict, params: dict) -> Response:
    """The event stream of an answered call."""
    return Response(b"".join(STREAMED[endpoint](body, params)), media_type="text/event-stream", headers={"cache-control": "no-cache"})


def _pieces(text: str) -> Iterator[str]:
    for at in range(0, len(text), PIECE):
        yield text[at:at + PIECE]


def _named(event: dict) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))


def _data(event: dict) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(event)


def _message(body: dict, _: dict) -> Iterator[bytes]:
    block, usage = body["content"][0], body["usage"]
    start = {**body, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _named({"type": "message_start", "message": start})
    called = block["type"] == "tool_use"
    kind, key, empty = ("input_json_delta", "partial_json", {"input": {}}) if called else ("text_delta", "text", {"text": ""})
    yield _named({"type": "content_block_start", "index": 0, "content_block": {**block, **empty}})
    for piece in _pieces(orjson.dumps(block["input"]).decode() if "input" in block else block["text"]):
        yield _named({"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: piece}})
    yield _named({"type": "content_block_stop", "index": 0})
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None, "stop_details": None, "container": None}
    counts = {key: usage[key] for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
                                          "server_tool_use")}
    yield _named({"type": "message_delta", "delta": delta, "usage": counts})
    yield _named({"type": "message_stop"})


def _wants_usage(params: dict) -> bool:
    options = params.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _chat(body: dict, params: dict) -> Iterator[bytes]:
    base = {**{key: body[key] for key in ("id", "created", "model", "service_tier", "system_fingerprint", "simulated")},
            "object": "chat.completion.chunk"}

    for choice in body["choices"]:
        for delta, reason in [*((delta, None) for delta in _deltas(choice["message"])), ({}, choice["finish_reason"])]:
            yield _data({**base, "choices": [{"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": reason}]})
    if _wants_usage(params):
        yield _data({**base, "choices": [], "usage": body["usage"]})
    yield b"data: [DONE]\n\n"


def _deltas(message: dict) -> Iterator[dict]:
    (call,) = message.get("tool_calls", [None])
    if call is None:
        yield {"role": "assistant", "content": "", "refusal": None}
        for piece in _pieces(message["content"]):
            yield {"content": piece}
        return
    yield {"role": "assistant", "content": None, "tool_calls": [{**call, "index": 0, "function": {**call["function"], "arguments": ""}}]}
    for piece in _pieces(call["function"]["arguments"]):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _text(body: dict, params: dict) -> Iterator[bytes]:
    base = {key: value for key, value in body.items() if key not in ("choices", "usage")}
    for choice in body["choices"]:
        for piece in _pieces(choice["text"]):
            yield _data({**base, "choices": [{**choice, "text": piece, "finish_reason": None}]})
        yield _data({**base, "choices": [{**choice, "text": ""}]})
    if _wants_usage(params):
        yield _data({**base, "choices": [], "usage": body["usage"]})
    yield b"data: [DONE]\n\n"


def _response(body: dict, _: dict) -> Iterator[bytes]:
    item = body["output"][0]
    if item["type"] == "function_call":
        yield from _called(body, item)
        return
    part, place = item["content"][0], {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**body, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun},
              {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
              {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}]
    events += [{"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in _pieces(part["text"])]
    events += [{"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []},
               {"type": "response.content_part.done", **place, "part": part},
               {"type": "response.output_item.done", "output_index": 0, "item": item},
               {"type": f"response.{body['status']}", "response": body}]
    for number, event in enumerate(events):
        yield _named({**event, "sequence_number": number})


def _called(body: dict, item: dict) -> Iterator[bytes]:
    """The events of a response that is one function call."""
    begun, place = {**body, "status": "in_progress", "output": [], "usage": None}, {"item_id": item["id"], "output_index": 0}
    events = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun},
              {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress", "arguments": ""}},
              *({"type": "response.function_call_arguments.delta", **place, "delta": piece} for piece in _pieces(item["arguments"])),
              {"type": "response.function_call_arguments.done", **place, "name": item["name"], "arguments": item["arguments"]},
              {"type": "response.output_item.done", "output_index": 0, "item": item},
              {"type": f"response.{body['status']}", "response": body}]
    for number, event in enumerate(events):
        yield _named({**event, "sequence_number": number})


STREAMED = {"/v1/messages": _message, "/v1/chat/completions": _chat, "/v1/completions": _text, "/v1/responses": _response}

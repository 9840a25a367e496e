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
    usage = body["usage"]
    start = {**body, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}
    yield _named({"type": "message_start", "message": start})
    for place, block in enumerate(body["content"]):
        yield from _block(block, place)
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"], "stop_details": None, "container": None}
    counts = {key: usage[key] for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
                                          "server_tool_use")}
    yield _named({"type": "message_delta", "delta": delta, "usage": counts})
    yield _named({"type": "message_stop"})


BLOCKS = {"tool_use": ("input_json_delta", "partial_json", {"input": {}}), "text": ("text_delta", "text", {"text": ""}),
          "thinking": ("thinking_delta", "thinking", {"thinking": "", "signature": ""})}  # fmt: skip


def _block(block: dict, place: int) -> Iterator[bytes]:
    """The events of one block of a message."""
    kind, key, empty = BLOCKS[block["type"]]
    yield _named({"type": "content_block_start", "index": place, "content_block": {**block, **empty}})
    for piece in _pieces(orjson.dumps(block["input"]).decode() if "input" in block else block[block["type"]]):
        yield _named({"type": "content_block_delta", "index": place, "delta": {"type": kind, key: piece}})
    if "signature" in block:
        signature = {"type": "signature_delta", "signature": block["signature"]}
        yield _named({"type": "content_block_delta", "index": place, "delta": signature})
    yield _named({"type": "content_block_stop", "index": place})


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
        key = "content" if message["refusal"] is None else "refusal"
        for piece in _pieces(message[key]):
            yield {key: piece}
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
    begun = {**body, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for place, item in enumerate(body["output"]):
        at = {"item_id": item["id"], "output_index": place}
        inner = {"message": _spoken, "function_call": _called}.get(item["type"])
        empty = {"message": {"content": []}, "function_call": {"arguments": ""}}.get(item["type"], {})
        status = {"status": "in_progress"} if inner else {}
        events.append({"type": "response.output_item.added", "output_index": place, "item": {**item, **status, **empty}})
        events += inner(item, at) if inner else []
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": f"response.{body['status']}", "response": body})
    for number, event in enumerate(events):
        yield _named({**event, "sequence_number": number})


def _spoken(item: dict, at: dict) -> list[dict]:
    """The events of a message's only part."""
    part, at = item["content"][0], {**at, "content_index": 0}
    key = "text" if part["type"] == "output_text" else "refusal"
    more = {"logprobs": []} if key == "text" else {}
    kind = f"response.{part['type']}"
    return [{"type": "response.content_part.added", **at, "part": {**part, key: ""}},
            *({"type": f"{kind}.delta", **at, "delta": piece, **more} for piece in _pieces(part[key])),
            {"type": f"{kind}.done", **at, key: part[key], **more}, {"type": "response.content_part.done", **at, "part": part}]


def _called(item: dict, at: dict) -> list[dict]:
    """The events of a function call."""
    kind = "response.function_call_arguments"
    return [*({"type": f"{kind}.delta", **at, "delta": piece} for piece in _pieces(item["arguments"])),
            {"type": f"{kind}.done", **at, "name": item["name"], "arguments": item["arguments"]}]


STREAMED = {"/v1/messages": _message, "/v1/chat/completions": _chat, "/v1/completions": _text, "/v1/responses": _response}

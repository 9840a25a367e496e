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
    text, usage = body["content"][0]["text"], body["usage"]
    start = {**body, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _named({"type": "message_start", "message": start})
    yield _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": None}})
    for piece in _pieces(text):
        yield _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
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
    choice = body["choices"][0]
    base = {**{key: body[key] for key in ("id", "created", "model", "service_tier", "system_fingerprint", "simulated")},
            "object": "chat.completion.chunk"}

    def chunk(delta: dict, reason: str | None = None) -> bytes:
        return _data({**base, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in _pieces(choice["message"]["content"]):
        yield chunk({"content": piece})
    yield chunk({}, choice["finish_reason"])
    if _wants_usage(params):
        yield _data({**base, "choices": [], "usage": body["usage"]})
    yield b"data: [DONE]\n\n"


def _text(body: dict, params: dict) -> Iterator[bytes]:
    choice, base = body["choices"][0], {key: value for key, value in body.items() if key not in ("choices", "usage")}
    for piece in _pieces(choice["text"]):
        yield _data({**base, "choices": [{**choice, "text": piece, "finish_reason": None}]})
    yield _data({**base, "choices": [{**choice, "text": ""}]})
    if _wants_usage(params):
        yield _data({**base, "choices": [], "usage": body["usage"]})
    yield b"data: [DONE]\n\n"


def _response(body: dict, _: dict) -> Iterator[bytes]:
    item = body["output"][0]
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


STREAMED = {"/v1/messages": _message, "/v1/chat/completions": _chat, "/v1/completions": _text, "/v1/responses": _response}

"""A request as OpenAI's /v1/responses/input_tokens takes it to count its tokens: in the form of /v1/responses, whatever its own is."""

from __future__ import annotations

import orjson

COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text")
PARTS = {"text": "input_text", "image_url": "input_image", "file": "input_file"}  # in chat completions → here


def to_count(line: bytes) -> dict:
    """As much of an input line as has prompt tokens."""
    body = orjson.loads(line)["body"]
    if "messages" in body:
        body = {**body, **_as_response(body)}
    return {key: body[key] for key in COUNTED if key in body}


def _as_response(chat: dict) -> dict:
    found = {"input": [{**message, "content": _content(message["content"])} for message in chat["messages"]]}
    if isinstance(form := chat.get("response_format"), dict):
        found["text"] = {"format": {"type": form["type"], **form.get("json_schema", {})}}
    if "tools" in chat:
        found["tools"] = [{"type": tool["type"], **tool["function"]} if "function" in tool else tool for tool in chat["tools"]]
    if isinstance(choice := chat.get("tool_choice"), dict) and "function" in choice:
        found["tool_choice"] = {"type": "function", **choice["function"]}
    return found


def _content(content: object) -> object:
    return [_part(part) for part in content] if isinstance(content, list) else content


def _part(part: dict) -> dict:
    kind = part["type"]
    inside = part[kind]
    if kind == "image_url":
        return {"type": PARTS[kind], "image_url": inside["url"], "detail": inside["detail"]}
    return {"type": PARTS[kind], **(inside if kind == "file" else {"text": inside})}

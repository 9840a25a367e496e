"""Requests of Anthropic's Message Batches, as they stand in a shard's file."""

from __future__ import annotations

import orjson

from common.nouns import Ask, Attachment, Condition
from common.providers.asking import for_claude, in_words, merged

PDF = "application/pdf"
COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config")  # what /v1/messages/count_tokens takes


def encode(condition: Condition, ask: Ask) -> tuple[bytes, bytes]:
    """The two halves of a request; see `Provider.encode`. An effort has no counterpart here and is ignored."""
    params = {"model": condition.model.id, "max_tokens": ask.max_tokens, "messages": [{"role": "user", "content": condition.user}]}
    if system := condition.system:
        params["system"] = system
    temperature = condition.temperature
    if temperature is not None:
        params["temperature"] = temperature
    if ask.schema or ask.parameters or condition.turns or condition.attachments:
        params |= _further(condition, ask)
        params = merged(ask.parameters, params) if ask.parameters else params
    return b'{"custom_id":"', b'","params":%b}\n' % orjson.dumps(params)


def _further(condition: Condition, ask: Ask) -> dict:
    """What a request has beyond the plain form: its whole conversation, and the form of its answer."""
    user, turns, attachments = condition.user, condition.turns, condition.attachments
    form = for_claude(ask.schema) if ask.schema and condition.model.structured == "schema" else None
    if ask.schema and form is None:
        user = f"{user}\n\n{in_words(ask.schema)}"
    messages = [{"role": role, "content": text} for role, text in turns]
    messages.append({"role": "user", "content": _blocks(user, attachments) if attachments else user})
    return {"messages": messages} | ({"output_config": {"format": {"type": "json_schema", "schema": form}}} if form else {})


def _blocks(user: str, attachments: tuple[Attachment, ...]) -> list[dict]:
    """What is shown, then what is asked about it: Claude reads in that order best (its vision guide)."""
    return [*map(_block, attachments), *[{"type": "text", "text": user}] * bool(user)]


def _block(attachment: Attachment) -> dict:
    if attachment.data:
        source = {"type": "base64", "media_type": attachment.media_type, "data": attachment.data}
    else:
        source = {"type": "url", "url": attachment.url}
    return {"type": "document" if attachment.media_type == PDF else "image", "source": source}


def with_cap(line: bytes, cap: int) -> bytes:
    """A request with another max_tokens; see `Provider.with_cap`."""
    row = orjson.loads(line)
    row["params"]["max_tokens"] = cap
    return orjson.dumps(row) + b"\n"


def to_count(line: bytes) -> dict:
    """As much of a request as has prompt tokens, for the endpoint that counts them."""
    params = orjson.loads(line)["params"]
    return {key: params[key] for key in COUNTED if key in params}

"""Input lines of the OpenAI shape: requests to /v1/chat/completions, and to /v1/responses for models that need it."""

from __future__ import annotations

from functools import lru_cache

import orjson

from common.nouns import Ask, Attachment, Condition, Model
from common.providers.asking import in_words, is_object, is_strict, merged, schema_of

ENDPOINT, RESPONSES = "/v1/chat/completions", "/v1/responses"
PDF = "application/pdf"
CAPS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
HEAD = b'{"custom_id":"'
AFTER_ID = b'","method":"POST","url":"%b","body":'
_CHAT, _RESPONSES = AFTER_ID % ENDPOINT.encode(), AFTER_ID % RESPONSES.encode()
# How closely a picture is looked at. Left to itself, OpenAI's newest models take a photograph of 12 megapixels whole, at
# 14,000 tokens; like this it is 3,000 at most (see openai_attachments).
DETAIL = "high"


def encode(condition: Condition, ask: Ask) -> tuple[bytes, bytes]:
    """The two halves of an input line; see `Provider.encode`."""
    model = condition.model
    if model.endpoint == RESPONSES:
        return HEAD, _RESPONSES + orjson.dumps(_response(condition, ask)) + b"}\n"
    system, temperature = condition.system, condition.temperature
    form = _form(model.structured, ask.schema, "json_schema") if ask.schema else None
    bound = not ask.schema or form is not None and model.structured == "schema"  # else the prompt has to say it
    if condition.turns or condition.attachments or not bound or not model.supports_system:
        messages = _messages(condition, ask)
    elif system:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": condition.user}]
    else:
        messages = [{"role": "user", "content": condition.user}]
    body = {"model": model.id, "messages": messages}
    if temperature is not None:
        body["temperature"] = temperature
    if ask.effort and model.reasoning:
        body["reasoning_effort"] = ask.effort
    body[model.max_tokens_param] = ask.max_tokens
    if form is not None:
        body["response_format"] = form
    if ask.parameters:
        body = merged(ask.parameters, body)
    return HEAD, _CHAT + orjson.dumps(body) + b"}\n"


def _messages(condition: Condition, ask: Ask) -> list[dict]:
    """The conversation in its general form; a model without a system role gets that text with the prompt."""
    model, _, _, system, user, _, _, turns, attachments = condition
    if ask.schema:
        user = _told(user, model, ask.schema)
    if system and not model.supports_system:
        system, user = "", f"{system}\n\n{user}"
    return [
        *[{"role": "system", "content": system}] * bool(system),
        *({"role": role, "content": text} for role, text in turns),
        {"role": "user", "content": _parts(user, attachments) if attachments else user},
    ]


def _told(user: str, model: Model, schema: str) -> str:
    """The prompt with the schema in words, where the API cannot bind the answer to it."""
    if model.structured == "schema" and is_object(schema):
        return user
    return f"{user}\n\n{in_words(schema)}"


@lru_cache(64)
def _form(structured: str, schema: str, inside: str) -> orjson.Fragment | None:
    """The form that an answer must have, written out once for all requests; None for any.

    Chat completions have its details `inside` a key of their own, /v1/responses has them beside its type.
    """
    if not schema or not structured or not is_object(schema):
        return None
    if structured == "object":
        return orjson.Fragment(b'{"type":"json_object"}')
    details = {"name": "answer", "strict": is_strict(schema), "schema": schema_of(schema)}
    return orjson.Fragment(orjson.dumps({"type": "json_schema", **({inside: details} if inside else details)}))


def _parts(user: str, attachments: tuple[Attachment, ...]) -> list[dict]:
    return [{"type": "text", "text": user}] * bool(user) + [*map(_part, attachments)]


def _part(attachment: Attachment) -> dict:
    if attachment.media_type == PDF:
        return {"type": "file", "file": {"filename": attachment.name, "file_data": _address(attachment)}}
    return {"type": "image_url", "image_url": {"url": _address(attachment), "detail": DETAIL}}


def _address(attachment: Attachment) -> str:
    return f"data:{attachment.media_type};base64,{attachment.data}" if attachment.data else attachment.url


# ---- /v1/responses


def _response(condition: Condition, ask: Ask) -> dict:
    model, _, _, system, user, temperature, _, turns, attachments = condition
    if ask.schema:
        user = _told(user, model, ask.schema)
    if turns or attachments:
        last = _inputs(user, attachments) if attachments else user
        user = [*({"role": role, "content": text} for role, text in turns), {"role": "user", "content": last}]
    body = {"model": model.id, "input": user}
    if system:
        body["instructions"] = system
    if temperature is not None:
        body["temperature"] = temperature
    if ask.effort and model.reasoning:
        body["reasoning"] = {"effort": ask.effort}
    body["max_output_tokens"] = ask.max_tokens
    if (form := _form(model.structured, ask.schema, "")) is not None:
        body["text"] = {"format": form}
    return merged(ask.parameters, body) if ask.parameters else body


def _inputs(user: str, attachments: tuple[Attachment, ...]) -> list[dict]:
    return [{"type": "input_text", "text": user}] * bool(user) + [*map(_input, attachments)]


def _input(attachment: Attachment) -> dict:
    if attachment.media_type != PDF:
        return {"type": "input_image", "image_url": _address(attachment), "detail": DETAIL}
    if not attachment.data:
        return {"type": "input_file", "file_url": attachment.url}
    return {"type": "input_file", "filename": attachment.name, "file_data": _address(attachment)}


def with_cap(line: bytes, cap: int) -> bytes:
    """An input line with another max_tokens; see `Provider.with_cap`."""
    row = orjson.loads(line)
    body = row["body"]
    body[next(name for name in CAPS if name in body)] = cap
    return orjson.dumps(row) + b"\n"

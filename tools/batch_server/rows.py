"""Owns what happens to one request of a batch: rules, demanded faults, rehearsal answer, and its line in the output."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

import orjson

from . import bodies
from .caching import cached_usage
from .contexts import Context, Memory
from .counting import FRAME, turn
from .errors import ANTHROPIC_TYPES, OPENAI_TYPES, ApiError, anthropic_body, openai_body
from .forms import Form, form_of
from .parameters import check_anthropic_parameters, check_openai_parameters
from .pictures import check_pictures
from .replies import replies_to, shape
from .rules import check_anthropic, check_openai
from .sizes import has_parts, picture_tokens

MARK = re.compile(r"-[0-9a-f]{8}\Z")  # of a run and its attempt, in which clients' ids may end: answers do not depend on it
PASSING_OPENAI = ((500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
                  (503, "server_error", None, "The engine is currently overloaded, please try again later."),
                  (429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached for requests. Please try again later."))
PASSING_ANTHROPIC = ((529, "overloaded_error", None, "Overloaded"), (500, "api_error", None, "Internal server error"))


@dataclass
class Outcome:
    """What became of one request. `seen` is what must be remembered: [hash, failures, cap]."""

    status: int
    body: dict
    tag: str
    tokens_in: int = 0
    tokens_out: int = 0
    reasoning: int = 0
    seen: list | None = None
    kept: list = field(default_factory=list)  # beginnings of the prompt that are in the cache now, in the same form


def texts(body: dict, endpoint: str) -> list[str]:
    """All words that a request hands to the model, in order."""
    found: list[str] = []
    for key in ("system", "instructions", "messages", "input", "prompt"):
        if key in body:
            value = body[key]
            if type(value) is list:
                for item in value:  # by far the most common form, without a call for each level
                    if type(item) is dict and type(item.get("content")) is str and "text" not in item:
                        found.append(item["content"])
                    else:
                        _collect(item, found, 1)
            else:
                _collect(value, found)
    return found


def _collect(value: object, found: list[str], depth: int = 0) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list) and depth < 6:
        for item in value:
            _collect(item, found, depth + 1)
    elif isinstance(value, dict) and depth < 6:
        for key in ("content", "text"):
            if key in value:
                _collect(value[key], found, depth + 1)


def prompt_tokens(words: list[str], body: dict | None = None, profile: str = "openai") -> int:
    """About how many tokens a prompt has, with a little for each turn; of a `body` its pictures and documents count too."""
    claude = profile == "anthropic"
    return sum(turn(text, claude) for text in words) + FRAME + (picture_tokens(body, claude) if body else 0)


def answer(body: dict, custom_id: str, context: Context, memory: Memory) -> Outcome:
    """Answer one request body; never raises for anything that a client may have sent."""
    words = texts(body, context.endpoint)
    model = body.get("model") if isinstance(body.get("model"), str) else ""
    text = "\n".join(words)
    key = f"{MARK.sub('', custom_id)}\x1e{model}\x1e{body.get('temperature')!r}\x1e{text}"
    digest = sha256(key.encode("utf-8", "surrogatepass")).digest()
    tag = digest.hex()[:16] + context.batch[-8:]
    try:
        if context.profile == "anthropic":
            check_anthropic(body, context.version)
            check_anthropic_parameters(body)
        else:
            check_openai(body, context.endpoint)
            if context.endpoint.endswith(("/chat/completions", "/responses")):
                check_openai_parameters(body, context.endpoint, model)
        pictures = has_parts(body) and check_pictures(body, context.endpoint, context.profile, model)
        form = form_of(body, context.endpoint, words)
    except ApiError as error:
        return Outcome(error.status, _error(error, context, tag), tag)
    refusal = _demanded(digest, context, memory) or _passing(digest, context, memory)
    if refusal:
        error, seen = refusal
        return Outcome(error.status, _error(error, context, tag), tag, seen=seen)
    counted = prompt_tokens(words, body if pictures else None, context.profile)
    return _reply(body, model, text, counted, digest, tag, pictures, context, memory, form)


def _error(error: ApiError, context: Context, tag: str) -> dict:
    return anthropic_body(error, f"req_sim_{tag}") if context.profile == "anthropic" else openai_body(error)


def _demanded(digest: bytes, context: Context, memory: Memory) -> tuple[ApiError, list] | None:
    """The failure that a fault rule asks for in this row, if it is one of its share and has not failed often enough."""
    fate = context.fate or {}
    if fate.get("all_fail"):
        return ApiError(500, "The server had an error while processing your request."), []
    rows = fate.get("rows")
    if not rows or int.from_bytes(digest[22:26], "big") >= rows.get("share", 1.0) * 2**32:
        return None
    key, times = "66" + digest.hex()[:32], rows.get("times", 1)
    before = memory(key)
    if times >= 0 and before is not None and before[0] >= times:
        return None
    status = int(rows.get("status", 500))
    kinds = ANTHROPIC_TYPES if context.profile == "anthropic" else OPENAI_TYPES
    kind = rows.get("type") or kinds.get(status)
    error = ApiError(status, str(rows.get("message", "A failure that was asked for.")), code=rows.get("code"), kind=kind)
    return error, [key, 1, 0]


def _passing(digest: bytes, context: Context, memory: Memory) -> tuple[ApiError, list] | None:
    """The failure that passes: a small share of rows fails once and heals when the same row is sent again."""
    if int.from_bytes(digest[28:30], "big") >= context.shares["heal"] * 65536:
        return None
    key = "68" + digest.hex()[:32]
    if memory(key) is not None:
        return None
    choices = PASSING_ANTHROPIC if context.profile == "anthropic" else PASSING_OPENAI
    status, kind, code, message = choices[digest[20] % len(choices)]
    return ApiError(status, message, code=code, kind=kind), [key, 1, 0]


def _reply(body: dict, model: str, text: str, tokens_in: int, digest: bytes, tag: str, pictures: bool, context: Context,
           memory: Memory, form: Form) -> Outcome:
    if context.endpoint.endswith(("/embeddings", "/moderations")):
        return _list_reply(body, model, tokens_in, digest, tag, context)
    if not context.endpoint.endswith(("/completions", "/responses", "/messages")):
        error = ApiError(400, f"{context.endpoint} is not simulated by the local batch service.", code="unsupported_value")
        return Outcome(400, _error(error, context, tag), tag)
    replies, seen = replies_to(body, model, text, digest, tokens_in, pictures, context, memory, form)
    found = Outcome(200, shape(replies, model, tag, context, body), tag, tokens_in, sum(reply.tokens_out for reply in replies),
                    sum(reply.reasoning for reply in replies), seen)
    if context.profile == "anthropic" and (cached := cached_usage(body, model, tokens_in, digest, context, memory)):
        usage, found.kept = cached
        found.body["usage"] |= usage
    return found


def _list_reply(body: dict, model: str, tokens_in: int, digest: bytes, tag: str, context: Context) -> Outcome:
    items = body.get("input")
    count = len(items) if isinstance(items, list) else 1
    if context.endpoint.endswith("/moderations"):
        return Outcome(200, bodies.moderation(min(count, 2048), tag, model), tag, tokens_in)
    size = body.get("dimensions") if isinstance(body.get("dimensions"), int) else 16
    shape = bodies.embeddings(min(count, 2048), min(max(size, 1), 3072), digest, model, tokens_in)
    return Outcome(200, shape, tag, tokens_in)


def openai_line(outcome: Outcome, custom_id: str, kluster: bool) -> bytes:
    """One line of an output or error file."""
    line = {"id": f"batch_req_sim_{outcome.tag}", "custom_id": custom_id,
            "response": {"status_code": outcome.status, "request_id": f"req_sim_{outcome.tag}", "body": outcome.body}}
    if not kluster:
        line["error"] = None
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def openai_gap(custom_id: str, tag: str, code: str, message: str) -> bytes:
    """One line of an error file for a request that was never run."""
    line = {"id": f"batch_req_sim_{tag}", "custom_id": custom_id, "response": None, "error": {"code": code, "message": message}}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def anthropic_line(outcome: Outcome, custom_id: str) -> bytes:
    """One line of a results stream."""
    if outcome.status == 200:
        result = {"type": "succeeded", "message": outcome.body}
    else:
        result = {"type": "errored", "error": outcome.body}
    return orjson.dumps({"custom_id": custom_id, "result": result}, option=orjson.OPT_APPEND_NEWLINE)


def anthropic_gap(custom_id: str, kind: str) -> bytes:
    """One line of a results stream for a request that was never run: "canceled" or "expired"."""
    return orjson.dumps({"custom_id": custom_id, "result": {"type": kind}}, option=orjson.OPT_APPEND_NEWLINE)

"""Owns prompt caching as Claude's batches have it: which of a request's tokens were read from the cache, written into it, or neither.

A mark (`cache_control`) ends a beginning of the prompt: tools, then system, then messages. One that an earlier batch, or an earlier
chunk of the same one, has written within its time is read. Rows of one chunk run side by side, so there chance decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import orjson

from .contexts import Context, Memory
from .counting import turn
from .sizes import picture_tokens

SECONDS = {"5m": 300, "1h": 3600}
# Tokens below which a mark does nothing, by how a model's name begins: litellm 1.110.2 prompt_cache_min_tokens, 2026-11-28.
LEAST = (("claude-haiku-4-5", 4096), ("claude-opus-4-5", 4096), ("claude-opus-4-6", 4096), ("claude-opus-4-7", 2048),
         ("claude-opus-5", 512), ("claude-sonnet-5-5", 512), ("claude-haiku-5-5", 512), ("claude-fable-5", 512))
OTHERS = 1024
HIT_SHARE = 0.5  # of the rows that could read what another row of their chunk has written


def cached_usage(body: dict, model: str, counted: int, digest: bytes, context: Context, memory: Memory) -> tuple[dict, list] | None:
    """The keys of a usage that tell of the cache, and what must be remembered; None where nothing is marked, and outside of batches."""
    marks = [*_marks(body, model)] if context.tier == "batch" else []
    if not marks:
        return None
    least = next((tokens for name, tokens in LEAST if model.startswith(name)), OTHERS)
    read, written, seen = 0, {"5m": 0, "1h": 0}, []
    for key, tokens, ttl in reversed(marks):
        if tokens >= least and _is_there(memory(key), digest, context):
            read = tokens
            seen.append([key, 0, int(context.now) + SECONDS[ttl]])  # a reading keeps it for as long again
            break
    end = read
    for key, tokens, ttl in marks:
        if tokens >= least and tokens > end:
            written[ttl] += tokens - end
            end = tokens
            seen.append([key, 0, int(context.now) + SECONDS[ttl]])
    return {
        "input_tokens": counted - end, "cache_creation_input_tokens": sum(written.values()), "cache_read_input_tokens": read,
        "cache_creation": {f"ephemeral_{ttl}_input_tokens": tokens for ttl, tokens in written.items()},
    }, seen


def _is_there(found: tuple[int, int] | None, digest: bytes, context: Context) -> bool:
    """What is remembered of a beginning: whether it was written in this very chunk, and until when it is kept."""
    if found is None or found[1] <= context.now:
        return False
    return not found[0] or int.from_bytes(digest[30:32], "big") < context.shares.get("cache", HIT_SHARE) * 65536


def _marks(body: dict, model: str) -> Iterator[tuple[str, int, str]]:
    """(key, tokens from the start, "5m" or "1h") of each marked beginning, the shortest first."""
    if b'"cache_control":' not in orjson.dumps(body):
        return
    pieces, whole, tokens = [*_pieces(body)], sha256(model.encode()), 0
    for place, piece in enumerate(pieces):
        mark = piece.get("cache_control") or (body.get("cache_control") if place == len(pieces) - 1 else None)
        plain = {key: value for key, value in piece.items() if key != "cache_control"}
        whole.update(orjson.dumps(plain))
        text = plain.get("text")
        tokens += turn(text, True) if isinstance(text, str) else picture_tokens({"messages": [{"content": [plain]}]}, True)
        if mark:
            yield "70" + whole.hexdigest()[:32], tokens, "1h" if mark.get("ttl") == "1h" else "5m"


def _pieces(body: dict) -> Iterator[dict]:
    """All blocks of a prompt in the order in which they are cached; a plain text is a block."""
    yield from (tool for tool in body.get("tools") or () if isinstance(tool, dict))
    yield from _blocks(body.get("system"))
    for one in body.get("messages") or ():
        yield from ({**block, "role": one.get("role")} for block in _blocks(one.get("content")))


def _blocks(content: object) -> list[dict]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] * bool(content)
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []

"""Owns what a model's reply to one request is before it has a shape: its words, where they end, what they cost."""

from __future__ import annotations

from hashlib import sha256

from . import bodies, rehearsal
from .contexts import Context, Memory
from .forms import Form
from .opinions import Mind, dice_of, warmth
from .parameters import stops_of, thinks
from .phrases import REFUSALS
from .prompts import asked_in
from .rules import reasons

DEFAULT_CAP = 4096


def replies_to(body: dict, model: str, text: str, digest: bytes, counted: int, pictures: bool, context: Context,
               memory: Memory, form: Form) -> tuple[list[bodies.Reply], list | None]:
    """As many replies as are asked for, and what must be remembered; `counted` are the prompt's tokens."""
    minds = _minds(body, model, text, digest, pictures, form.n)
    reply, seen = _reply(body, model, minds[0], counted, digest, context, memory, form)
    return [reply, *(_reply(body, model, mind, counted, digest, context, memory, form)[0] for mind in minds[1:])], seen


def _minds(body: dict, model: str, text: str, digest: bytes, pictures: bool, n: int) -> list[Mind]:
    """What n choices are made with; without chance they are all the same."""
    asked, heat = asked_in(body), warmth(body)
    dice = dice_of(body, model, text, digest)
    first = Mind(asked, model, dice, heat, pictures)
    if n == 1:
        return [first]
    return [first, *(Mind(asked, model, sha256(b"%d" % place + dice).digest() if heat else dice, heat, pictures) for place in range(1, n))]


def _reply(body: dict, model: str, mind: Mind, counted: int, digest: bytes, context: Context, memory: Memory,
           form: Form) -> tuple[bodies.Reply, list | None]:
    """A reply, cut off where the cap or the small share of cut rows says so, or ended by a stop sequence."""
    words, refused, stop = _words(body, mind, context, form)
    whole, tool = rehearsal.tokens(words), "" if refused else form.tool
    cap = body.get("max_completion_tokens") or body.get("max_tokens") or body.get("max_output_tokens")
    thinking = 0
    if thinks(body, digest[18] % 2 == 0) if context.profile == "anthropic" else reasons(model, body):
        thinking = 64 + digest[21] * 6 // 4
    limit, seen = (cap - thinking if cap else whole), None
    if int.from_bytes(digest[26:28], "big") < context.shares["cut"] * 65536:
        key = "63" + digest.hex()[:32]
        before = memory(key)
        if before is None or (cap or DEFAULT_CAP) <= before[1]:
            limit, seen = min(limit, max(1, whole * (40 + digest[19] % 40) // 100)), [key, 0, cap or DEFAULT_CAP]
    if whole <= limit:
        return bodies.Reply(words, False, counted, whole + thinking, thinking, tool, refused, stop, form.schema is not None), seen
    kept = rehearsal.cut_to(words, limit) if limit > 0 else ""
    thinking = min(thinking, cap) if cap else thinking
    return bodies.Reply(kept, True, counted, rehearsal.tokens(kept) + thinking, thinking, tool), seen


def _words(body: dict, mind: Mind, context: Context, form: Form) -> tuple[str, bool, str]:
    """The whole text; whether it is a refusal, as a small share is; the stop sequence that ended it."""
    if int.from_bytes(mind.dice[14:16], "big") < context.shares["refuse"] * 65536:
        return REFUSALS[mind.asked.language], True, ""
    words = rehearsal.answer(mind, context.shares["odd"]) if form.schema is None else rehearsal.json_of(form.schema, mind)
    if form.tool or "stop" not in body and "stop_sequences" not in body:
        return words, False, ""
    places = [(place, stop) for stop in stops_of(body) if (place := words.find(stop)) >= 0]
    end, stop = min(places, default=(len(words), ""))
    return words[:end], False, stop


def shape(replies: list[bodies.Reply], model: str, tag: str, context: Context, body: dict) -> dict:
    """The replies as their API words them."""
    reply = replies[0]
    if context.profile == "anthropic":
        return bodies.message(reply, model, tag, context.tier)
    if context.endpoint.endswith("/responses"):
        return bodies.response(reply, model, tag, context.created, body)
    if context.endpoint.endswith("/chat/completions"):
        return bodies.chat_completion(replies, model, tag, context.created, context.profile == "kluster", body.get("logprobs") is True)
    return bodies.text_completion(replies, model, tag, context.created)

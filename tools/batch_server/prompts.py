"""Owns the reading of a prompt out of a request body in all three shapes: its system part, its last turn, the answers before it."""

from __future__ import annotations

from .asked import Asked, asked_of


def words_in(value: object, depth: int = 0) -> str:
    """The words of a content, whether it is a text, a list of parts or a part."""
    if isinstance(value, str):
        return value
    if depth > 6:
        return ""
    if isinstance(value, list):
        return "\n".join(filter(None, (words_in(item, depth + 1) for item in value)))
    if isinstance(value, dict):
        source = value.get("source")
        data = source.get("data") if isinstance(source, dict) and source.get("type") == "text" else None
        found = [*(words_in(value.get(key), depth + 1) for key in ("content", "text")), data if isinstance(data, str) else ""]
        return "\n".join(filter(None, found))
    return ""


def asked_in(body: dict) -> Asked:
    """What a body asks for. What stood in earlier turns of the user is read as if it stood in the system part."""
    turns = body.get("messages")
    if type(turns) is list and len(turns) == 2 and "system" not in body and _plain(turns[0], "system") and _plain(turns[1], "user"):
        return asked_of(turns[0]["content"], turns[1]["content"])
    return _asked_in(body)


def _plain(turn: object, role: str) -> bool:
    """By far the most common turn, which needs no look inside."""
    return type(turn) is dict and turn.get("role") == role and type(turn.get("content")) is str


def _asked_in(body: dict) -> Asked:
    system = [words_in(body[key]) for key in ("system", "instructions") if key in body]
    turns = body.get("messages", body.get("input", body.get("prompt", "")))
    if not isinstance(turns, list):
        return asked_of("\n".join(system), words_in(turns))
    users, shots = [], []
    for turn in turns:
        content, role = (turn.get("content"), turn.get("role", "user")) if isinstance(turn, dict) else (turn, "user")
        if type(content) is not str:
            content = words_in(turn)
        (users if role == "user" else shots if role == "assistant" else system).append(content)
    return asked_of("\n".join((*system, *users[:-1])), users[-1] if users else "", tuple(shots))

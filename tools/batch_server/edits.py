"""Owns edits of JSON objects that a fault asks for: fields set, put into another form, or taken away."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256


def number_of(text: str) -> int:
    """The number by which a host with numbers for ids would know what has this id here."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else int.from_bytes(sha256(text.encode()).digest()[:6])


def _number(value: object) -> object:
    return number_of(value) if isinstance(value, str) else value


def _float(value: object) -> object:
    return value + 0.0 if isinstance(value, int) else value


def _text(value: object) -> object:
    return str(value) if isinstance(value, (int, float)) else value


def _cased(change: Callable[[str], str]) -> Callable[[object], object]:
    return lambda value: change(value) if isinstance(value, str) else value


FORMS: dict[str, Callable[[object], object]] = {
    "number": _number, "float": _float, "text": _text, "upper": _cased(str.upper), "lower": _cased(str.lower)}


def _step(item: object, name: str) -> object:
    if isinstance(item, dict):
        return item.get(name)
    return item[int(name)] if isinstance(item, list) and name.isdecimal() and int(name) < len(item) else None


def at(item: object, path: str) -> object:
    """What stands at a path such as "request_counts.completed" or "choices.0.finish_reason"; None when nothing does."""
    for name in path.split("."):
        item = _step(item, name)
    return item


def _holder(item: dict, path: str) -> tuple[object, str]:
    above, _, name = path.rpartition(".")
    return (at(item, above) if above else item), name


def _set(item: dict, path: str, value: object) -> None:
    holder, name = _holder(item, path)
    if isinstance(value, dict) and set(value) == {"as"}:
        value = FORMS[value["as"]](_step(holder, name))
    if isinstance(holder, dict):
        holder[name] = value
    elif _step(holder, name) is not None:
        holder[int(name)] = value


def edited(item: object, action: dict) -> object:
    """An object (changed in place) with the fields of `object` set and those of `without` gone; other values stay as they are."""
    if isinstance(item, dict):
        for path, value in action.get("object", {}).items():
            _set(item, path, value)
        for path in action.get("without", []):
            holder, name = _holder(item, path)
            if isinstance(holder, dict):
                holder.pop(name, None)
    return item

"""What a host wrote, made fit where it comes in: counts, times, ids, words and reasons, each of a known type and length."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from common.text import one_line

WORD, REASON = 80, 1000  # characters of a status, code or finish reason; and of a message
PROBLEMS = 1000  # reasons of one batch that are kept
MOST = 1 << 53  # more is no count, and would not fit into a table either
_LATEST = 62e9  # unix seconds of the year 3934; up to a thousand times that, it is milliseconds
_ID = re.compile(r"[\w!-~]{1,256}")
_KEY = re.compile(r"\b(sk|pk|gsk|xai|AIza|hf)[-_][\w-]{16,}")
_DEEPEST = 6  # errors within errors


def object_at(of: Mapping, key: str) -> dict:
    """The object under a key of a foreign object; {} where there is none, or something else."""
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def as_count(found: object) -> int | None:
    """A count in the forms that hosts use: a number, whole or not, or one as text. None where it is none."""
    if type(found) is int:
        return found if 0 <= found <= MOST else None
    if isinstance(found, str) and len(found) < 20:
        try:
            found = float(found)
        except ValueError:
            return None
    if isinstance(found, float) and math.isfinite(found) and 0 <= found <= MOST:
        return int(found)
    return None


def natural(found: object) -> int:
    """The same, 0 where it is none: for what is only compared and shown."""
    return as_count(found) or 0


def unix(value: object) -> float:
    """Unix seconds from numbers (milliseconds too), numbers as text, and ISO 8601; 0.0 where no calendar has them."""
    if isinstance(value, str) and len(value) < 64:
        try:
            value = float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1000 * _LATEST:
        return 0.0
    return float(value if value < _LATEST else value / 1000)


@lru_cache(1024)
def _word(text: str) -> str:
    return one_line(text, WORD)


def word(found: object) -> str:
    """A status, code, model or finish reason as one short line; "" where it is neither text nor number."""
    if isinstance(found, str):
        return _word(found) if len(found) < 1000 else one_line(found[:1000], WORD)
    return "" if isinstance(found, bool) or not isinstance(found, (int, float)) else one_line(_plain(found), WORD)


def reason(found: object) -> str:
    """A message as one line of bounded length, without what looks like a key."""
    return _KEY.sub(r"\1-…", one_line(found[: 4 * REASON] if isinstance(found, str) else found, REASON))


def _plain(number: float) -> str:
    """A number as an id: 7.0 is 7."""
    if isinstance(number, float) and math.isfinite(number) and number == int(number):
        number = int(number)
    try:
        return str(number)
    except ValueError:  # more digits than Python writes
        return ""


def name(found: object) -> str:
    """An id of a batch or a file, as text or number; "" where it cannot be one."""
    found = found if isinstance(found, str) else word(found)
    return found if _ID.fullmatch(found) else ""


def id_of(raw: Mapping) -> str:
    """The id of a batch object. Raises ValueError when it has none."""
    if not (found := name(raw.get("id"))):
        raise ValueError("its id is none")
    return found


def request_id(found: object) -> str:
    """A request's id, as text or number; "" where it is neither."""
    return found if isinstance(found, str) else word(found)


def parsed(found: object) -> object:
    """What a text holds, where it is the JSON text of an object or list; anything else as it is."""
    if isinstance(found, str) and found.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(found, strict=False)
        except (ValueError, RecursionError):
            pass
    return found


def as_text(found: object) -> str:
    """The arguments of a tool call as one text: JSON, whether they came as its text or as what it says."""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


class Complaint(NamedTuple):
    """Why something failed, as far as a host says it; "" for what it does not. `status`: one that stands in for a code."""

    code: str = ""
    kind: str = ""
    message: str = ""
    status: int = 0


def complaint(*places: object) -> Complaint:
    """The complaint in the first of several places that says each part: objects, lists, texts, one within another."""
    code = kind = message = ""
    status = 0
    for found in (one for place in places for one in _complaints(place)):
        code, kind = code or found.code, kind or found.kind
        message, status = message or found.message, status or found.status
    return Complaint(code, kind, message, status)


def _complaints(found: object, depth: int = 0) -> Iterator[Complaint]:
    """Those in one place, the innermost first."""
    found = parsed(found)
    if depth > _DEEPEST or not found:
        return
    if isinstance(found, str):
        yield Complaint(message=reason(found))
    elif isinstance(found, list):
        for one in found[:3]:
            yield from _complaints(one, depth + 1)
    elif isinstance(found, dict):
        for key in ("error", "errors"):
            yield from _complaints(found.get(key), depth + 1)
        yield _own(found)
        for key in ("message", "detail", "details", "msg", "description", "error_description", "error_message", "reason", "title"):
            yield from _complaints(found.get(key), depth + 1)


def _own(found: dict) -> Complaint:
    """What an error object says itself. A number as its code is an HTTP status."""
    code = next(filter(None, (word(found.get(key)) for key in ("code", "error_code"))), "")
    status = next(filter(None, (http_status(found.get(key)) for key in ("code", "status_code", "status"))), 0)
    kind = word(found.get("type"))
    return Complaint("" if http_status(code) else code, "" if kind == "error" else kind, status=status)


def http_status(found: object) -> int:
    """An HTTP status as number or text; 0 where it is none."""
    number = natural(found)
    return number if 100 <= number <= 599 else 0


def problems(found: object) -> tuple[dict[str, object], ...]:
    """Why a batch failed: code, message, param and line of each reason that its `errors` give, whatever their form."""
    found = parsed(found)
    if isinstance(found, dict):
        found = found.get("data", found and [found])
    found = found if isinstance(found, list) else [found]
    return tuple(_problem(one) for one in found[:PROBLEMS] if one and isinstance(one, (dict, str)))


def _problem(found: dict | str) -> dict[str, object]:
    said = complaint(found)
    made: dict[str, object] = {"code": said.code or said.kind or (str(said.status) if said.status else ""), "message": said.message}
    if isinstance(found, dict):
        made["param"] = word(found.get("param"))
        if (line := as_count(found.get("line"))) is not None:
            made["line"] = line
    return made

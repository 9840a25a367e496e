"""JSON as models write it: strict in what it means, lenient in what stands around it; hostile JSON never raises but ValueError."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

MOST_STARTS = 50  # places in a text at which an object is looked for
BROKEN, TWICE, DEEP = "broken JSON", "a key given twice in JSON", "JSON nested too deep"


class Odd(ValueError):
    """JSON that is understood and not taken; its text is the kind of problem."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Odd(TWICE)
    return made


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Odd("a number in JSON that is none")
    return number


def _constant(word: str) -> None:
    raise Odd("a number in JSON that is none")


# a line break inside a string is what models write, and can be meant in one way only
_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)


def value_at(text: str, at: int) -> tuple[object, int]:
    """The JSON value that begins there, and where it ends. Raises ValueError; `Odd` with the kind of problem."""
    try:
        found, end = _DECODER.raw_decode(text, at)
        if "\\u" in text[at:end]:  # half a surrogate pair is no text
            found = json.loads(dumped(found))
    except RecursionError:
        raise Odd(DEEP) from None
    return found, end


def dumped(value: object) -> str:
    """A value as JSON text without blanks; half a surrogate pair is replaced."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def objects_in(text: str, wanted: Callable[[dict], bool]) -> tuple[list[dict], str, bool]:
    """The different wanted objects in a text (else the first object of any kind); what was wrong; whether all is JSON.

    What was wrong is "" where an object was found. Time: linear, since only so many beginnings are tried.
    """
    found: list[dict] = []
    other: list[dict] = []
    why, at, alone = "", text.find("{"), False
    for _ in range(MOST_STARTS):
        if at < 0:
            break
        try:
            value, end = value_at(text, at)
        except Odd as error:
            return [], str(error), False
        except ValueError as error:
            why = BROKEN
            end = max(at + 1, getattr(error, "pos", 0))
        else:
            alone = alone or not (text[:at].strip() or text[end:].strip())
            (found if wanted(value) else other).append(value)
        at = text.find("{", end)
    found = [value for n, value in enumerate(found) if value not in found[:n]] or other[:1]
    return found, "" if found else why, alone

"""Numbers as people write them: what stands behind a head as one number on the question's own scale, or none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from common.nouns import Question
from common.results.patterns import ALONE, COMMA, COMMA_ALONE, LIST, NUMBER

_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]+,[0-9]+")
_END = " 。.!\n"


class FoundNumber(NamedTuple):
    """One number: its value (None: not a whole one, where that is wanted), where it ends, and as it was written."""

    value: float | int | None
    end: int
    raw: str


def number_at(folded: str, at: int, question: Question) -> FoundNumber | None:
    """The number that stands there, None when there is none, several, or one of another scale."""
    if LIST.match(folded, at):
        return None
    match = NUMBER.match(folded, at) or ALONE.match(folded, at)
    if match:
        raw, of, percent = match.group("n", "of", "percent")
        number = float(raw)
    else:
        match = COMMA.match(folded, at) or COMMA_ALONE.match(folded, at)
        if not match:
            return None
        raw, of, percent = match.group("n", "of", "percent")
        number = _with_commas(raw, question)
    # 5/7 is a 5 only where 7 is the most; a percentage only where 100 is
    if number is None or of and float(of) != question.maximum or percent and question.maximum != 100:
        return None
    if question.type == "integer":
        number = int(number) if number.is_integer() else None
    return FoundNumber(number, match.end(), raw)


def whole_number(folded: str, question: Question) -> FoundNumber | None:
    """The number that a whole text is; None when it is anything else or more."""
    folded = folded.strip()
    found = number_at(folded, 0, question)
    return found if found and not folded[found.end :].strip(_END).removesuffix("です").strip(_END) else None


def is_echo(rest: str, question: Question) -> bool:
    """Whether what stands where the number should be is the range that was asked for, repeated."""
    rest, bounds = rest.strip(" 。"), f"{question.minimum:g}-{question.maximum:g}"
    if question.minimum < 0:
        rest = re.sub(r"[ ]*+(?:~|to|から)[ ]*+", "-", rest).replace("+", "").replace(" ", "")
    return rest in (bounds, "数値")


def _with_commas(raw: str, question: Question) -> float | None:
    """1,000 or 5,5 where only one reading is on the scale; a list such as 80,90 is no number."""
    readings = [n for n in _readings(raw, question) if question.minimum <= n <= question.maximum]
    return readings[0] if len(readings) == 1 else None


def _readings(raw: str, question: Question) -> Iterator[float]:
    grouped = _GROUPED.fullmatch(raw)
    if grouped:
        yield float(raw.replace(",", ""))
    if _DECIMAL.fullmatch(raw) and question.type == "number":
        whole, _, fraction = raw.partition(",")
        decimal = float(f"{whole}.{fraction}")
        if grouped:  # 1,000 may be a thousand as well: a second reading, but never one to take
            yield from (decimal, decimal)
        elif len(fraction) == 1 or not question.minimum <= float(fraction) <= question.maximum:
            yield decimal

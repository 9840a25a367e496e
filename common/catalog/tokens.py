"""Counting tokens before anybody counts them for us: how many a prompt is expected to have, and how many it has at most.

OpenAI's models are counted exactly, others by a stated factor on that count. What is said to be "at most" is a bound:
the count where it is exact, else one token a byte, because no token of these vocabularies has less (and something for
each capital, where capitals are marked). Counting exactly takes longer than all the rest of planning does, so a plan
does it for the first EXACT bytes of distinct texts; what follows is expected to be as they are.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from unicodedata import is_normalized, normalize

from common.catalog.families import Family, family_of
from common.catalog.vocabulary import encoder
from common.nouns import Model

EXACT = 5_000_000  # bytes of distinct texts in a plan that are counted exactly
LONGEST = 1_000_000  # bytes of one of them
EACH = 100  # bytes that a text takes of those beside its own, so that a million short ones do not fill the memory
KEPT = 64  # texts beyond them whose counts are kept: system prompts and schemas, which a data set repeats
BEYOND = 15  # per cent by which what follows may be off

PER_MESSAGE, FRAME = 4, 3  # tokens around each message and around all, as OpenAI's cookbook has them
PER_MESSAGE_AT_MOST = 8  # and more than any API is known to add: Claude 7 to 11 for a first message
PER_FORM_AT_MOST = 512  # beside the bytes of a schema or of parameters such as tools, which an API puts in words of its own

LETTERS = (string.ascii_letters + " ").encode()
OTHERS = bytes(byte for byte in range(128) if byte not in LETTERS)
EAST, REST, WIDE = bytes(range(0xE3, 0xEE)), bytes([*range(0xC2, 0xE3), 0xEE, 0xEF]), bytes(range(0xF0, 0xF5))  # first bytes
SHARES = ((LETTERS, 0.21), (OTHERS, 0.58), (EAST, 0.83), (REST, 0.43), (WIDE, 1.7))  # tokens of o200k_base for each, about
CAPITALS = string.ascii_uppercase.encode() + bytes([*range(0xC3, 0xD6), 0xE1, 0xE2])  # or what may begin one
ASCII = bytes(range(128))


class Tokens(NamedTuple):
    """Of a text or a request: tokens that it is expected to have, and how many it has at most."""

    expected: int
    most: int


NOTHING = Tokens(0, 0)


class Meter:
    """Counts the texts of one plan, each once for all models that count alike; `exact`: bytes of them that are counted exactly."""

    def __init__(self, exact: int = EXACT) -> None:
        self._left = exact
        self._counts: dict[str, int] = {}  # of o200k_base
        self.beyond = False  # whether any text was not counted exactly because there were too many

    def of(self, model: Model) -> Callable[[str], Tokens]:
        """Text → its tokens for a model."""
        family = family_of(model.id)
        counted = weighed = 1.0  # of the texts that were counted: their tokens, and what `_weight` says of them

        def count(text: str) -> Tokens:
            nonlocal counted, weighed
            raw = text.encode("utf-8", "surrogatepass")
            known = self._exact(text, raw)
            if family.is_exact and known is not None:
                most = expected = known
            else:
                most = _at_most(text, raw, family)
                about = _weight(raw) * counted / weighed if known is None else known * _factor(raw, family)
                expected = min(round(about), most)
            if known is not None:
                counted, weighed = counted + expected, weighed + _weight(raw)
            return Tokens(expected, most)

        kept = lru_cache(KEPT)(count)
        return lambda text: kept(text) if text else NOTHING

    def kind(self, model: Model) -> str:
        """In words, how good the expected figure for a model is: "exact", "estimate ± 15 %"."""
        family = family_of(model.id)
        if family.is_exact and not self.beyond:
            return "exact"
        return f"estimate ± {max(family.band, BEYOND)} %"

    def _exact(self, text: str, raw: bytes) -> int | None:
        """Its tokens of o200k_base; None where too much has been counted already."""
        known = self._counts.get(text)
        if known is None and len(raw) <= LONGEST and len(raw) + EACH <= self._left:
            self._left -= len(raw) + EACH
            known = self._counts[text] = len(encoder()(text))
        self.beyond |= known is None
        return known


def _weight(raw: bytes) -> float:
    """Roughly in proportion to the tokens of a text, and quickly."""
    size = len(raw)
    ascii_bytes = size - len(raw.translate(None, ASCII))
    return 0.25 * ascii_bytes + 0.29 * (size - ascii_bytes)


def _factor(raw: bytes, family: Family) -> float:
    """What a family makes of one token of o200k_base in a text, by the kinds of characters that it has."""
    size = len(raw)
    shares = [(size - len(raw.translate(None, kind))) * each for kind, each in SHARES]
    whole = sum(shares)
    return sum(map(float.__mul__, shares, family.factors)) / whole if whole else 1.0


def _at_most(text: str, raw: bytes, family: Family) -> int:
    """Tokens at most, from a text's bytes; some vocabularies normalise it first, which can make it longer."""
    if family.is_exact:
        return len(raw)
    if not raw.isascii() and not is_normalized("NFC", text):
        raw = max(raw, normalize("NFC", text).encode("utf-8", "surrogatepass"), key=len)
    each, capital = family.most
    return math.ceil(each * len(raw)) + capital * (len(raw) - len(raw.translate(None, CAPITALS)))

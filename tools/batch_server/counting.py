"""Owns how many tokens a prompt has here: a rule of its own, fitted to true counts, so that a client's wrong estimate shows.

Characters become classes, and pairs of classes are counted. The weights were fitted (2026-11-28) to o200k_base on 1,300
pieces of prose, code, tables, numbers and documents, such that none comes out above its true count: 0.8 to 1.0 of it for
most, 0.9 in the middle.
"""

from __future__ import annotations

import string
from functools import lru_cache

PER_TURN, FRAME = 4, 3
CLAUDE = 1.15  # its vocabulary makes more tokens of the same text


def _classes() -> bytes:
    table = bytearray(b"." * 256)
    ranges = ((string.ascii_letters.encode(), b"a"), (string.digits.encode(), b"0"), (b" ", b" "), (b"\r\n", b"\n"),
              (range(0x80, 0xC0), b"c"), (range(0xC2, 0xF0), b"o"), (b"\xe3", b"k"), (range(0xE4, 0xEA), b"h"), (range(0xF0, 0xF5), b"w"))
    for members, name in ranges:
        for byte in members:
            table[byte] = name[0]
    return bytes(table)


CLASSES = _classes()
WEIGHTS = ((b"a", 0.53), (b"aa", -0.6), (b"aaa", -0.35), (b"0", 0.69), (b"000", -0.6), (b".", 0.25), (b"..", 0.26), (b". ", 0.95),
           (b"\n", 0.71), (b"  ", 0.23), (b"a0", 0.79), (b".a", 0.18))
WIDE = ((b"k", 0.62), (b"h", 1.16), (b"o", 0.4), (b"w", 2.0))


@lru_cache(maxsize=1024)
def turn(text: str, claude: bool = False) -> int:
    """Tokens of one turn, with what a chat puts around it."""
    raw = text.encode("utf-8", "replace").translate(CLASSES)
    found = sum(raw.count(kind) * weight for kind, weight in (WEIGHTS if text.isascii() else WEIGHTS + WIDE))
    return max(bool(raw), int(found * CLAUDE if claude else found)) + PER_TURN

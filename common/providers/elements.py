"""A JSON object as it arrives, however large: the elements of one of its arrays one by one, and all else of it together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LARGEST_ELEMENT, LARGEST_REST = 64 << 20, 1 << 20  # bytes; what is larger must not fill the memory
NEAR = 1000  # bytes before an array in which its name stands
_PLAIN = re.compile(rb'[^"{}\[\],]*+')
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SPACE = bytes.maketrans(b"\n\r", b"  ")  # between an object's parts; its texts hold no raw newline


def elements(blocks: Iterable[bytes], array: str, rest: bytearray) -> Iterator[bytes]:
    """The elements of the array of that name in the outermost object, each on one line, as it was written but for its newlines.

    What stands around them is added to `rest`: the object with that array empty. Nothing is checked but sizes, so `rest`
    must be parsed at the end: of an object that was cut, or that is none, it is no JSON. Raises ValueError where an
    element or the rest is too large.
    """
    begins = re.compile(rb'"%b"\s*:\s*\Z' % re.escape(array.encode()))
    depth, quoted, inside, held, element = 0, False, False, b"", bytearray()
    for block in blocks:
        block, at = held + block, 0
        while at < len(block):
            end = (_STRING if quoted else _PLAIN).match(block, at).end()
            mark = block[end : end + 1]
            into = element if inside else rest
            into += block[at:end]
            if quoted and mark == b"\\":  # what it escapes is in the next block
                at = end
                break
            at = end + 1
            if mark == b'"':
                quoted = not quoted
            elif mark in (b"{", b"["):
                depth += 1
            elif mark in (b"}", b"]"):
                depth -= 1
            if inside and (depth == 1 or depth == 2 and mark == b"," and not quoted):
                if element.strip():
                    yield bytes(element.translate(_SPACE).strip())
                element.clear()
                inside = depth > 1
                rest += mark * (not inside)
                continue
            into += mark
            inside = inside or (depth == 2 and mark == b"[" and begins.search(rest, max(0, len(rest) - NEAR), len(rest) - 1) is not None)
        held = block[at:]
        if len(element) > LARGEST_ELEMENT or len(rest) > LARGEST_REST:
            raise ValueError(f"more than {LARGEST_ELEMENT if inside else LARGEST_REST:,} bytes in one piece")

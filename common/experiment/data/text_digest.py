"""The digest of a file of text: of what it says, not of how an editor, git or a spreadsheet has saved it."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable
from typing import BinaryIO

_BLOCK = 1 << 20


class _Content:
    """A digest of text, whatever ends its lines; `end` holds the blank lines that it may end with, which do not count."""

    def __init__(self) -> None:
        self.digest, self.end, self._some = hashlib.sha256(), b"", False

    def add(self, block: bytes) -> bytes:
        """Takes a block, and returns what of the text is now certain."""
        block = self.end + block
        body = block.rstrip(b"\r\n")  # so no CRLF is cut in two either
        self.end = block[len(body) :]
        body = body.replace(b"\r\n", b"\n")
        self._some = self._some or bool(body)
        self.digest.update(body)
        return body

    def finish(self) -> str:
        digest = self.digest.copy()
        digest.update(b"\n" if self._some else b"")
        return digest.hexdigest()


def of_text(blocks: Iterable[bytes]) -> str:
    """The digest of a text in UTF-8 without a mark."""
    content = _Content()
    for block in blocks:
        content.add(block)
    return content.finish()


def of_file(file: BinaryIO) -> tuple[str, tuple[str, str]]:
    """The digest of a text in UTF-8, and what earlier versions took for it: that of its bytes with CRLF as LF, and of its bytes."""
    content, whole, mark = _Content(), hashlib.sha256(), codecs.BOM_UTF8
    block = file.read(_BLOCK)
    lines = hashlib.sha256(mark) if block.startswith(mark) else None  # else they are those of the content
    skip = len(mark) if lines else 0
    while block:
        whole.update(block)
        body = content.add(block[skip:])
        if lines:
            lines.update(body)
        block, skip = file.read(_BLOCK), 0
    lines = lines or content.digest.copy()
    lines.update(content.end.replace(b"\r\n", b"\n"))
    return content.finish(), (lines.hexdigest(), whole.hexdigest())

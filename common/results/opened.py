"""Raw files as lines of UTF-8 whatever a host or an editor made of them, and the JSON values that a line holds."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Protocol

BLOCK = 1 << 20
GZIP = b"\x1f\x8b"
_UTF16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"{\0": "utf-16-le", b"\0{": "utf-16-be"}
_JSON = json.JSONDecoder(strict=False, parse_constant=lambda word: None)  # NaN and Infinity are no values


class Lines(Protocol):
    """What has lines."""

    def readline(self, size: int) -> bytes:
        """At most so many bytes of the next line; b"" at the end."""


@contextmanager
def plain(path: Path) -> Iterator[Lines]:
    """A raw file's lines, unpacked where it is gzip and as UTF-8 where it is UTF-16. Raises OSError as the disk does."""
    with open(path, "rb", buffering=BLOCK) as file:
        found: BinaryIO = file
        if file.peek(2)[:2] == GZIP:
            found = BufferedReader(_Unpacked(file), BLOCK)
        encoding = _UTF16.get(found.peek(2)[:2])
        yield found if encoding is None else _Recoded(found, encoding)


def is_packed(path: Path) -> bool:
    """Whether a file is gzip. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP


class _Unpacked(gzip.GzipFile):
    """A gzip file that ends where it is cut or damaged: what came before is there to be read."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(fileobj=file, mode="rb")

    def readinto(self, buffer: bytearray) -> int:
        try:
            data = self.read1(len(buffer))  # one block: what comes before the damage is not lost with it
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return 0
        buffer[: len(data)] = data
        return len(data)


class _Recoded:
    """Text of another encoding, line by line as UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._text = TextIOWrapper(file, encoding, errors="replace", newline="\n")

    def readline(self, size: int) -> bytes:
        return self._text.readline(size).encode("utf-8", "replace")


def objects(line: bytes) -> Iterator[object]:
    """The JSON values in a line, one after the other, those of a list of objects too; a ValueError for what is none.

    Half a surrogate pair (an emoji cut by a token limit) is replaced, and what is no number is None.
    """
    try:
        text, at = line.decode(), 0
    except UnicodeDecodeError as error:
        yield ValueError(str(error))
        return
    while at < len(text):
        try:
            found, at = _JSON.raw_decode(text, at)
            if "\\u" in text:
                found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            yield ValueError(getattr(error, "msg", None) or "too deep or too long")
            return
        if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
            yield from found
        else:
            yield found
        while text[at : at + 1] in (" ", "\t", "\r", "\n", ",", "\x1e", "\0"):
            at += 1

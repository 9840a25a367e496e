"""What the bytes of a file say of it: whether it is an image or a PDF that APIs take, and how large it is."""

from __future__ import annotations

import re
from typing import NamedTuple

_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_LINEARIZED = re.compile(rb"/Linearized\b[^>]{0,400}?/N\s+(\d{1,6})\b")  # in a PDF for the web: its pages, at its beginning
_ENTROPY = (0x01, *range(0xD0, 0xD8))  # JPEG's markers without a length
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))


class Media(NamedTuple):
    """A media type; pixels of an image, pages of a PDF, 0 = unknown."""

    type: str
    width: int = 0
    height: int = 0
    pages: int = 0


def media_of(data: bytes) -> Media | None:
    """What a file is by its bytes, not by its name; None for what is no PNG, JPEG, GIF, WebP or PDF."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Media("image/png", _big(data[16:20]), _big(data[20:24]))
    if data.startswith(b"\xff\xd8\xff"):
        return Media("image/jpeg", *_jpeg(data))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Media("image/gif", _little(data[6:8]), _little(data[8:10]))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Media("image/webp", *_webp(data))
    return Media("application/pdf", pages=_pages(data)) if data.startswith(b"%PDF-") else None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _jpeg(data: bytes) -> tuple[int, int]:
    """The size in the frame's header; what stands before it, such as a small preview, is gone past by its length."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 1 if marker == 0xFF else 2 if marker in _ENTROPY else 2 + _big(data[at + 2 : at + 4])
    return 0, 0


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return (_little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF) if kind == b"VP8 " else (0, 0)


def _pages(data: bytes) -> int:
    """The pages of a PDF as far as they can be seen without unpacking it."""
    said = _LINEARIZED.search(data, 0, 2048)
    return int(said[1]) if said else sum(1 for _ in _PAGE.finditer(data))

"""Owns how large pictures and documents in requests are: in tokens, by plain rules, and in pixels, as their first bytes say."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

PNG, JPEG, GIF, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF"
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=-]+)*;base64,")
PAGE = re.compile(rb"/Type\s*/Page(?![s\w])")
UNKNOWN = (1024, 1024)  # the size that a picture is taken to have when it is not here or does not say
PAGE_TOKENS = 2_000


def parts_of(body: dict) -> Iterator[tuple[str, str, dict]]:
    """(where it stands, the turn's role, the part) of all contents that are lists; nothing for plain prompts."""
    for name in ("messages", "input"):
        turns = body.get(name)
        for place, turn in enumerate(turns if type(turns) is list else ()):
            content = turn.get("content") if type(turn) is dict else None
            if type(content) is list:
                for n, part in enumerate(content):
                    if isinstance(part, dict):
                        yield f"{name}[{place}].content[{n}]", str(turn.get("role")), part


def has_parts(body: dict) -> bool:
    """Whether any turn is more than a plain text."""
    turns = body.get("messages") or body.get("input")
    return type(turns) is list and any(type(turn) is dict and type(turn.get("content")) is list for turn in turns)


def picture_tokens(body: dict, anthropic: bool) -> int:
    """About how many tokens the pictures and documents of a request have."""
    return sum(_tokens(part, anthropic) for _, _, part in parts_of(body))


def _tokens(part: dict, anthropic: bool) -> int:
    kind, source = part.get("type"), part.get("source")
    if kind == "document" and isinstance(source, dict) and source.get("type") in ("base64", "url"):
        return PAGE_TOKENS * pages_of(source.get("data"))
    if kind in ("file", "input_file"):
        inner = part.get("file") if kind == "file" else part
        return PAGE_TOKENS * pages_of(inner.get("file_data") if isinstance(inner, dict) else None)
    if kind not in ("image", "image_url", "input_image"):
        return 0
    wide, high = size_of(source.get("data") if isinstance(source, dict) else url_of(part))
    if anthropic:
        return min(1_600, max(1, wide * high // 750))
    inner = part.get("image_url") if kind == "image_url" else part
    if isinstance(inner, dict) and inner.get("detail") == "low":
        return 85
    shrink = min(1.0, 2048 / max(wide, high), 768 / min(wide, high))
    return 85 + 170 * -(-int(wide * shrink) // 512) * -(-int(high * shrink) // 512)


def url_of(part: dict) -> object:
    inner = part.get("image_url")
    return inner.get("url") if isinstance(inner, dict) else inner


def _bytes(data: object, most: int = 0) -> bytes:
    """What stands in base64, with or without a data URL before it; b"" for what is none."""
    if not isinstance(data, str) or data.startswith(("http://", "https://")):
        return b""
    data = data[match.end() :] if (match := DATA_URL.match(data)) else data
    try:
        return base64.b64decode(data[:most] if most else data)
    except ValueError:  # binascii.Error is one
        return b""


def pages_of(data: object) -> int:
    return max(1, len(PAGE.findall(_bytes(data))))


def size_of(data: object) -> tuple[int, int]:
    """Width and height in pixels, as the first bytes of a picture say."""
    raw = _bytes(data, 1 << 18)
    try:
        wide, high = _written(raw)
    except IndexError:
        return UNKNOWN
    return (wide, high) if wide and high else UNKNOWN


def _written(raw: bytes) -> tuple[int, int]:
    if raw.startswith(PNG):
        return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")
    if raw.startswith(GIF):
        return int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little")
    if raw.startswith(WEBP) and raw[12:16] == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    if raw.startswith(WEBP) and raw[12:16] == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if raw.startswith(WEBP):
        return int.from_bytes(raw[26:28], "little") & 0x3FFF, int.from_bytes(raw[28:30], "little") & 0x3FFF
    return _jpeg(raw) if raw.startswith(JPEG) else (0, 0)


def _jpeg(raw: bytes) -> tuple[int, int]:
    """The size in the first frame's header; the segments before it are stepped over."""
    at = 2
    while raw[at] == 0xFF:
        if 0xC0 <= raw[at + 1] <= 0xCF and raw[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(raw[at + 7 : at + 9], "big"), int.from_bytes(raw[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return 0, 0

"""Which encoding some bytes may be in that are no UTF-8: a hint for a person, never used by itself."""

from __future__ import annotations

import re

_KANA = re.compile("[\u3041-\u30fe]")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_HIGH = re.compile(rb"[\x80-\xff]+")


def likely(sample: bytes) -> str:
    """The likeliest encoding of bytes that are no UTF-8.

    Japanese text is known by its kana, western text by accented letters that stand alone; what is neither is asked of
    charset-normalizer, which weighs languages.
    """
    for name in ("cp932", "euc_jp"):
        if _is_japanese(sample, name):
            return name
    runs = _HIGH.findall(sample)
    if sum(len(run) <= 2 for run in runs) >= 0.8 * len(runs):
        return "cp1252" if _decodes(sample, "cp1252") is not None else "latin-1"
    from charset_normalizer import from_bytes  # slow to import, and seldom needed

    best = from_bytes(sample).best()
    return best.encoding if best else "latin-1"


def _is_japanese(sample: bytes, name: str) -> bool:
    text = _decodes(sample, name)
    if text is None:
        return False
    foreign = sum(not c.isascii() for c in text)
    # one byte of any western text is half-width kana in cp932, so these count against it
    return len(_KANA.findall(text)) * 10 >= foreign and len(_HALF_WIDTH.findall(text)) * 5 <= foreign


def _decodes(sample: bytes, name: str) -> str | None:
    try:
        return sample.decode(name)
    except UnicodeDecodeError:
        return None

"""Words as a search finds them: Latin ones from their beginning, Japanese and Chinese by any characters that follow each other."""

from __future__ import annotations

import re
import unicodedata

# A tokenizer takes what stands between blanks and signs for a word. Where people write no blanks, each character is made one.
_NO_BLANKS = ((0x2E80, 0xA4CF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF), (0x0E00, 0x0EFF), (0x1000, 0x109F))
_PIECE = re.compile(r'"([^"]*)"|(\S+)')


class _SetApart(dict):
    """Code point → what it is searched as; half and full width are alike."""

    def __missing__(self, code: int) -> str:
        text = unicodedata.normalize("NFKC", chr(code))
        if any(low <= ord(text[0]) <= high for low, high in _NO_BLANKS):
            text = f" {' '.join(text)} "
        self[code] = text
        return text


_APART = _SetApart()


def apart(text: str) -> str:
    """A text as it is put into the index."""
    return text if text.isascii() else text.translate(_APART)


def query(words: str) -> str:
    """What a person types as a query of FTS5: all of the words, those in quotes as they follow each other; "" for no word at all."""
    pieces = (" ".join(re.findall(r"\w+", apart(quoted or word))) for quoted, word in _PIECE.findall(words))
    return " AND ".join(f'"{piece}" *' for piece in pieces if piece)

"""The spellings of choices: when a word that somebody wrote is one of them, whatever its case, width or dress."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_MINUS = dict.fromkeys(map(ord, "−‐‑‒–—―"), "-")
# What may stand around a word without being part of it: quotes, brackets, markdown, the end of a sentence; not "?".
_DRESS = "\"'“”‘’«»‹›「」『』【】〈〉《》[](){}<>*_`#~|.。,、;:!"
_BULLET = "-•・●○■◆>"


def light(text: str) -> str:
    """A text without its case, width, kind of minus sign and kind of blanks: how spellings are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_MINUS).split())


class Spellings:
    """Which choice a word means. Choices are (canonical, (spelling, …)); Raises ValueError when two have one spelling."""

    def __init__(self, choices: Iterable[tuple[str, Iterable[str]]]) -> None:
        self.canonical: dict[str, str] = {}  # by spelling
        for name, also in choices:
            for spelling in (name, *also):
                if self.canonical.setdefault(light(spelling), name) != name:
                    raise ValueError(f"{self.canonical[light(spelling)]!r} and {name!r} cannot be told apart ({spelling!r})")
        edges = {c for spelling in self.canonical for c in (spelling[:1], spelling[-1:])}
        self.kept = edges & {*_DRESS, *_BULLET}  # C# is not C: what begins or ends a spelling is never taken off a word
        self._dress = "".join({*_DRESS} - edges) + " "
        self._bullet = "".join({*_BULLET} - edges) + self._dress
        self._all = words(self.canonical)

    def find(self, text: str) -> str | None:
        """The choice that a whole text is, None if it is none."""
        text = light(text)
        found = self.canonical.get(text)
        if found is None:
            text = text.lstrip(self._bullet).rstrip(self._dress)
            found = self.canonical.get(text)
        if found is None and text.endswith("です"):
            found = self.canonical.get(text.removesuffix("です").rstrip(self._dress))
        return found

    def named(self, text: str) -> list[str]:
        """All choices that a text names anywhere, each once."""
        return list(dict.fromkeys(self.canonical[m[0]] for m in self._all.finditer(light(text))))


    def without(self, text: str) -> str:
        """What is left of a text without the choices that it names."""
        return self._all.sub(" ", light(text))

    def listed(self, text: str) -> list[str] | None:
        """The choices of a text that is a list of nothing else; None if it is not."""
        text = light(text)
        matches = list(self._all.finditer(text))
        gaps = zip([0, *(m.end() for m in matches)], [*(m.start() for m in matches), len(text)])
        before, *between = (text[start:end] for start, end in gaps)
        if not matches or not all(map(_BETWEEN.fullmatch, [before, *between])) or "" in between[:-1]:
            return None
        return [self.canonical[m[0]] for m in matches]


_BETWEEN = re.compile(r"(?:[\s,、;/|・&+\-•.。*_`#~>]|[\[\](){}<>「」『』【】\"'“”‘’]|and\b|と|および|及び|です)*+")


def words(spellings: Mapping[str, object] | Iterable[str]) -> re.Pattern[str]:
    """A pattern of any of these words, the longest first; one of Latin letters or digits never inside another word."""
    return re.compile("|".join(map(whole_word, sorted(spellings, key=len, reverse=True))) or "(?!)")


def whole_word(spelling: str) -> str:
    """The pattern of one word."""
    before = r"(?<![^\W_ぁ-ヿ一-鿿])" if spelling[:1].isalnum() and spelling[:1] < "\u3000" else ""
    after = r"(?![^\W_ぁ-ヿ一-鿿])" if spelling[-1:].isalnum() and spelling[-1:] < "\u3000" else ""
    return f"{before}{re.escape(spelling)}{after}"

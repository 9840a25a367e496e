"""The forms in which a model writes heads, numbers and reasons, as patterns; a text is folded before they are tried."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from common.nouns import Question


def _fold_table() -> dict[str, str]:
    """One character to one character, so that a place in the folded text is the same place in the original."""
    table = {chr(code): chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)}
    # A case-insensitive search costs ten times as much as folding the case here. (İ stays: it lowers to two.)
    table |= {c: c.lower() for c in map(chr, range(0x41, 0x530)) if c.isupper() and len(c.lower()) == 1}
    table |= dict.fromkeys("\u3000\u00a0\u200b\t*`#•・●○■□◆◇▪", " ") | dict.fromkeys("−–—‐‑‒―", "-")
    return table | {"∶": ":", "︰": ":", "〜": "~", "\r": "\n", "＊": " ", "＃": " ", "｀": " "}


FOLD = _fold_table()
_FOLDED = re.compile("[" + "".join(map(re.escape, FOLD)) + "]")


def fold(text: str) -> str:
    """A text in the letters, signs and blanks that the patterns know; each character stays where it was."""
    # Not str.translate: it looks up each character of the text, this only those that change (5 times as fast). The
    # order does not matter, since no character folds into one that folds into another.
    for character in set(_FOLDED.findall(text)):
        text = text.replace(character, FOLD[character])
    return text


# All repetitions are possessive (`*+`): what they took they keep, so that no answer makes the patterns run away.
_DIGITS = r"[0-9]++(?:\.[0-9]++)?+"
_CONNECTED = r"(?:[-~,、:;./|→]|から|ないし|または|か|と|or\b|to\b|and\b)"


def _inline(digits: str) -> re.Pattern[str]:
    """A number that counts only if nothing behind it makes it another one: 80-90, 1,000, 80 or 90, 3つ, 100点満点."""
    return re.compile(
        rf"[ ]*+[「『\"\[【(<]*+[ ]*+(?P<n>[+-]?{digits})(?:[ ]*+(?:点|ポイント|points?\b|pts?\b))?(?:[ ]*+[」』\"\]】)>]++)?"
        rf"(?:[ ]*+(?:/|out of|of)[ ]*+(?P<of>{_DIGITS})(?:[ ]*+点)?[\])]?)?(?P<percent>%?)"
        rf"(?![ ]*+{_CONNECTED}?[ ]*+[+-]?[0-9])(?=[\s。、,.;:!)」…\-([|]|です|\Z)"
    )


def _alone(digits: str) -> re.Pattern[str]:
    """A number alone on the next line."""
    return re.compile(
        rf"[ ]*+\n[ ]*+(?P<n>[+-]?{digits})(?:[ ]*+点)?(?:[ ]*+/[ ]*+(?P<of>{_DIGITS}))?(?P<percent>%?)[ ]*+(?=\n|\Z)"
    )


NUMBER, ALONE = _inline(_DIGITS), _alone(_DIGITS)
_COMMAS = r"[0-9]{1,9}+(?:,[0-9]{1,9}+){1,9}+(?:\.[0-9]++)?+"  # 5,5 or 1,000,000: what it means is the question's to say
COMMA, COMMA_ALONE = _inline(_COMMAS), _alone(_COMMAS)
LIST = re.compile(r"[ ]*+1[.)][ ]++\S")  # "面白さ: 1. テンポがよい" opens a list; it is not a score of 1
PLACEHOLDER = re.compile(r"(?:\[[^\]]*+\]|<[^>]*+>|\{[^}]*+\}|\([^)]*+\)|[.…_?]*+)[。.]?")


# Closed lists: what means yes and no, and that none of the choices holds.
YES_NO = (("yes", ("y", "true", "はい", "ええ", "○", "〇")), ("no", ("n", "false", "いいえ", "いや", "×")))
NONE = ("none", "none of them", "なし", "無し", "該当なし", "[]")
# Behind a choice these take it back or weigh it against another one.
_HEDGE = r"or\b|and\b|maybe\b|perhaps\b|possibly\b|または|あるいは|もしくは|か[、, ]"
_START = r"[\s.。,、;:()!\-]*+"
HEDGED = re.compile(rf"{_START}(?:{_HEDGE})")
DENIED = re.compile(rf"{_START}(?:{_HEDGE}|not\b|no\b|never\b|but\b|though\b|ではな|じゃな|とはい|しかし|でも|だが|ただ)")
# What may stand right behind a choice: the end, a sentence, a bracket, a dash; anything else makes it another word.
BEHIND = r"(?=[ ]*+(?:\n|\Z)|[.。!]++(?:\s|\Z|[^\W\d])|[ ]*+[、,;:(]|[ ]++-[ ])"
OPEN, CLOSE = r"[ ]*+[「『\"'“‘\[【(<]*+[ ]*+", r"(?:[ ]*+[」』\"'”’\]】)>]++)?(?:です)?"

_FREE = r"[^\s\[<({.…_?（［][^\n]*+"  # a line that is no placeholder
_TYPED = {"integer": r"-?[0-9]{1,9}", "text": _FREE, "choice": _FREE, "yes_no": _FREE}


def _asked_value(question: Question) -> str:
    digits = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
    return _TYPED.get(question.type) or ("-?" * (question.minimum < 0) + digits)


def asked_format(questions: Sequence[Question]) -> Callable[[str], re.Match[str] | None]:
    """Full match of exactly the format that was asked for, in order, each reason in one line and no placeholder.

    One group for each value, one for each reason that is asked for. Lists and JSON are always read the long way.
    """
    if not questions or any(q.type in ("choices", "json") for q in questions):
        return lambda text: None
    parts = []
    for q in questions:
        head = f"{re.escape(q.id)}\\. ?{re.escape(q.name)}"
        end = r"(?:\n\n?|\Z)" if q.reason != "yes" else r"\n\n?"
        parts.append(rf"{head}\({re.escape(q.value_label)}\): ?({_asked_value(q)}){end}")
        if q.reason != "no":
            reason = rf"{head}\({re.escape(q.reason_label)}\): ?({_FREE})(?:\n\n?|\Z)"
            parts.append(reason if q.reason == "yes" else f"(?:{reason})?")
    return re.compile("".join(parts) + r"\s*").fullmatch


def _word(word: str) -> str:
    return fold(unicodedata.normalize("NFC", word)).strip()


def any_of(words: Iterable[str]) -> str:
    """An alternation of words, the longest first, so that a name inside another name never wins."""
    return "|".join(re.escape(w) for w in sorted({_word(w) for w in words}, key=len, reverse=True) if w) or "(?!)"


def by_name(questions: Sequence[Question]) -> dict[str, dict[str, int]]:
    """name → id → place, both folded: two questions may share a name, then only the id tells them apart."""
    table: dict[str, dict[str, int]] = {}
    for n, q in enumerate(questions):
        table.setdefault(_word(q.name), {})[_word(q.id)] = n
    return table


def heads(questions: Sequence[Question]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The alternation of all heads: at the start of a line or behind an id; and the same right behind a value."""
    ids, names = any_of(q.id for q in questions), any_of(q.name for q in questions)
    value, reason = any_of(q.value_label for q in questions), any_of(q.reason_label for q in questions)
    gap, labelled = r"(?![A-Za-z0-9])[ .:)\]、\-]{0,8}", rf"\([ ]*+(?:{value})[^)\n]{{0,20}}\)"
    core = (
        rf"(?P<open>[「『\"\[【]?)[ ]*+(?P<name>{names})[ ]*+[」』\"\]】]?[ ]*+(?:"
        rf"(?P<reason>\([ ]*+(?:{reason})[ ]*+\)[ ]*+:?|:[ ]*+\(?[ ]*+(?:{reason})[ ]*+\)?[ ]*+:|[\s\-+>]*+の?[ ]*+(?:{reason})[ ]*+:)|"
        rf"(?P<asked>{labelled}[ ]*+:?)|(?P<colon_label>:[ ]*+(?:{labelled}[ ]*+:?|(?:{value})[ ]*+:))|"
        rf"(?P<spaced_label>[\s\-+>]*+の?(?:{value})[ ]*+:)|"
        rf"(?P<rating>(?:の?評価値?|の?スコア|の?点数|(?<=[ ])(?:rating|score))[ ]*+(?:{labelled})?[ ]*+:)|"
        rf"(?P<level>(?:の?レベル|度|(?<=[ ])level)[ ]*+(?:{labelled})?[ ]*+:)|"
        rf"(?P<plain>(?:\([^)\n]{{0,20}}\))?[ ]*+:))"
    )
    listed = r"[0-9]{1,2}[.)][ ]*+"
    before = rf"^[ +\->]*+(?:\(?(?P<i>{ids}){gap}|{listed}(?:(?P<j>{ids}){gap})?)?|(?<![A-Za-z0-9])(?P<k>{ids}){gap}"
    bare = rf"(?P<bare>^[ +\->]*+[(\[]?[ ]*+(?:{reason})[ ]*+[)\]]?[ ]*+:)"
    after = rf"[ ]*+[、,;/|。][ ]*+(?P<bare>(?!))?(?P<j>(?!))?(?P<k>(?!))?(?:(?P<i>{ids}){gap})?"
    return re.compile(f"(?:{bare}|(?:{before}){core})", re.MULTILINE), re.compile(after + core, re.MULTILINE)

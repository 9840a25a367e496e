"""Owns the words of rehearsal answers: finds the questions of a prompt and answers them, the same way every time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from zlib import crc32

# Full-width characters are written as escapes here: they look too much like their narrow twins.
QUESTION = re.compile(
    r"^[ \t\u3000>*#\u30fb\-]*([Q\uff31](\d{1,3})[ \t\u3000]*[.\uff0e\u3001:\uff1a)]?[ \t\u3000]*)"
    r"([^\n()\uff08\uff09:\uff1a \u3000][^\n()\uff08\uff09:\uff1a]{0,60}?)([ \t\u3000]*)"
    r"([(\uff08])([^\n()\uff08\uff09]{1,30})([)\uff09])[ \t\u3000]*([:\uff1a])", re.MULTILINE)
KANA = re.compile(r"[぀-ヿ]")
REASON_WORDS = re.compile(r"理由|根拠|わけ|reason|why|because|explan|justif", re.IGNORECASE)
WIDE = str.maketrans("0123456789:", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff1a")

REASONS_JA = (
    ("{n}につながる描写が少なく、淡々とした語りに終始しているため。", "{n}を引き起こす出来事がほとんど見当たらなかったから。",
     "全体に静かな筆致で、{n}は読み手の側にあまり生まれないため。"),
    ("{n}を感じる場面はあるものの、結末が予想の範囲に収まっているため。", "一部の描写に{n}の芽があるが、全体では控えめだから。",
     "人物の心の動きは丁寧だが、{n}が際立つほどではないため。"),
    ("結末に向かう展開が鮮やかで、{n}が強く心に残ったため。", "登場人物の選択が胸に迫り、{n}を何度も覚えたから。",
     "言葉の選び方と余韻が見事で、{n}が最後まで途切れなかったため。"),
)
REASONS_EN = (
    ("Little in the text gives rise to {n}, and the telling stays detached.", "Hardly any event here leads to {n}.",
     "The calm tone leaves almost no room for {n}."),
    ("There are hints of {n}, but the ending stays within what one expects.", "Some passages carry {n}, yet only in part.",
     "The characters are drawn with care, though {n} never dominates."),
    ("The turn near the end is vivid and leaves a strong sense of {n}.", "The choices made in the text stir {n} again and again.",
     "The wording and its echo keep {n} alive to the last line."),
)


@dataclass(frozen=True)
class Question:
    """One question of a prompt: its name, the two prefixes to answer with, and how it tends to be answered."""

    number: str
    name: str
    value_prefix: str
    reason_prefix: str
    value_label: str
    mean: int


@dataclass(frozen=True)
class Form:
    """What a prompt asks for."""

    questions: tuple[Question, ...]
    japanese: bool


@lru_cache(maxsize=256)
def form_of(text: str) -> Form:
    """The questions of a prompt; cached, since a study asks the same ones thousands of times."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for match in QUESTION.finditer(text):
        lead, number, name, gap, opening, label, closing, colon = match.groups()
        after = "" if colon == "\uff1a" else " "
        prefix = f"{lead}{name}{gap}{opening}{label}{closing}{colon}{after}"
        labels = found.setdefault((number, name.strip()), [])
        if len(labels) < 2 and label not in [known for known, _ in labels]:
            labels.append((label, prefix))
    return Form(tuple(_question(text, *key, labels) for key, labels in found.items()), bool(KANA.search(text)))


def _question(text: str, number: str, name: str, labels: list[tuple[str, str]]) -> Question:
    value, reason = (labels + [("", "")])[:2]
    if REASON_WORDS.search(value[0]) and not REASON_WORDS.search(reason[0]):
        value, reason = reason, value
    mean = 18 + sha256(f"{text}\x1e{name}".encode()).digest()[0] * 64 // 255
    return Question(number, name, value[1], reason[1], value[0], mean)


def answer(text: str, model: str, digest: bytes, odd_share: float) -> str:
    """The answer to a prompt: the same for the same digest, in the prompt's own format and language."""
    form = form_of(text)
    if not form.questions:
        return _plain(form.japanese, digest)
    odd = digest[30] * 256 + digest[31] < odd_share * 65536
    shift = crc32(model.encode()) % 21 - 10
    lines = []
    for place, question in enumerate(form.questions):
        a, b, c, d = digest[place * 3 % 24:place * 3 % 24 + 4]
        score = min(100, max(0, question.mean + shift + (a + b + c) * 48 // 765 - 24))
        if question.value_prefix:
            lines.append(_odd(question, score, digest[29], form.japanese) if odd else f"{question.value_prefix}{score}")
        if question.reason_prefix:
            band = (REASONS_JA if form.japanese else REASONS_EN)[min(2, score // 34)]
            name = question.name if form.japanese else question.name.lower()
            lines.append(question.reason_prefix + band[d % 3].replace("{n}", name))
    return "\n".join(lines)


def _odd(question: Question, score: int, choice: int, japanese: bool) -> str:
    """A value line in one of the forms that real models slip into."""
    q, name, label = f"Q{question.number}.", question.name, question.value_label
    opening, closing = "\uff08\uff09" if "\uff08" in question.value_prefix else "()"
    forms = (
        f"{q} {name}: {opening}{label}{closing}: {score}",
        f"{q} {name} {label}: {score}",
        f"{q} {name}: {score}",
        f"{name}の評価: {score}" if japanese else f"{name} rating: {score}",
        f"{name}レベル: {score}" if japanese else f"{name} level: {score}",
        f"「{name}」: {score}" if japanese else f'"{name}": {score}',
        f"[{name}]: {score}",
        question.value_prefix.rstrip(": \uff1a") + f":{score}".translate(WIDE),
    )
    return forms[choice % len(forms)]


def _plain(japanese: bool, digest: bytes) -> str:
    number = int.from_bytes(digest[:2], "big")
    if japanese:
        return f"これは模擬応答です(番号 {number})。質問の形式が見つからなかったため、短くお答えします。"
    return f"This is a rehearsal answer (number {number}). No questions were found in the prompt, so it is short."


def tokens(text: str) -> int:
    """About how many tokens a text has: one per wide character, four ASCII characters per token."""
    if text.isascii():
        return (len(text) + 3) // 4
    wide = (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return wide + (max(0, len(text) - wide) + 3) // 4


def cut_to(text: str, limit: int) -> str:
    """The beginning of a text that has about `limit` tokens."""
    whole = tokens(text)
    return text if whole <= limit else text[: len(text) * limit // whole]

"""Owns what a prompt asks for: the questions of its answer form, each with its scale or choices, or one single answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b

from .phrases import CYRILLIC, HAN, HANGUL, KANA, language_of, latin_language
from .scales import FOLD, NUMBER_WORDS, WORDS_KIND, Kind, choices_in, kind_in, scale_in
from .templates import Template, template_in

# Full-width characters are written as escapes here: they look too much like their narrow twins.
QUESTION = re.compile(
    r"^[ \t\u3000>*#\u30fb\-]*([Q\uff31](\d{1,3})[ \t\u3000]*[.\uff0e\u3001:\uff1a)]?[ \t\u3000]*)"
    r"([^\n()\uff08\uff09:\uff1a \u3000][^\n()\uff08\uff09:\uff1a]{0,60}?)([ \t\u3000]*)"
    r"([(\uff08])([^\n()\uff08\uff09]{1,30})([)\uff09])[ \t\u3000]*([:\uff1a])", re.MULTILINE)
BARE = re.compile(
    r"^[ \t\u3000>\u30fb\-]*((?:\*\*)?([Q\uff31]?\d{1,3}[.):][ \t]*)?"
    r"([^\n:\uff1a\[\]<>{}|/\uff08\uff09()\"']{1,60}?)"
    r"[ \t]*(?:[(\uff08]([^()\uff08\uff09\n]{1,30})[)\uff09])?(?:\*\*)?[ \t]*[:\uff1a]\*{0,2})[ \t\u3000]*"
    r"(\[[^\]\n]{1,300}\]|<[^>\n]{1,300}>|\{[^}\"\n]{1,300}\}|_{3,}|\.{3}|…+|"
    r"[^\s|/:\n]{1,40}(?: ?[|/] ?[^|/:\s][^|/:\n]{0,39})+)[ \t]*[.。]?[ \t]*$",
    re.MULTILINE)
REASON_WORDS = re.compile(r"理由|根拠|わけ|reason|why|because|explan|justif|begründ|raison|이유|原因", re.IGNORECASE)
ALONE = re.compile(
    r"\bonly\b|\bjust\b|\bsingle\b|\bone (?:number|word|label)\b|nothing (?:else|before|but)|だけ|のみ|一語|ohne|nur\b|만\b", re.IGNORECASE
)
DATA = re.compile(
    r'"""[\s\S]*?"""|<(text|review|document|article|story|passage|input|data|tweet|comment)>[\s\S]*?</\1>|【作品】[\s\S]*?【作品ここまで】'
)
FREE_WORDS = re.compile("text|word|言葉|文")
ASK_PROMPT = Kind()  # this very object: the kind is to be looked for elsewhere in the prompt
HEAD, TAIL = 3_000, 6_000  # characters of a long prompt in which instructions are looked for


@dataclass(frozen=True)
class Question:
    """One question of a form: its name, the two prefixes to answer with, and what its value is to be."""

    number: str
    name: str
    value_prefix: str
    reason_prefix: str
    value_label: str
    kind: Kind


@dataclass(frozen=True)
class Asked:
    """What a prompt asks for: the questions of a form; or a JSON `template`; or one answer of a `kind` with or without a reason."""

    questions: tuple[Question, ...] = ()
    template: Template | None = None
    kind: Kind | None = None
    explained: bool = False
    language: str = "en"
    leaning: int = 0  # of this prompt apart from its system part: what opinions begin with
    attitude: int = 0  # of the system part
    sheets: dict = field(default_factory=dict, compare=False)  # what the rehearsal keeps for the next answer


@lru_cache(maxsize=512)
def asked_of(system: str, ask: str, shots: tuple[str, ...] = ()) -> Asked:
    """What is asked in the last turn, else in the system part; cached, since a study asks the same thousands of times.

    `shots` are the assistant's earlier turns: where no form is named, they show one.
    """
    whole = f"{system}\n{ask}" if system else ask
    ends = whole if len(whole) <= HEAD + TAIL else f"{whole[:HEAD]}\n{whole[-TAIL:]}"
    found = _form(ask, ends) or _form(system, ends) or _template(ends) or _shown(shots, ends) or _single(ends)
    # not dataclasses.replace, which takes longer than all of this
    return Asked(found.questions, found.template, found.kind, found.explained, _language(found, whole), _short(ask), _short(system))


def _short(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _language(found: Asked, whole: str) -> str:
    """The form's own, where it is written in Latin letters; else the prompt's."""
    if found.questions and _latin(tuple(question.value_prefix or question.reason_prefix for question in found.questions)):
        return latin_language(whole)
    return language_of(whole)


@lru_cache(maxsize=512)
def _latin(prefixes: tuple[str, ...]) -> bool:
    return not any(script.search(prefix) for prefix in prefixes for script in (KANA, HAN, HANGUL, CYRILLIC))


def _form(text: str, ends: str) -> Asked | None:
    """The questions of a form `Q1. NAME(LABEL): …`, and of lines `NAME: [a|b]` that stand with them or alone."""
    first = QUESTION.search(text)
    own, places = _block(text[first.start() :]) if first else ((), 0)
    if not own or "|" in text or "<" in text or text.count("[") > places:  # there is more than is found
        lines = _lines(text)
        _bare(text if len(text) <= HEAD + TAIL else text[-TAIL:], lines)
        own = _own(lines)
    questions = tuple([question if question.kind is not ASK_PROMPT else _asking(ends, question, place) for question, place in own])
    return Asked(questions) if questions else None


@lru_cache(maxsize=512)
def _block(text: str) -> tuple[tuple[tuple[Question, str], ...], int]:
    """The questions from a first one on, and how many brackets they account for; cached, since a data set ends its prompts all the same."""
    lines = _lines(text)
    return _own(lines), sum("[" in place for labels in lines.values() for _, _, place in labels)


def _lines(text: str) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """(number, name) → (label, prefix, place) of its lines, two at most."""
    lines: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for match in QUESTION.finditer(text):
        lead, number, name, gap, opening, label, closing, colon = match.groups()
        labels = lines.setdefault((number, name.strip()), [])
        if len(labels) < 2 and not (labels and labels[0][0] == label):
            prefix = f"{lead}{name}{gap}{opening}{label}{closing}{colon}" + ("" if colon == "\uff1a" else " ")
            end = text.find("\n", match.end())
            labels.append((label, prefix, text[match.end() : end if end >= 0 else len(text)]))
    return lines


def _bare(text: str, lines: dict[tuple[str, str], list[tuple[str, str, str]]]) -> None:
    """Add lines such as `Sentiment: [positive|negative]`; a line for a reason goes with the one before."""
    for match in BARE.finditer(text):
        prefix, number, name, label, place = match.groups()
        name, label, number = name.strip(" *"), label or "", (number or "").strip(" .):Q\uff31")
        if QUESTION.match(match[0]) or any(name == known and number in ("", other) for other, known in lines if label == ""):
            continue
        before = next(reversed(lines), None)
        entry = (label, prefix.strip() + ("" if prefix.endswith("\uff1a") else " "), place)
        explains = REASON_WORDS.search(f"{name} {label}") and before and len(lines[before]) == 1
        if explains and (REASON_WORDS.search(name) or before == (number, name)):
            lines[before].append((label or name, *entry[1:]))
        else:
            lines.setdefault((number, name), []).append(entry)


def _own(lines: dict[tuple[str, str], list[tuple[str, str, str]]]) -> tuple[tuple[Question, str], ...]:
    """The questions as their own lines say, each with its value's place."""
    return tuple(_question(number, name, labels) for (number, name), labels in lines.items())


def _question(number: str, name: str, labels: list[tuple[str, str, str]]) -> tuple[Question, str]:
    value, reason = (*labels, ("", "", ""))[:2]
    if REASON_WORDS.search(value[0]) and not REASON_WORDS.search(reason[0]):
        value, reason = reason, value
    label, prefix, place = value
    return Question(number, name, prefix, reason[1], label, _kind(label, place) if prefix else WORDS_KIND), place


def _asking(ends: str, question: Question, place: str) -> Question:
    """A question whose kind is found elsewhere in the prompt."""
    return replace(question, kind=_around(ends, question.name, question.value_label, question.value_prefix, place))


def _kind(label: str, place: str) -> Kind:
    """What a value is to be, as its own place says, else its label; ASK_PROMPT where neither does."""
    kind = kind_in(place)
    if kind and not (kind.text and (NUMBER_WORDS.search(place) or NUMBER_WORDS.search(label))):
        return kind
    return (kind_in(label) if re.search(r"[\d/|]", label.translate(FOLD)) else None) or ASK_PROMPT


def _around(ends: str, name: str, label: str, prefix: str, place: str) -> Kind:
    """What a value is to be, as a line about its name says, else the prompt as a whole; at last 0 to 100."""
    for line in ends.split("\n"):
        if name in line and prefix.strip() not in line and (kind := scale_in(line) or choices_in(line)):
            return kind
    if NUMBER_WORDS.search(place) or NUMBER_WORDS.search(label):
        return scale_in(ends) or Kind()
    free = not label or FREE_WORDS.search(label)
    return choices_in(ends) or scale_in(ends, ranked=True) or (WORDS_KIND if free else Kind())


def _template(ends: str) -> Asked | None:
    template = template_in(ends)
    return Asked(template=template) if template else None


def _shown(shots: tuple[str, ...], ends: str) -> Asked | None:
    """The form that earlier answers show: short ones are the choices, numbers lie on the prompt's scale."""
    if not shots:
        return None
    if shot := next((shot for shot in reversed(shots) if QUESTION.search(shot)), None):
        return _form(shot, ends)
    if template := template_in(f"JSON {shots[-1]}"):
        return Asked(template=template)
    short = tuple(dict.fromkeys(shot.strip() for shot in shots))
    if not all(0 < len(shot) <= 40 for shot in short):
        return None
    if all(re.fullmatch(r"[-+]?\d+(?:\.\d+)?", shot) for shot in short):
        return Asked(kind=scale_in(ends) or Kind(min(map(float, short)), max(map(float, short))))
    return Asked(kind=choices_in(ends) or Kind(choices=short))


def _single(ends: str) -> Asked:
    """One answer to the whole prompt: one of the choices or a number on the scale that its instructions name."""
    words = DATA.sub(" ", ends)
    kind = choices_in(words) or scale_in(words, ranked=True)
    return Asked(kind=kind, explained=bool(kind and REASON_WORDS.search(words) and not ALONE.search(words)))

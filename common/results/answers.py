"""Finds the numbers and reasons of an experiment's questions in a model's answer, in the forms that models really use.

An answer is read twice at most: first against the very format that was asked for (one match, nearly free), and only
if that fails by the tolerant reader, which looks for *heads* (`Q1. 面白さ(数値):`, `「面白さ」:`, `Anger level:` …) and
then judges what stands behind each. The rule throughout: rather no number than a wrong one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from common.nouns import Question
from common.results.patterns import ALONE, LIST, NUMBER, PLACEHOLDER, any_of, asked_format, by_name, fold, heads


class Checked(NamedTuple):
    """What was found, one entry per question: `status` is "success" (all there, no problem), "partial" or "failed".

    A value is None when it is absent, unreadable or out of range; a reason or a pattern that is absent is "".
    """

    status: str
    values: tuple[float | None, ...]
    reasons: tuple[str, ...]
    patterns: tuple[str, ...]
    problems: tuple[str, ...]


class _Hit(NamedTuple):
    """One head in the text: which question, "reason" or the form of a value, and where its content begins."""

    question: int
    form: str
    start: int
    end: int
    number: float | None = None
    raw: str = ""


class _Found(NamedTuple):
    """A value with its reason behind it, as far as they stand together."""

    form: str
    number: float | None
    raw: str


_as_float = lru_cache(4096)(float)  # most answers give the same hundred numbers
_EDGE = " \t\r\n\u3000*`_#"


class Checker:
    """Checks answers to one fixed list of questions; build it once, call `check` for each answer."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        self._asked = asked_format(self.questions)
        self._all_asked = ("asked",) * len(self.questions)
        # what is within all ranges at once needs no look at each
        self._low, self._high = max((q.minimum for q in questions), default=0.0), min((q.maximum for q in questions), default=0.0)
        self._names = by_name(self.questions)
        self._starts = re.compile(rf"\n|{any_of(q.id for q in self.questions)}")
        self._head, self._follow = heads(self.questions)
        self._label = re.compile(rf"[(]?[ ]*+(?:{any_of(q.reason_label for q in self.questions)})[ ]*+[)]?[ ]*+:?[ ]*+")
        self._blank = self._search("")  # of rows without an answer, which a run that waits is full of

    def check(self, text: str) -> Checked:
        """The values and reasons in `text`; never raises, whatever a model has written."""
        if not text:
            return self._blank
        match = self._asked(text)
        if match:
            found = match.groups()
            values = tuple(map(_as_float, found[::2]))
            if (self._low <= min(values) and max(values) <= self._high) or all(map(_within, self.questions, values)):
                return Checked("success", values, found[1::2], self._all_asked, ())
        return self._search(text)

    def _search(self, text: str) -> Checked:
        text = unicodedata.normalize("NFC", _without_thinking(text))
        folded = fold(text)
        values: list[list[_Found]] = [[] for _ in self.questions]
        reasons: list[str] = [""] * len(self.questions)
        behind: list[list[slice]] = [[] for _ in self.questions]  # where a reason may stand without its label
        hits = self._hits(folded)
        problems = [hit.raw for hit in hits if hit.question < 0]
        hits = [hit for hit in hits if hit.question >= 0]
        for hit, following in zip(hits, [*(h.start for h in hits[1:]), len(text)]):
            n = hit.question
            if hit.form != "reason":
                values[n].append(_Found(hit.form, hit.number, hit.raw))
                if hit.number is not None:
                    behind[n].append(slice(hit.end, following))
                continue
            if PLACEHOLDER.fullmatch(folded[hit.end : following].strip(_EDGE)):
                # The format echoed back: the number above such a reason is an example, if another one follows.
                if values[n] and values[n][-1].number is not None:
                    values[n][-1] = values[n][-1]._replace(raw="")
            else:
                reasons[n] = reasons[n] or text[hit.end : following].strip(_EDGE)
        for n, places in enumerate(behind):
            loose = (self._loose_reason(text[place], folded[place]) for place in places)
            reasons[n] = reasons[n] or next(filter(None, loose), "")
        return self._judge(values, reasons, problems)

    def _hits(self, folded: str) -> list[_Hit]:
        """All heads in order. They can only begin a line, stand at an id, or follow a value: only there we look."""
        hits: list[_Hit] = []
        end = 0
        for start in (0, *(m.end() if m[0] == "\n" else m.start() for m in self._starts.finditer(folded))):
            match = self._head.match(folded, start) if start >= end else None
            while match:
                hit = self._hit(match, folded, hits[-1].question if hits else -1)
                if hit:
                    hits.append(hit)
                end = hit.end if hit else match.end()
                match = self._follow.match(folded, end)
        return hits

    def _hit(self, match: re.Match[str], folded: str, current: int) -> _Hit | None:
        if match["bare"]:
            return _Hit(current, "reason", match.start(), match.end()) if current >= 0 else None
        name, given = match["name"], match["i"] or match["j"] or match["k"] or ""
        candidates = self._names[name]
        number = candidates.get(given) if given else next(iter(candidates.values())) if len(candidates) == 1 else None
        if number is None:
            raw = f"{given.upper() or 'no id'} with {match['name']}: not a question of this experiment"
            return _Hit(-1, "", match.start(), match.end(), None, raw)
        if match["reason"]:
            return _Hit(number, "reason", match.start(), match.end())
        return _value(match, folded, number, self.questions[number])

    def _loose_reason(self, text: str, folded: str) -> str:
        begin = len(folded) - len(folded.removeprefix("です").lstrip(" \n-。、,.:;|"))
        label = self._label.match(folded, begin)
        begin = label.end() if label else begin
        reason = text[begin:].split("\n\n", 1)[0].strip(_EDGE)
        if folded[:begin].count("(") or reason[:1] in "(（":
            reason = reason.strip("()（）")
        return reason if any(c.isalpha() for c in reason) else ""

    def _judge(self, found: list[list[_Found]], reasons: list[str], problems: list[str]) -> Checked:
        values, patterns = [], []
        for question, candidates, reason in zip(self.questions, found, reasons):
            value, pattern, troubles = _choose(question, candidates)
            values.append(value)
            patterns.append(pattern)
            problems += [f"{question.id} {question.name}: {trouble}" for trouble in troubles]
            if not reason:
                problems.append(f"{question.id} {question.name}: no reason found")
        anything = any(v is not None for v in values) or any(reasons)
        status = "failed" if not anything else "partial" if problems else "success"
        return Checked(status, tuple(values), tuple(reasons), tuple(patterns), tuple(problems))


def _within(question: Question, number: float) -> bool:
    return question.minimum <= number <= question.maximum


def _value(match: re.Match[str], folded: str, number: int, question: Question) -> _Hit:
    """The head of a value together with what stands behind it, readable or not."""
    form = "quoted" if match["open"] and match["open"] in '「『"' else "bracketed" if match["open"] else match.lastgroup
    form = form or "plain"
    at = match.end()
    value = None if LIST.match(folded, at) else NUMBER.match(folded, at) or ALONE.match(folded, at)
    scale = value and (value["of"] and float(value["of"]) != question.maximum or value["percent"] and question.maximum != 100)
    if value and not scale:
        return _Hit(number, form, match.start(), value.end(), float(value["n"]), value["n"])
    rest = folded[at:].partition("\n")[0].strip()
    placeholder = PLACEHOLDER.fullmatch(rest) or rest.strip(" 。") in (f"{question.minimum:g}-{question.maximum:g}", "数値")
    return _Hit(number, form, match.start(), at, None, "" if placeholder else rest[:40])


def _choose(question: Question, candidates: list[_Found]) -> tuple[float | None, str, list[str]]:
    """One value out of all that were given for a question: the first that is no echo. With pattern and troubles."""
    if len(candidates) == 1 and candidates[0].number is not None and _within(question, candidates[0].number):
        return candidates[0].number, candidates[0].form, []
    numbers = [c for c in candidates if c.number is not None]
    numbers = [c for c in numbers if c.raw] or numbers
    troubles = [f"“{c.raw}” is not one number" for c in candidates if c.number is None and c.raw]
    if not numbers:
        return None, "", troubles or ["no value found"]
    first = numbers[0]
    others = {c.number for c in numbers} - {first.number}
    if others:
        told = ", ".join(f"{n:g}" for n in sorted(others)[:5])
        troubles.append(f"{first.number:g} was taken, but {told} was given too")
    if not _within(question, first.number):
        return None, "", [f"{first.number:g} is outside {question.minimum:g}–{question.maximum:g}", *troubles]
    return first.number, first.form, troubles


def _without_thinking(text: str) -> str:
    """Some open models write their drafts into the answer, between think tags; a draft is not an answer."""
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return "" if text.lstrip().startswith("<think>") else text

"""Finds the values and reasons of an experiment's questions in a model's answer, in the forms that models really use.

An answer is read twice at most: first against the very format that was asked for (one match, nearly free), and only
if that fails by the tolerant reader, which looks for *heads* (`Q1. 面白さ(数値):`, `「面白さ」:`, `Anger level:` …) and
then judges what stands behind each. The rule throughout: rather no value than a wrong one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from common.nouns import Question
from common.results.checked import NO_REASON, Checked, Trouble, Value, judged
from common.results.chosen import NUMBERS, FoundValue, choose, within
from common.results.numbers import is_echo, number_at
from common.results.patterns import PLACEHOLDER, any_of, asked_format, by_name, fold, heads
from common.results.typed import EDGE, NOT_ONE, reader

__all__ = ["Checked", "Checker"]


class _Hit(NamedTuple):
    """One head in the text: which question, "reason" or the form of a value, and where its content begins.

    `number` and `raw` are those of numbers, which are read with their heads; `begin`: where content of other types begins.
    """

    question: int
    form: str
    start: int
    end: int
    number: float | None = None
    raw: str = ""
    begin: int = -1


_as_float = lru_cache(4096)(float)  # most answers give the same hundred numbers


class Checker:
    """Checks answers to one fixed list of questions; build it once, call `check` for each answer."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        self._asked = asked_format(self.questions)
        self._all_asked = ("asked",) * len(self.questions)
        self._plain = all(q.type == "number" and q.reason == "yes" for q in questions)
        self._is_number = [q.type in NUMBERS for q in self.questions]
        self._readers = [reader(q) for q in self.questions]
        self._as_asked = [_as_asked(q, r.whole) for q, r in zip(self.questions, self._readers)]
        # what is within all ranges at once needs no look at each
        self._low, self._high = max((q.minimum for q in questions), default=0.0), min((q.maximum for q in questions), default=0.0)
        self._names = by_name(self.questions)
        self._starts = re.compile(rf"\n|{any_of(q.id for q in self.questions)}")
        self._head, self._follow = heads(self.questions)
        self._label = re.compile(rf"[(]?[ ]*+(?:{any_of(q.reason_label for q in self.questions)})[ ]*+[)]?[ ]*+:?[ ]*+")
        self._may_be_bare = len(self.questions) == 1 and self.questions[0].reason != "yes"
        self._only_json = self._may_be_bare and self.questions[0].type == "json"
        self._blank = self._search("")  # of rows without an answer, which a run that waits is full of

    def check(self, text: str) -> Checked:
        """The values and reasons in `text`; never raises, whatever a model has written."""
        if not text:
            return self._blank
        match = self._asked(text)
        if match:
            found = match.groups()
            if not self._plain:
                return self._typed(found) or self._search(text)
            values = tuple(map(_as_float, found[::2]))
            if (self._low <= min(values) and max(values) <= self._high) or all(map(within, self.questions, values)):
                return Checked("success", values, found[1::2], self._all_asked, ())
        return self._search(text)

    def _typed(self, found: Sequence[str | None]) -> Checked | None:
        """An answer in exactly the form that was asked for, if each value is what its question wants."""
        left, values, reasons = iter(found), [], []
        for question, take in zip(self.questions, self._as_asked):
            value = take(next(left))
            if value is None:
                return None
            values.append(value)
            reasons.append("" if question.reason == "no" else next(left) or "")
        return Checked("success", tuple(values), tuple(reasons), self._all_asked, ())

    def _search(self, text: str) -> Checked:
        text = unicodedata.normalize("NFC", without_thinking(text))
        folded = fold(text)
        if self._only_json and self._readers[0].whole(text) is not None:  # a string in it may look like a head
            return self._bare(text, folded)
        hits = self._hits(text, folded)
        if not hits and self._may_be_bare:
            return self._bare(text, folded)
        problems = [Trouble(hit.raw, "not a question of this experiment") for hit in hits if hit.question < 0]
        values, reasons = self._contents(text, folded, [hit for hit in hits if hit.question >= 0])
        return self._judge(values, reasons, problems)

    def _contents(self, text: str, folded: str, hits: list[_Hit]) -> tuple[list[list[FoundValue]], list[str]]:
        """What stands behind the heads: for each question all its values, and its reason."""
        values: list[list[FoundValue]] = [[] for _ in self.questions]
        reasons = [""] * len(self.questions)
        behind: list[list[slice]] = [[] for _ in self.questions]  # where a reason may stand without its label
        for hit, following in zip(hits, [*(h.start for h in hits[1:]), len(text)]):
            n = hit.question
            if hit.form != "reason" or hit.begin >= 0:
                value, end = self._value(hit, text, folded, following)
                values[n].append(value)
                if value.value is not None:
                    behind[n].append(slice(end, following))
            elif not PLACEHOLDER.fullmatch(folded[hit.end : following].strip(EDGE)):
                reasons[n] = reasons[n] or text[hit.end : following].strip(EDGE)
            elif values[n] and values[n][-1].value is not None:
                # The format echoed back: the number above such a reason is an example, if another one follows.
                values[n][-1] = values[n][-1]._replace(raw="")
        for n, places in enumerate(behind):
            if not reasons[n]:
                loose = (self._loose_reason(text[place], folded[place]) for place in places)
                reasons[n] = next(filter(None, loose), "")
        return values, reasons

    def _value(self, hit: _Hit, text: str, folded: str, following: int) -> tuple[FoundValue, int]:
        """The value behind a head, and where it ends."""
        if hit.begin < 0:
            return FoundValue(hit.form, hit.number, hit.raw), hit.end
        place = slice(hit.begin, following)
        read = self._readers[hit.question].read(text[place], folded[place])
        return FoundValue(hit.form, read.value, read.raw, read.why), hit.begin + read.end

    def _bare(self, text: str, folded: str) -> Checked:
        """An answer without a head to the only question: nothing but the value, or its reason on the lines below."""
        question, read = self.questions[0], self._readers[0]
        text, reason = text.strip(), ""
        value = read.whole(text)
        if value is None and question.reason == "optional":
            first, _, rest = text.partition("\n")
            value = read.whole(first)
            reason = self._loose_reason(rest, fold(rest)) if value is not None else ""
        raw = text if text and len(text) <= 60 and not PLACEHOLDER.fullmatch(folded.strip(EDGE)) else ""
        found = [FoundValue("bare", value, raw, NOT_ONE.get(question.type, ""))]
        return self._judge([found], [reason], [])

    def _hits(self, text: str, folded: str) -> list[_Hit]:
        """All heads in order. They can only begin a line, stand at an id, or follow a value: only there we look."""
        hits: list[_Hit] = []
        end = 0
        for start in (0, *(m.end() if m[0] == "\n" else m.start() for m in self._starts.finditer(folded))):
            match = self._head.match(folded, start) if start >= end else None
            while match:
                hit = self._hit(match, text, folded, hits[-1].question if hits else -1)
                if hit:
                    hits.append(hit)
                end = hit.end if hit else match.end()
                match = self._follow.match(folded, end)
        return hits

    def _hit(self, match: re.Match[str], text: str, folded: str, current: int) -> _Hit | None:
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
        if self._is_number[number]:
            return _number(match, folded, number, self.questions[number])
        end = self._readers[number].skip(text, folded, match.end())
        return _Hit(number, _form(match), match.start(), end, begin=match.end())

    def _loose_reason(self, text: str, folded: str) -> str:
        begin = len(folded) - len(folded.removeprefix("です").lstrip(" \n-。、,.:;|"))
        label = self._label.match(folded, begin)
        begin = label.end() if label else begin
        reason = text[begin:].split("\n\n", 1)[0].strip(EDGE)
        if folded[:begin].count("(") or reason[:1] in "(（":
            reason = reason.strip("()（）")
        return reason if any(c.isalpha() for c in reason) else ""

    def _judge(self, found: list[list[FoundValue]], reasons: list[str], problems: list[str]) -> Checked:
        values, patterns = [], []
        for n, (question, candidates) in enumerate(zip(self.questions, found)):
            value, pattern, troubles = choose(question, candidates)
            values.append(value)
            patterns.append(pattern)
            if troubles:
                problems += [trouble.of(question) for trouble in troubles]
            if question.reason == "no":
                reasons[n] = ""
            elif not reasons[n] and question.reason == "yes":
                problems.append(Trouble(NO_REASON).of(question))
        return judged(values, reasons, patterns, problems)


def _as_asked(question: Question, whole: Callable[[str], Value]) -> Callable[[str], Value]:
    """What makes a value of what stands in a value's place in the format that was asked for; None where it is none."""
    if question.type not in NUMBERS:
        return whole
    kind = int if question.type == "integer" else float

    def number(digits: str) -> Value:
        value = kind(digits)
        return value if within(question, value) else None

    return lru_cache(4096)(number)


def _form(match: re.Match[str]) -> str:
    form = "quoted" if match["open"] and match["open"] in '「『"' else "bracketed" if match["open"] else match.lastgroup
    return form or "plain"


def _number(match: re.Match[str], folded: str, number: int, question: Question) -> _Hit:
    """The head of a number together with what stands behind it, readable or not."""
    at = match.end()
    found = number_at(folded, at, question)
    if found and found.value is not None:
        return _Hit(number, _form(match), match.start(), found.end, found.value, found.raw)
    rest = folded[at:].partition("\n")[0].strip()
    placeholder = PLACEHOLDER.fullmatch(rest) or is_echo(rest, question)
    return _Hit(number, _form(match), match.start(), at, None, "" if placeholder else rest[:40])


def without_thinking(text: str) -> str:
    """Some open models write their drafts into the answer, between think tags; a draft is not an answer."""
    if "</think>" in text:
        return text.rpartition("</think>")[2]
    return "" if text.lstrip().startswith("<think>") else text

"""How a value of each type is read in the text form: what stands behind a head, and an answer that is nothing but a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from common.experiment.choices import Spellings, light
from common.experiment.questions import JOIN
from common.experiment.schema import validator
from common.nouns import Question
from common.results.checked import Value
from common.results.loose_json import BROKEN, Odd, dumped, value_at
from common.results.numbers import whole_number
from common.results.patterns import BEHIND, CLOSE, DENIED, HEDGED, NONE, OPEN, PLACEHOLDER, YES_NO, any_of, fold

EDGE = " \t\r\n\u3000*`_#"
SEVERAL, INVALID = "several choices", "not valid by its schema"
NOT_ONE = {
    "number": "not one number", "integer": "not a whole number", "choice": "not one of the choices",
    "choices": "not a list of the choices", "yes_no": "not yes or no", "json": BROKEN,
}  # fmt: skip


class Read(NamedTuple):
    """What was read: the value and where it ends, or None with how it was written ("" for a placeholder) and why not."""

    value: Value
    end: int
    raw: str = ""
    why: str = ""


class ValueReader(Protocol):
    """Reads values of one question."""

    def skip(self, text: str, folded: str, at: int) -> int:
        """Where a value that begins there ends for certain, so that another head may follow it on the same line."""

    def read(self, text: str, folded: str) -> Read:
        """What stands between a head and the next one."""

    def whole(self, text: str) -> Value:
        """The value that a whole text is, None if it is none."""


def reader(question: Question) -> ValueReader:
    """What reads the values of a question's type."""
    kinds = {"choice": Choice, "yes_no": Choice, "choices": Choices, "text": Text, "json": Json}
    return kinds.get(question.type, Number)(question)


class Number:
    """A number; those behind a head are read by `number_at`."""

    def __init__(self, question: Question) -> None:
        self._question = question

    def whole(self, text: str) -> Value:
        found = whole_number(fold(text), self._question)
        return found.value if found else None


def _is_placeholder(folded: str) -> bool:
    return PLACEHOLDER.fullmatch(folded.strip(EDGE)) is not None


def _short(text: str) -> str:
    return text.strip(EDGE).partition("\n")[0][:40]


class Choice:
    """One of the choices, or yes or no, alone on its line or before a reason; two, or one taken back, is none."""

    def __init__(self, question: Question) -> None:
        self.spellings = Spellings(question.choices or YES_NO)
        self.find = lru_cache(4096)(self.spellings.find)
        self._begin = re.compile(f"{OPEN}(?P<word>{any_of(self.spellings.canonical)}){CLOSE}{BEHIND}")
        self._longest = 100 + 4 * max(map(len, self.spellings.canonical))
        self._takes_back = HEDGED if question.type == "yes_no" else DENIED
        self._glued = self.spellings.kept - {*"、,;:(.。!-"}  # C# is not C
        self._why = NOT_ONE[question.type]

    def skip(self, text: str, folded: str, at: int) -> int:
        match = self._begin.match(folded, at)
        return match.end() if match else at

    def whole(self, text: str) -> Value:
        return self.find(text) if len(text) <= self._longest else None

    def read(self, text: str, folded: str) -> Read:
        value = self.whole(text)
        if value is not None:
            return Read(value, len(text), text)
        begin = len(text) - len(text.lstrip())
        end = text.find("\n", begin)
        line = text[begin : end if end >= 0 else len(text)]
        value = self.whole(line)
        if value is None:
            return self._before_a_reason(line, folded[begin : begin + len(line)], begin)
        others = {self.whole(other) for other in text[begin + len(line) :].splitlines()}
        if others - {None, value}:
            return Read(None, 0, _short(text), SEVERAL)
        return Read(value, begin + len(line), line)

    def _before_a_reason(self, line: str, folded: str, begin: int) -> Read:
        match = self._begin.match(folded)
        value = self.whole(line[: match.end()]) if match else None
        named = self.spellings.named(line)
        alone = match and line[match.end() : match.end() + 1] not in self._glued and not self._takes_back.match(folded, match.end())
        if value is not None and alone and {*named} <= {value}:
            return Read(value, begin + match.end(), match["word"])
        if _is_placeholder(folded) or self._lists_all(line, named):
            return Read(None, 0)
        return Read(None, 0, _short(line), SEVERAL if len(named) > 1 else self._why)

    def _lists_all(self, line: str, named: Sequence[str]) -> bool:
        """Whether the choices that were asked for are repeated: a / b / c."""
        if len(named) < len({*self.spellings.canonical.values()}):
            return False
        return not any(c.isalnum() for c in self.spellings.without(line))


class Choices:
    """Any number of the choices: in one line with commas, or one a line."""

    def __init__(self, question: Question) -> None:
        self._spellings = Spellings(question.choices)
        self._order = [name for name, _ in question.choices]
        self._none = {light(word) for word in NONE} - self._spellings.canonical.keys()

    def skip(self, text: str, folded: str, at: int) -> int:
        return at

    def whole(self, text: str) -> Value:
        found = self._taken(text)
        return self.joined(found) if found is not None else None

    def joined(self, names: Sequence[str]) -> str:
        """Choices as a cell of the results, in the order of the experiment."""
        return JOIN.join(name for name in self._order if name in names)

    def find(self, word: str) -> str | None:
        """The choice that a word is."""
        return self._spellings.find(word)

    def read(self, text: str, folded: str) -> Read:
        found, end, at = None, 0, 0
        for line in text.splitlines(keepends=True):
            at += len(line)
            taken = self._taken(line) if line.strip(EDGE + "-") else None
            if taken is not None:
                found, end = [*(found or ()), *taken], at
            elif found is not None or line.strip(EDGE + "-"):
                break
        if found is not None:
            return Read(self.joined(found), end, _short(text))
        return Read(None, 0, "" if _is_placeholder(folded) else _short(text), NOT_ONE["choices"])

    def _taken(self, line: str) -> list[str] | None:
        """The choices of a line that holds nothing else, with something between them."""
        if light(line).strip(" .。*`") in self._none:
            return []
        one = self._spellings.find(line)
        return [one] if one is not None else self._spellings.listed(line)


class Text:
    """Any text, up to the next head."""

    def __init__(self, question: Question) -> None:
        pass

    def skip(self, text: str, folded: str, at: int) -> int:
        return at

    def whole(self, text: str) -> Value:
        return text.strip() or None

    def read(self, text: str, folded: str) -> Read:
        if _is_placeholder(folded):
            return Read(None, 0)
        return Read(text.strip(EDGE), len(text), _short(text))


class Json:
    """The first JSON object (or list, where the schema wants one) behind a head, fenced or not."""

    def __init__(self, question: Question) -> None:
        check = _valid(question.schema)
        self._valid = check
        opener = r"\[" if '"type":"array"' in question.schema and check([]) else r"\{"
        self._open = re.compile(rf"[^\n{opener}]{{0,200}}+(?:\s|json\b)*+(?={opener})")

    def skip(self, text: str, folded: str, at: int) -> int:
        match = self._open.match(folded, at)
        try:
            return value_at(text, match.end())[1] if match else at
        except ValueError:
            return at

    def read(self, text: str, folded: str) -> Read:
        match = self._open.match(folded)
        if not match:
            return Read(None, 0, "" if _is_placeholder(folded) else _short(text), BROKEN)
        try:
            value, end = value_at(text, match.end())
        except Odd as error:
            return Read(None, 0, _short(text[match.end() :]), str(error))
        except ValueError:
            return Read(None, 0, "" if _is_placeholder(folded) else _short(text[match.end() :]), BROKEN)
        return self.judge(value, end)

    def judge(self, value: object, end: int = 0) -> Read:
        """A value as JSON text, if its schema takes it."""
        raw = dumped(value)
        return Read(raw, end, raw) if self._valid(value) else Read(None, 0, raw[:40], INVALID)

    def whole(self, text: str) -> Value:
        text = text.strip()
        read = self.read(text, fold(text))
        return read.value if not text[read.end :].strip(" `\n") else None


def _valid(schema: str) -> Callable[[object], bool]:
    if not schema:
        return lambda value: True
    is_valid = validator(schema).is_valid

    def valid(value: object) -> bool:
        try:
            return is_valid(value)
        except ValueError:  # deeper or larger than it goes
            return False

    return valid

"""Answers in the form "json": one object with a key for each question, found in prose if need be, each value by its type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from common.nouns import Question
from common.results.checked import NO_REASON, NO_VALUE, Checked, Trouble, Value, judged, outside
from common.results.loose_json import dumped, objects_in, value_at
from common.results.numbers import whole_number
from common.results.patterns import fold
from common.results.typed import NOT_ONE, SEVERAL, Choice, Choices, Json, reader

# What was found for a question: its value, whether it stood in quotes though it is none of text, and what is wrong.
_Taken = tuple[Value, bool, Trouble | None]
_NOTHING = (None, False, Trouble(NO_VALUE))
NO_OBJECT, TWO = "no JSON object", "two JSON objects"
ALONE, IN_PROSE, QUOTED = "json", "json_in_prose", "quoted"


class JsonChecker:
    """Checks answers to one fixed list of questions; build it once, call `check` for each answer."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        self._ids = {q.id for q in questions}
        self._takers = [(q, q.id, f"{q.id}_reason", _TAKERS[q.type](q)) for q in self.questions]
        self._clean = {name: (name,) * len(self.questions) for name in (ALONE, IN_PROSE)}
        self._blank = self._without(NO_OBJECT)

    def check(self, text: str) -> Checked:
        """The values and reasons in `text`; never raises, whatever a model has written."""
        if not text:
            return self._blank
        try:
            found, end = value_at(text, 0) if text[0] == "{" else (None, 0)
        except ValueError:
            found, end = None, 0
        if found is not None and (end == len(text) or text[end:].isspace()):
            return self._read(found, ALONE)
        return self._search(text)

    def _search(self, text: str) -> Checked:
        """An object somewhere in an answer; two different ones are a problem, and those of drafts do not count."""
        if "</think>" in text:
            text = text.rpartition("</think>")[2]
        found, why, alone = objects_in(text, lambda value: not self._ids.isdisjoint(value))
        if len(found) == 1:
            return self._read(found[0], ALONE if alone else IN_PROSE)
        return self._without(TWO if found else why or NO_OBJECT)

    def _without(self, why: str) -> Checked:
        nothing = ("",) * len(self.questions)
        return judged((None,) * len(self.questions), nothing, nothing, [Trouble(why)])

    def _read(self, found: dict, form: str) -> Checked:
        values, reasons, problems, patterns = [], [], [], self._clean[form]
        for n, (question, key, reason_key, take) in enumerate(self._takers):
            given = found.get(key)
            value, quoted, trouble = _NOTHING if given is None else take(given)
            values.append(value)
            if quoted or trouble:
                patterns = (*patterns[:n], QUOTED if quoted else "", *patterns[n + 1 :])
            if trouble:
                problems.append(trouble.of(question))
            reason = "" if question.reason == "no" else found.get(reason_key) or ""
            reasons.append(reason.strip() if isinstance(reason, str) else "")
            if not reasons[-1] and question.reason == "yes":
                problems.append(Trouble(NO_REASON).of(question))
        return judged(values, reasons, patterns, problems)


def _not(question: Question, given: object) -> _Taken:
    why = NOT_ONE.get(question.type, "not a text")
    return None, False, Trouble(f"“{(given if isinstance(given, str) else dumped(given))[:40]}” is {why}", why)


def _number(question: Question) -> Callable[[object], _Taken]:
    """A number, or one in quotes that can be meant in one way only; a whole one may be written 5.0."""
    kind, low, high = int if question.type == "integer" else float, question.minimum, question.maximum

    def take(given: object) -> _Taken:
        number, quoted = given, isinstance(given, str)
        if quoted:
            found = whole_number(fold(given), question)
            number = found.value if found else None
        if type(number) not in (int, float):  # True is a number to Python
            return _not(question, given)
        if not low <= number <= high:
            return None, False, outside(question, number if abs(number) < 1e300 else float("inf"))
        value = kind(number)
        return (value, quoted, None) if value == number else _not(question, given)

    return take


def _choice(question: Question) -> Callable[[object], _Taken]:
    """One of the choices by any of its spellings; yes_no also as true or false."""
    choices = Choice(question)

    def take(given: object) -> _Taken:
        if question.type == "yes_no" and isinstance(given, bool):
            return ("yes" if given else "no"), False, None
        word = str(given) if type(given) is int else given
        value = choices.whole(word) if isinstance(word, str) else None
        return (value, question.type == "yes_no", None) if value is not None else _not_a_choice(choices, given)

    def _not_a_choice(choices: Choice, given: object) -> _Taken:
        if isinstance(given, str) and len(choices.spellings.named(given)) > 1:
            return None, False, Trouble(f"“{given[:40]}” is {SEVERAL}", SEVERAL)
        return _not(question, given)

    return take


def _choices(question: Question) -> Callable[[object], _Taken]:
    """A list of choices, also as one text."""
    choices = Choices(question)

    def take(given: object) -> _Taken:
        if isinstance(given, str):
            value = choices.whole(given)
            return (value, True, None) if value is not None else _not(question, given)
        if not isinstance(given, list):
            return _not(question, given)
        names = [choices.find(word) if isinstance(word, str) else None for word in given]
        return (choices.joined(names), False, None) if None not in names else _not(question, given)

    return take


def _text(question: Question) -> Callable[[object], _Taken]:
    def take(given: object) -> _Taken:
        if isinstance(given, (dict, list, bool)):
            return _not(question, given)
        text = given if isinstance(given, str) else dumped(given)
        return (text, False, None) if text.strip() else _NOTHING

    return take


def _json(question: Question) -> Callable[[object], _Taken]:
    """A value as its schema wants it."""
    read: Json = reader(question)

    def take(given: object) -> _Taken:
        found = read.judge(given)
        if found.value is not None:
            return found.value, False, None
        return None, False, Trouble(f"“{found.raw}” is {found.why}", found.why)

    return take


_TAKERS = {
    "number": _number, "integer": _number, "choice": _choice, "yes_no": _choice, "choices": _choices, "text": _text, "json": _json,
}  # fmt: skip

"""Which value is an answer's, of all that it gives for one question, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from common.nouns import Question
from common.results.checked import NO_VALUE, Trouble, Value, outside
from common.results.typed import NOT_ONE

NUMBERS = ("number", "integer")


class FoundValue(NamedTuple):
    """A value with its reason behind it, as far as they stand together; `why` there is no value: "" is as its type says."""

    form: str
    value: Value
    raw: str
    why: str = ""


def within(question: Question, number: float) -> bool:
    """Whether a number is in a question's range."""
    return question.minimum <= number <= question.maximum


def choose(question: Question, candidates: list[FoundValue]) -> tuple[Value, str, list[Trouble]]:
    """One value out of all that were given for a question: the first that is no echo. With pattern and troubles."""
    is_number = question.type in NUMBERS
    if len(candidates) == 1:
        form, value, _, _ = candidates[0]
        if value is not None and (not is_number or within(question, value)):
            return value, form, []
    given = [c for c in candidates if c.value is not None]
    given = [c for c in given if c.raw] or given
    wrong = [(c.raw, c.why or NOT_ONE[question.type]) for c in candidates if c.value is None and c.raw]
    troubles = [Trouble(f"“{raw}” is {why}", why) for raw, why in wrong]
    if not given:
        return None, "", troubles or [Trouble(NO_VALUE)]
    first = given[0]
    others = dict.fromkeys(c.value for c in given if c.value != first.value)
    if others:
        troubles.append(_also(first.value, sorted(others)[:5]))
        if question.type in ("choice", "choices", "yes_no"):
            return None, "", troubles
    if is_number and not within(question, first.value):
        return None, "", [outside(question, first.value), *troubles]
    return first.value, first.form, troubles


def _also(first: Value, others: Sequence[Value]) -> Trouble:
    kind = "two values given"
    if isinstance(first, str):
        return Trouble(f"“{first[:40]}” and “{str(others[0])[:40]}” were given", kind)
    return Trouble(f"{first:.15g} was taken, but {', '.join(f'{n:.15g}' for n in others)} was given too", kind)

"""What a look at an answer found: values, reasons, patterns, and the problems, each of a kind that can be counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from common.nouns import Question

Value = float | int | str | None
NO_VALUE, NO_REASON = "no value found", "no reason found"


class Checked(NamedTuple):
    """What was found, one entry per question: `status` is "success" (all there, no problem), "partial" or "failed".

    A value is None when it is absent, unreadable or out of range; a reason or a pattern that is absent is "". Choices
    are joined by "; ", yes_no is "yes" or "no", a value of type json is JSON text.
    """

    status: str
    values: tuple[Value, ...]
    reasons: tuple[str, ...]
    patterns: tuple[str, ...]
    problems: tuple[str, ...]


class Trouble(str):
    """A problem as people read it; `kind` is the same without what is this very answer's."""

    kind: str

    def __new__(cls, text: str, kind: str = "") -> Trouble:
        made = super().__new__(cls, text)
        made.kind = kind or str(text)
        return made

    def __reduce__(self) -> tuple:
        return Trouble, (str(self), self.kind)

    def of(self, question: Question) -> Trouble:
        """The same, with the question that it is about."""
        return Trouble(f"{question.id} {question.name}: {self}", self.kind)


def kinds(problems: Iterable[str]) -> set[str]:
    """The kinds of an answer's problems, each once."""
    return {getattr(problem, "kind", problem) for problem in problems}


def outside(question: Question, value: float) -> Trouble:
    """The problem of a number that the question's range does not hold."""
    bounds = f"outside {question.minimum:g}–{question.maximum:g}"
    return Trouble(f"{value:.15g} is {bounds}", f"value {bounds}")


def judged(values: Sequence[Value], reasons: Sequence[str], patterns: Sequence[str], problems: Sequence[str]) -> Checked:
    """The verdict: an answer is clean when what was asked for is there and nothing was odd."""
    anything = any(value is not None for value in values) or any(reasons)
    status = "failed" if not anything else "partial" if problems else "success"
    return Checked(status, tuple(values), tuple(reasons), tuple(patterns), tuple(problems))

"""The questions of an experiment in words: what `{questions}` stands for in a prompt, in the form that answers are read in."""

from __future__ import annotations

from collections.abc import Sequence

from common.nouns import Question


def in_words(questions: Sequence[Question]) -> str:
    """The form of the answer, one line a value or reason; "" without questions."""
    if not questions:
        return ""
    if questions[0].form == "json":
        head, lines = "Answer with one JSON object with these keys:", [line for q in questions for line in _keys(q)]
    else:
        head, lines = "Answer in exactly this form, and nothing else:", [line for q in questions for line in _lines(q)]
    return "\n".join((head, *lines))


def _lines(question: Question) -> list[str]:
    name = f"{question.id}. {question.name}"
    found = [f"{name}({question.value_label}): <{_expected(question)}>"]
    if question.reason != "no":
        found.append(f"{name}({question.reason_label}): <{_why(question)}>")
    return found


def _keys(question: Question) -> list[str]:
    found = [f'"{question.id}": {question.name}, {_expected(question)}']
    if question.reason != "no":
        found.append(f'"{question.id}_reason": {question.reason_label}, {_why(question)}')
    return found


def _why(question: Question) -> str:
    return "why" if question.reason == "yes" else "why, if there is something to say"


def _expected(question: Question) -> str:
    choices, as_json = ", ".join(name for name, _ in question.choices), question.form == "json"
    return {
        "number": f"a number from {question.minimum:g} to {question.maximum:g}",
        "integer": f"a whole number from {question.minimum:g} to {question.maximum:g}",
        "choice": f"one of: {choices}",
        "choices": f"a list of any of: {choices}" if as_json else f"any of: {choices}",
        "yes_no": "true or false" if as_json else "yes or no",
        "text": "a sentence",
        "json": "a JSON object",
    }[question.type]

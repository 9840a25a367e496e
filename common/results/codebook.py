"""The codebook of a table: for each of its columns what it means, its type, and the values that it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from common.experiment.questions import JOIN, Prose, question_columns
from common.nouns import Question
from common.results.tables import Block, Header

HEADER: Header = (("column", str), ("meaning", Prose), ("type", str), ("values", Prose), ("filled", int))
TYPES: dict[type, str] = {str: "text", Prose: "text", int: "whole number", float: "number", bool: "true or false"}
SHOWN, LONGEST = 20, 60  # different values of a column of text that are listed, and characters of one that is
OTHER = "as the experiment's data or factors have it"
# Of the columns that every table has; those of questions are told by the questions. A test holds this against the tables.
MEANINGS = {
    "experiment": "name of the experiment",
    "run": "name of the run",
    "provider": "folder of the script that asked",
    "model": "model, as it was typed",
    "model_id": "model id that the API reported, else the one that was sent",
    "persona": "id of the persona",
    "persona_name": "name of the persona",
    "text": "id of the text that was asked about",
    "text_title": "title of the text",
    "trial": "number of the repetition, from 1",
    "temperature": "temperature as sent; empty: none was sent, or it is not known",
    "custom_id": "id of the request, the same in all tables of its run",
    "outcome": "succeeded, or why there is no clean answer",
    "validation": "whether all that was asked was found: success, partial or failed; empty without questions",
    "problems": "why an answer is not clean",
    "finish_reason": "how the answer ended, in the API's words",
    "attempts": "how often the request was sent",
    "input_tokens": "tokens of the prompt, as the provider counted them",
    "cached_tokens": "those of them that were cached",
    "output_tokens": "tokens of the answer, reasoning included",
    "reasoning_tokens": "those of them that were reasoning",
    "cost_usd": "USD of this answer at batch price; empty: unknown",
    "error_code": "code of the error",
    "error_message": "why there is no clean answer, in the provider's words",
    "created": "when the answer was made or fetched, UTC",
    "batch_id": "batch that the answer came from",
    "taken_from": "run that had asked and paid for the answer before, where it was taken over",
    "simulated": "true: a rehearsal answer of the local batch service, not data",
    "answer": "the answer as received",
}
LONG_MEANINGS = {
    "question": "id of the question",
    "question_name": "name of the question",
    "question_type": "type of the question",
    "field": "field of a JSON value; empty: the value as a whole",
    "value": "the answer to the question, as text; empty: none was found",
    "value_number": "the same as a number, where it is one",
    "reason": "the reason that was given",
    "pattern": "the form in which the value was found",
}


def of_question(question: Question) -> Iterator[tuple[str, str, str]]:
    """(column, meaning, values that it may hold, "" where any) of a question's columns, in their order."""
    told = f"question {question.id} {question.name}"
    names = iter(name for name, _ in question_columns(question))
    yield next(names), f"{told}: its answer ({question.type})", _allowed(question)
    if question.reason != "no":
        yield next(names), f"{told}: the reason given", ""
    yield next(names), f"{told}: the form in which the value was found", ""
    for path, name in zip(question.fields, names):
        yield name, f"{told}: {path} of its JSON value", ""


def _allowed(question: Question) -> str:
    if question.type in ("number", "integer"):
        return f"{question.minimum:g} to {question.maximum:g}"
    listed = " | ".join(name for name, _ in question.choices)
    return {"yes_no": "yes | no", "choices": f"any of {listed}, joined by “{JOIN.strip()}”"}.get(question.type, listed)


class Codebook:
    """Watches the cells of a table on their way to the disk: `rows()` is then its codebook."""

    def __init__(self, header: Header, questions: Iterable[Question], meanings: dict[str, str]) -> None:
        self._header, self._meanings = header, meanings
        self._questions: dict[str, dict[tuple[str, str], None]] = {}
        for question in dict.fromkeys(questions):  # several runs may have one of the same columns, with other ranges
            for column, meaning, values in of_question(question):
                self._questions.setdefault(column, {})[meaning, values] = None
            if (allowed := _allowed(question)) and "value" in meanings:  # of all questions together
                self._questions.setdefault("value", {})[meanings["value"], f"{question.id} {question.name}: {allowed}"] = None
        self._columns = [_Column(kind) for _, kind in header]

    def watching(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Look at blocks of cells and pass them on."""
        for block in blocks:
            for column, cells in zip(self._columns, block):
                column.see(cells)
            yield block

    def rows(self) -> list[tuple[str, str, str, str, int]]:
        """One row per column of the table, under HEADER."""
        return [self._row(name, column) for (name, _), column in zip(self._header, self._columns)]

    def _row(self, name: str, column: _Column) -> tuple[str, str, str, str, int]:
        told = self._questions.get(name, {})
        meaning = " / ".join(dict.fromkeys(meaning for meaning, _ in told)) or self._meanings.get(name, OTHER)
        values = " / ".join(dict.fromkeys(values for _, values in told if values)) or column.values()
        return name, meaning, TYPES[column.kind], values, column.filled


class _Column:
    """What was seen of a column: how many cells hold something, and which values or which range."""

    def __init__(self, kind: type) -> None:
        self.kind, self.filled = kind, 0
        self._seen: set = set()
        self.see: Callable[[Sequence], None] = {Prose: self._count, str: self._texts}.get(kind, self._others)

    def _count(self, cells: Sequence) -> None:
        self.filled += len(cells) - cells.count("") - cells.count(None)

    def _texts(self, cells: Sequence) -> None:
        self._count(cells)
        if len(self._seen) <= SHOWN:
            self._seen |= {cell[: LONGEST + 1] for cell in {*cells} - {"", None}}

    def _others(self, cells: Sequence) -> None:
        there = {*cells} - {None}
        self.filled += len(cells) - cells.count(None)
        if there:
            self._seen = {min(there | self._seen), max(there | self._seen)}

    def values(self) -> str:
        """The values as people read them; "" where there are too many."""
        if self.kind in (int, float):
            return " to ".join(f"{value:.15g}" for value in sorted(self._seen))
        if self.kind is bool:
            return " | ".join("true" if value else "false" for value in sorted(self._seen))
        if len(self._seen) > SHOWN:
            return f"more than {SHOWN}"
        return " | ".join(value if len(value) <= LONGEST else value[:LONGEST] + "…" for value in sorted(self._seen))

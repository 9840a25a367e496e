"""Answers beside the right ones: how many are as in the gold column, and what was taken for what, counted as rows pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from common.nouns import Question
from common.results.checked import Value
from common.results.rows import Row
from common.results.tables import csv_table
from common.results.typed import reader

NAME = "confusion.csv"
MOST = 10_000  # pairs of gold and answer that are told apart, of each question and model; further ones are OTHER
OTHER, SHOWN = "…", 20
_HEADER = (
    ("question", str), ("name", str), ("model", str), ("gold", str), ("answer", str), ("rows", int), ("simulated", bool),
)  # fmt: skip


class _Count:
    """What is counted of one question and one model."""

    def __init__(self) -> None:
        self.pairs: Counter[tuple[str, str, bool]] = Counter()  # (gold, answer or "", simulated)
        self.right = self.compared = self.empty = self.unclear = 0

    def add(self, gold: str, answer: str, simulated: bool) -> None:
        self.compared += 1
        self.right += gold == answer
        pair = (gold, answer, simulated)
        self.pairs[pair if pair in self.pairs or len(self.pairs) < MOST else (OTHER, OTHER, simulated)] += 1

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """(gold, answer, rows) of all that differ, the most frequent first."""
        found: Counter[tuple[str, str]] = Counter()
        for (gold, answer, _), rows in self.pairs.items():
            found[gold, answer] += rows if gold != answer else 0
        return [(*pair, rows) for pair, rows in sorted(found.items(), key=lambda item: (-item[1], item[0])) if rows]


class Gold:
    """Compares the answers to questions that name a gold column. `names`: those of the rows' kept cells, in order.

    A gold cell is read as an answer that is nothing but a value, so that spellings count as the same. Rows without an
    answer are not compared; an answer without a clean value is not as in gold. Memory does not grow with the rows.
    """

    def __init__(self, questions: Sequence[Question], names: Sequence[str]) -> None:
        self._asked = [
            (n, question, names.index(question.gold), lru_cache(4096)(reader(question).whole))
            for n, question in enumerate(questions)
            if question.gold in names
        ]
        self._counts: dict[tuple[int, str], _Count] = {}
        self._questions = questions

    def __bool__(self) -> bool:
        return bool(self._asked)

    def counting(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Rows, counted on their way."""
        return self._counted(rows) if self._asked else rows

    def _counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if row.checked and row.result.text:
                for n, question, at, read in self._asked:
                    self._add(row, n, _shown(question, row.checked.values[n]), row.meta.kept[at], read)
            yield row

    def _add(self, row: Row, n: int, answer: str, cell: str, read: Callable[[str], Value]) -> None:
        count = self._counts.setdefault((n, row.meta.model), _Count())
        if not cell.strip():
            count.empty += 1
        elif gold := _shown(self._questions[n], read(cell)):
            count.add(gold, answer, row.result.simulated)
        else:
            count.unclear += 1

    def facts(self) -> list[dict]:
        """For summary.json: one entry for each question and model, with the most frequent confusions."""
        return [
            {
                "question": self._questions[n].id, "name": self._questions[n].name, "model": model, "compared": count.compared,
                "as_in_gold": count.right, "gold_empty": count.empty, "gold_unclear": count.unclear,
                "confused": [{"gold": gold, "answer": answer, "rows": rows} for gold, answer, rows in count.confused[:SHOWN]],
            }
            for (n, model), count in sorted(self._counts.items())
        ]  # fmt: skip

    def write(self, folder: Path) -> None:
        """Write confusion.csv, whole or not at all; without a gold column there is none. Raises OSError."""
        lines = [
            (self._questions[n].id, self._questions[n].name, model, gold, answer, rows, simulated)
            for (n, model), count in sorted(self._counts.items())
            for (gold, answer, simulated), rows in sorted(count.pairs.items())
        ]
        if lines:
            csv_table(folder / NAME, _HEADER, [[*zip(*lines)]])
        else:
            (folder / NAME).unlink(missing_ok=True)


def _shown(question: Question, value: object) -> str:
    """A value as the table shows it; "" for none, and for a number that the question's range does not hold."""
    if value is None or question.type == "integer" and not question.minimum <= value <= question.maximum:
        return ""
    return str(value)

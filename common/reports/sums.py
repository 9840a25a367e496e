"""What is kept of answers while they pass: sums by all factors, and conditions in which models can be compared. Flat memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from zlib import crc32

from common.nouns import Question
from common.reports.stats import Numbers, Shares
from common.results.checked import Value

LEVELS = 200  # levels of a factor that are told apart; a data set may have a million texts
CELLS = 10_000  # combinations of all factors
CONDITIONS, FEW = 20_000, 4  # models × personas × texts that are compared, of so many questions; of more questions fewer
BINS = 20
_SHORT = 300  # characters of a reason or an answer that are kept to be shown
FOLDED = "\0"  # stands for all levels of a factor that has too many

Levels = tuple[str, ...]


class Measure:
    """A question as it is summed: numbers by their distance from the middle of the range, choices by how often they were given."""

    def __init__(self, n: int, question: Question) -> None:
        self.n, self.question = n, question  # n: its place among the questions
        self.numeric = question.type in ("number", "integer")
        self.middle = (question.minimum + question.maximum) / 2
        self.width = question.maximum - question.minimum
        self.new = Numbers if self.numeric else Shares
        self.bins = int(self.width) + 1 if question.type == "integer" and self.width < BINS else BINS
        self._per = self.bins / (self.width + 1 if self.bins < BINS else self.width)

    def fit(self, value: Value) -> float | str:
        """A value as it is added."""
        return value - self.middle if self.numeric else str(value)[:_SHORT]

    def bin(self, value: float) -> int:
        """Which part of the range a value, as it is added, falls into; of few whole numbers each is its own."""
        at = int((value + self.width / 2) * self._per + 1e-9)
        return at if 0 <= at < self.bins else self.bins - 1 if at > 0 else 0


def measures(questions: Sequence[Question]) -> tuple[Measure, ...]:
    """The questions whose answers can be summed: all but free texts and JSON."""
    return tuple(Measure(n, question) for n, question in enumerate(questions) if question.type not in ("text", "json"))


class Cube:
    """Sums by combination of factors. A factor with more than LEVELS levels, or the largest of too many cells, is folded into one."""

    def __init__(self, names: Sequence[str], of: Sequence[Measure]) -> None:
        self.names, self._of = tuple(names), of
        self.cells: dict[Levels, list] = {}
        self.folded: set[int] = set()
        self._levels: list[set[str]] = [set() for _ in names]

    def add(self, key: Levels, values: Sequence[float | str | None]) -> None:
        """One answer: its level of each factor, and what fits each measure."""
        if self.folded:
            key = self._fold(key)
        cell = self.cells.get(key) or self._new(key)
        for sums, value in zip(cell, values):
            if value is not None:
                sums.add(value)

    def _fold(self, key: Levels) -> Levels:
        for n in self.folded:
            key = (*key[:n], FOLDED, *key[n + 1 :])
        return key

    def _new(self, key: Levels) -> list:
        for levels, level in zip(self._levels, key):
            levels.add(level)
        if (most := max(range(len(key)), key=lambda n: len(self._levels[n]))) not in self.folded and (
            len(self._levels[most]) > LEVELS or len(self.cells) >= CELLS
        ):
            self.folded.add(most)
            self._levels[most] = {FOLDED}
            before, self.cells = self.cells, {}
            for old, cell in before.items():
                for sums, more in zip(self.cells.setdefault(self._fold(old), [measure.new() for measure in self._of]), cell):
                    sums.merge(more)
            return self.cells.get(key := self._fold(key)) or self._new(key)
        return self.cells.setdefault(key, [measure.new() for measure in self._of])

    def by(self, n: int, *names: str) -> dict[Levels, Numbers | Shares]:
        """The sums of the n-th measure by some of the factors, models in the order in which they came, all else by name."""
        places = [self.names.index(name) for name in names]
        found: dict[Levels, Numbers | Shares] = {}
        for key, cell in self.cells.items():
            short = tuple(key[place] for place in places)
            if short not in found:
                found[short] = self._of[n].new()
            found[short].merge(cell[n])
        models = {key[0]: at for at, key in enumerate(reversed(self.cells))} if names[:1] == ("model",) else {}
        return dict(sorted(found.items(), key=lambda item: (-models.get(item[0][0], 0), *map(_natural, item[0][bool(models) :]))))

    def shown(self) -> list[str]:
        """The factors that have more than one level, and none that was folded."""
        return [name for n, name in enumerate(self.names) if n not in self.folded and len(self._levels[n]) > 1]


def _natural(level: str) -> list:
    """How levels are ordered: t2 before t10."""
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]{1,9})", level)]


class Cell:
    """What one model answered in one condition: sums of all its trials, and what the first of them said."""

    __slots__ = ("sums", "reasons", "custom_id")

    def __init__(self, sums: list, reasons: list[str], custom_id: str) -> None:
        self.sums, self.reasons, self.custom_id = sums, reasons, custom_id


class Conditions:
    """Cells by place (text and further factors), and there by persona and model.

    Where there is no room for more (CONDITIONS), a random half of the places is let go, and again: which, follows from their names.
    """

    def __init__(self, of: Sequence[Measure]) -> None:
        self._of = of
        self.places: dict[Levels, dict[tuple[str, str], Cell]] = {}
        self.part = 1  # one in so many places is kept
        self._size, self._most = 0, CONDITIONS * FEW // max(FEW, len(of))

    def add(
        self, place: Levels, who: tuple[str, str], values: Sequence[float | str | None], said: Callable[[], Sequence[str]], custom_id: str
    ) -> None:
        """One answer: where, by which persona and model, its values, and in which words; those of most are not wanted."""
        cells = self.places.get(place)
        if cells is None:
            if self.part > 1 and not self._is_kept(place):
                return
            cells = self.places[place] = {}
        cell = cells.get(who)
        if cell is None:
            cell = cells[who] = Cell([m.new() for m in self._of], [text[:_SHORT] for text in said()], custom_id)
            self._size += 1
            while self._size > self._most and len(self.places) > 1:
                self._halve()
        for sums, value in zip(cell.sums, values):
            if value is not None:
                sums.add(value)

    def _is_kept(self, place: Levels) -> bool:
        return crc32("\n".join(place).encode("utf-8", "replace")) % self.part == 0

    def _halve(self) -> None:
        self.part *= 2
        self.places = {place: cells for place, cells in self.places.items() if self._is_kept(place)}
        self._size = sum(map(len, self.places.values()))

    def __iter__(self) -> Iterator[tuple[Levels, str, dict[str, Cell]]]:
        """Each condition: its place, its persona, and the cells of the models."""
        for place, cells in self.places.items():
            personas: dict[str, dict[str, Cell]] = {}
            for (persona, model), cell in cells.items():
                personas.setdefault(persona, {})[model] = cell
            for persona, models in personas.items():
                yield place, persona, models

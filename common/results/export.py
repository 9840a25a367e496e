"""One table over runs and providers: the columns of all, in an order that stays; wide, or one row per question; with its codebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from common.experiment.questions import Prose, question_columns
from common.nouns import Question, Run, Shard
from common.results.codebook import HEADER, LONG_MEANINGS, MEANINGS, Codebook
from common.results.formats import FORMATS
from common.results.merge import run_rows
from common.results.origin import RunOrigin
from common.results.raw import Decode
from common.results.rows import BLOCK, Row
from common.results.snippets import SNIPPETS
from common.results.tables import Block, Blocks, Header, csv_table, in_blocks
from common.results.tally import Tally

CODEBOOK = "codebook.csv"


class Source(NamedTuple):
    """A run whose rows are exported."""

    run: Run
    shards: Sequence[Shard]
    decode: Decode


class RunTable(NamedTuple):
    """The columns and cells that one run brings."""

    header: Header
    blocks: Blocks


class Exported(NamedTuple):
    """What an export made."""

    table: Path
    tally: Tally  # of all its requests
    rows: int
    copies: int  # rows that were left out: they stand in the table as those of the run that asked


def export(sources: Sequence[Source], folder: Path, form: str, is_long: bool) -> Exported:
    """Write table, codebook and, for CSV, snippets that read them into `folder`, which is made here.

    An answer that several of these runs have stands in the table once, as that of the run that asked, where that is one of them.
    Memory: as that of one run's table. Raises OSError, InputError, and ImportError when a form's library is not there.
    """
    write = FORMATS[form].load_table()
    tally, once = Tally(), _Once(sources)
    header, blocks, questions = _together(sources, once, tally, is_long)
    book = Codebook(header, questions, {**MEANINGS, **LONG_MEANINGS} if is_long else MEANINGS)
    table = folder / f"data{FORMATS[form].ending}"
    folder.mkdir(parents=True)
    try:
        count = write(table, header, book.watching(blocks))
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise
    csv_table(folder / CODEBOOK, HEADER, [list(zip(*book.rows()))])
    for name, text in SNIPPETS.items() if form == "csv" else ():
        (folder / name).write_text(text, encoding="utf-8")
    return Exported(table, tally, count, once.copies)


def together(sources: Sequence[Source], tally: Tally, size: int) -> tuple[Header, Blocks, list[Question]]:
    """The wide table of runs: its columns, its cells in blocks of `size` rows, and all questions; rows are tallied as they pass."""
    return _together(sources, _Once(sources), tally, False, size)


def _together(
    sources: Sequence[Source], once: _Once, tally: Tally, is_long: bool, size: int = BLOCK
) -> tuple[Header, Blocks, list[Question]]:
    origins = [RunOrigin(source.run) for source in sources]
    parts = [_part(origin, once.rows(source), tally, is_long, size) for source, origin in zip(sources, origins)]
    header = union(part.header for part in parts)
    blocks = (block for part in parts for block in fitted(part, header))
    return header, blocks, [question for origin in origins for question in origin.questions]


class _Once:
    """Leaves out rows that were taken over, where the table has them already."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._runs = [source.run for source in sources]
        self._seen: set[int] = set()  # of copies whose original is in none of these runs
        self.copies = 0

    def rows(self, source: Source) -> Iterator[Row]:
        """The rows of a run that no other one has."""
        # what a run that was imported calls a run is none that was made here
        others = {run.key for run in self._runs if run.imported or not source.run.imported}
        for row in run_rows(*source):
            if row.taken_from and (row.taken_from in others or self._is_seen(row)):
                self.copies += 1
            else:
                yield row

    def _is_seen(self, row: Row) -> bool:
        mark = hash((row.taken_from, row.meta.custom_id, row.result.text))
        seen = mark in self._seen
        self._seen.add(mark)
        return seen


def _part(origin: RunOrigin, rows: Iterator[Row], tally: Tally, is_long: bool, size: int) -> RunTable:
    part = RunTable(*in_blocks(tally.counting(rows), origin, size))
    return one_per_question(part, origin.questions) if is_long else part


def union(headers: Iterable[Header]) -> Header:
    """The columns of all, each once: what a later one has more stands before the column that follows it there.

    A column of several types has the wider: whole numbers with numbers are numbers, everything else with another is text.
    """
    kinds: dict[str, type] = {}
    names: list[str] = []
    for header in headers:
        at = len(names)
        for name, kind in reversed(header):
            if name not in kinds:
                names.insert(at, name)
            at = names.index(name)
            kinds[name] = _wider(kinds.get(name, kind), kind)
    return tuple((name, kinds[name]) for name in names)


def _wider(one: type, other: type) -> type:
    if one is other:
        return one
    if {one, other} == {int, float}:
        return float
    return Prose if Prose in (one, other) else str


def fitted(part: RunTable, header: Header) -> Iterator[Block]:
    """A run's cells under the columns of all; a column that it has not is empty."""
    mine = {name: (n, kind) for n, (name, kind) in enumerate(part.header)}
    plan = [(mine[name][0], _changer(mine[name][1], kind)) if name in mine else None for name, kind in header]
    for block in part.blocks:
        nothing = (None,) * len(block[0])
        yield [nothing if one is None else one[1](block[one[0]]) for one in plan]


def _changer(kind: type, wanted: type) -> Callable[[Sequence], Sequence]:
    """What makes cells of one type those of a wider one."""
    if kind is int and wanted is float:
        return lambda cells: [None if cell is None else float(cell) for cell in cells]
    if kind in (int, float, bool) and wanted in (str, Prose):
        return lambda cells: [*map(_text, cells)]
    return lambda cells: cells


def _text(cell: object) -> str | None:
    """A cell as text, as CSV writes it."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return format(cell, ".15g") if isinstance(cell, float) else str(cell)


# ---- one row per question


_LONG: Header = (
    ("question", str), ("question_name", str), ("question_type", str), ("field", str), ("value", Prose), ("value_number", float),
    ("reason", Prose), ("pattern", str),
)  # fmt: skip
_ANSWERED = "problems"  # the first column behind those of the questions


def one_per_question(part: RunTable, questions: Sequence[Question]) -> RunTable:
    """One row per question of a request, and per field of a JSON value, beside what the request asked and what came of it.

    Left out are tokens, cost and the whole answer: they are one for all questions, and would be summed several times.
    """
    header, blocks = part
    at = {name: n for n, (name, _) in enumerate(header)}
    asked = {name for question in questions for name, _ in question_columns(question)}
    front = [n for name, n in at.items() if n < at[_ANSWERED] and name not in asked]
    back = [at["simulated"]]
    told = [one for question in questions for one in _told(question, at)]
    taken = {name for name, _ in _LONG}
    kept = ((f"data_{name}" if name in taken else name, kind) for name, kind in (header[n] for n in front))
    long_header = (*kept, *_LONG, *(header[n] for n in back))
    return RunTable(long_header, (_melted(block, front, told, back) for block in blocks if told))


class _AskedColumns(NamedTuple):
    """A question, or a field of its value, with the places of its columns in a block; None where it has none."""

    words: tuple[str, str, str, str]
    value: int
    reason: int | None
    pattern: int | None


def _told(question: Question, at: dict[str, int]) -> Iterator[_AskedColumns]:
    names = iter(at[name] for name, _ in question_columns(question))
    value, reason, pattern = next(names), next(names) if question.reason != "no" else None, next(names)
    words = question.id, question.name, question.type
    yield _AskedColumns((*words, ""), value, reason, pattern)
    yield from (_AskedColumns((*words, path), place, None, None) for path, place in zip(question.fields, names))


def _melted(block: Block, front: Sequence[int], told: Sequence[_AskedColumns], back: Sequence[int]) -> Block:
    """A block of requests as a block of their questions, request by request."""
    size = len(block[0])
    values = _by_request([block[one.value] for one in told])
    empty = (None,) * size
    beside = [[empty if n is None else block[n] for n in places] for places in zip(*((one.reason, one.pattern) for one in told))]
    return [
        *(_repeated(block[n], told) for n in front),
        *([one.words[n] for one in told] * size for n in range(4)),
        [*map(_text, values)],
        [float(value) if type(value) in (int, float) else None for value in values],
        *map(_by_request, beside),
        *(_repeated(block[n], told) for n in back),
    ]


def _repeated(column: Sequence, told: Sequence[_AskedColumns]) -> list:
    return [cell for cell in column for _ in told]


def _by_request(columns: Sequence[Sequence]) -> list:
    """Columns of questions as one column: all of the first request, then all of the second."""
    return [cell for cells in zip(*columns) for cell in cells]

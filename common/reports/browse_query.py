"""What a page to browse asks of its index: which rows are meant, in which order, a page of them at a time, and how many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from common.reports.browse_index import ANSWER, FREE, NUMBER, Column, note_of, rank, rank_table
from common.reports.browse_words import query

ROWS, SIDES = 50, 20  # on a page
MOST_FOUND, MOST_COUNTS = 8, 1_000  # searches whose hits, and wishes whose counts are kept


class Wrong(ValueError):
    """A question that the index has no answer to, in words for a person."""


@dataclass(frozen=True)
class Wish:
    """What a person wants to see. `after` and `before`: (key, id) of the row next to the page."""

    words: str = ""
    alike: Mapping[str, str] = field(default_factory=dict)  # by column: its value as text
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    sort: str = ""
    falling: bool = False
    after: tuple[float, int] | None = None
    before: tuple[float, int] | None = None


class Page(NamedTuple):
    """The ids of a page, and what leads to the pages beside it, None at an end."""

    ids: Sequence[int]
    count: int
    before: tuple[float, int] | None
    after: tuple[float, int] | None


class Index:
    """An index that is open. Its methods may be called by several threads; they wait for each other."""

    NAMED, LONGEST_NAME = ("provider", "run", "custom_id"), 1_000  # what says which row it is, and characters of it

    def __init__(self, path: Path) -> None:
        found = note_of(path)
        if found is None:
            raise Wrong(f"{path} is no index")
        self.note = found
        self.columns = {column.name: column for column in (Column(*one) for one in found["columns"])}
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA mmap_size = 4000000000; PRAGMA synchronous = OFF")
        self._lock = Lock()
        self._found: dict[tuple, str] = {}  # by query: the table that holds the ids
        self._counts: dict[tuple, int] = {}
        self._made = 0

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @property
    def sides(self) -> list[Column]:
        """The questions by which one can tell how far answers are apart."""
        return [column for name in self.note["questions"] if (column := self.columns[name]).kind != FREE]

    # ---- pages

    def rows(self, wish: Wish) -> Page:
        """A page of answers. Raises Wrong."""
        with self._lock:
            where, values = self._where(wish)
            key, joined = self._key(wish, "grid.id")
            count = self._counted("grid", where, values) if where != "1" else self.note["rows"]
            return self._page(wish, f"grid {joined}", where, values, key, "grid.id", ROWS, count)

    def asked(self, wish: Wish) -> Page:
        """A page of what was asked of several: ids of the rows that asked it first. Raises Wrong."""
        with self._lock:
            where, values = self._where(wish)
            if where != "1":
                where, values = f"sides.asked IN {self._kept(f'SELECT asked FROM grid WHERE {where}', values)}", []
            count = self._counted("sides", where, values)
            apart = {f"apart:{column.name}": f"s{column.at}" for column in self.sides}
            if wish.sort in apart:
                key, source = _last(apart[wish.sort], wish), "sides"
            else:
                key, joined = self._key(wish, "sides.place")
                source = f"sides JOIN grid ON grid.id = sides.asked {joined}" if wish.sort else "sides"
            return self._page(wish, source, where, values, key, "sides.asked", SIDES, count)

    def _page(
        self, wish: Wish, source: str, where: str, values: Sequence, key: str, unique: str, size: int, count: int
    ) -> Page:  # fmt: skip
        at, back = wish.before or wish.after, wish.before is not None
        falls = wish.falling != back
        beyond = f"AND ({key}, {unique}) {'<' if falls else '>'} (?, ?)" if at else ""
        way = "DESC" if falls else "ASC"
        found = self._all(
            f"SELECT {key}, {unique} FROM {source} WHERE {where} {beyond} ORDER BY {key} {way}, {unique} {way} LIMIT {size + 1}",
            [*values, *(at or ())],
        )
        more, found = len(found) > size, found[:size]
        if back:
            found.reverse()
        first, last = (found[0], found[-1]) if found else (None, None)
        return Page([one for _, one in found], count, first if (more if back else at) else None, last if (more or back) else None)

    # ---- cells

    def cells(self, ids: Iterable[int], names: Sequence[str], limit: int) -> dict[int, dict[str, object]]:
        """Of rows some of their cells, texts cut one character after so many, so that it shows; what names a row is not cut."""
        cells = [(self._text(name), self.LONGEST_NAME if name in self.NAMED else limit + 1) for name in names]
        texts = ", ".join(f"CASE typeof({cell}) WHEN 'text' THEN substr({cell}, 1, {most}) ELSE {cell} END" for cell, most in cells)
        listed = ",".join(map(str, ids))
        with self._lock:
            found = self._all(f"SELECT rows.id, {texts} FROM rows JOIN answers USING (id) WHERE rows.id IN ({listed})")
        return {one: dict(zip(names, cells)) for one, *cells in found}

    def answers_to(self, asked: Iterable[int]) -> list[tuple[int, int]]:
        """(asked, id) of all rows that ask the same as these first ones."""
        listed = ",".join(map(str, asked))
        with self._lock:
            return self._all(f"SELECT asked, id FROM grid WHERE asked IN ({listed}) ORDER BY id")

    def first_of(self, row: int) -> int:
        """The id of the first row that asked the same."""
        with self._lock:
            return self._all("SELECT asked FROM grid WHERE id = ?", [row])[0][0]

    def named(self, request: str, run: str = "") -> list[int]:
        """The rows of a request's id: in one run, as provider/run, or in any."""
        provider, name, own = map(self._text, ("provider", "run", "custom_id"))
        inside = f" AND {provider} || '/' || {name} = ?" if run else ""
        with self._lock:
            found = self._all(f"SELECT id FROM rows WHERE {own} = ?{inside} ORDER BY id LIMIT 100", [request, run] if run else [request])
        return [one for one, in found]

    def answer(self, row: int) -> str:
        """An answer, whole."""
        with self._lock:
            return self._all("SELECT answer FROM answers WHERE id = ?", [row])[0][0] or ""

    # ---- SQL

    def _all(self, sql: str, values: Sequence = ()) -> list:
        return self._db.execute(sql, values).fetchall()

    def _text(self, name: str) -> str:
        """A column's cells as they are."""
        return "answers.answer" if name == ANSWER else f"rows.r{self.columns[name].at}"

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise Wrong(f"There is no column {name!r} in these answers.")
        return self.columns[name]

    def _where(self, wish: Wish) -> tuple[str, list]:
        """The rows of the grid that are meant."""
        parts, values = [], []
        for name, word in wish.alike.items():
            sql, more = self._alike(self._column(name), word)
            parts.append(sql)
            values += more
        for bounds, sign in ((wish.least, ">="), (wish.most, "<=")):
            for name, value in bounds.items():
                if (column := self._column(name)).kind != NUMBER:
                    raise Wrong(f"Column {name!r} holds no numbers.")
                parts.append(f"g{column.at} {sign} ?")
                values.append(value)
        if wish.words:
            if not (words := query(wish.words)):
                raise Wrong("Search for words: there is no letter and no digit in what was typed.")
            parts.append(f"grid.id IN {self._kept('SELECT rowid FROM search WHERE search MATCH ?', [words])}")
        return " AND ".join(parts) or "1", values

    def _alike(self, column: Column, word: str) -> tuple[str, list]:
        if column.kind == NUMBER:
            return f"g{column.at} = ?", [_number(column.name, word)]
        if column.kind == FREE:
            self._ranks(column)
            table = "answers" if column.name == ANSWER else "rows"
            return f"grid.id IN (SELECT id FROM {table} WHERE {self._text(column.name)} = ?)", [word]
        return f"g{column.at} = (SELECT rank FROM words WHERE at = {column.at} AND word = ?)", [word]

    def _key(self, wish: Wish, unique: str) -> tuple[str, str]:
        """What rows are sorted by as SQL, and what must be joined for it."""
        if not wish.sort:
            return unique, ""
        column = self._column(wish.sort)
        if column.kind != FREE:
            return _last(f"g{column.at}", wish), ""
        table = self._ranks(column)
        return _last(f"{table}.rank", wish), f"LEFT JOIN {table} ON {table}.id = grid.id"

    def _ranks(self, column: Column) -> str:
        """The table of a free column's ranks; of one that holds prose it is made when it is first asked for."""
        at = None if column.name == ANSWER else column.at
        table = rank_table(at)
        if not self._all("SELECT 1 FROM sqlite_master WHERE name = ?", [table]):
            self._db.execute("BEGIN")
            rank(self._db, at)
            self._db.execute("COMMIT")
        return table

    def _counted(self, table: str, where: str, values: Sequence) -> int:
        """How many there are: counted once, for all pages of a wish."""
        key = table, where, *values
        if key not in self._counts:
            if len(self._counts) >= MOST_COUNTS:
                self._counts.clear()
            self._counts[key] = self._all(f"SELECT count(*) FROM {table} WHERE {where}", values)[0][0]
        return self._counts[key]

    def _kept(self, sql: str, values: Sequence) -> str:
        """A table of the ids that a query finds, kept for the pages that follow."""
        key = sql, *values
        if key not in self._found:
            while len(self._found) >= MOST_FOUND:
                self._all(f"DROP TABLE {self._found.pop(next(iter(self._found)))}")
            self._made += 1
            table = f"temp.found{self._made}"
            self._all(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
            self._all(f"INSERT OR IGNORE INTO {table} {sql}", values)
            self._found[key] = table
        return self._found[key]


def _last(key: str, wish: Wish) -> str:
    """A key of which rows without a value stand last, whichever the order."""
    return f"ifnull({key}, {'-' if wish.falling else ''}9e999)"


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Wrong(f"{name}: expected a number, not {text!r}.") from None

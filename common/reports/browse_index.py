"""The index of a page to browse: all answers of runs in one SQLite file that can be made again, laid out so that one narrow scan answers.

`rows` holds the cells as they are, `answers` the answers, `search` finds words in them. `grid` has a number for each cell that
can be filtered or sorted by: itself, or the rank of its word among those of its column (`words`). A page is one scan of it: some
60 ms for 1,000,000 rows in any order, where an index per column would take longer to make than to browse. `asked` is the id of the
first row that asked the same of any model, `sides` how far the answers to that are apart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import orjson

from common.experiment.questions import Prose
from common.reports.browse_words import apart
from common.results.tables import Block, Header

FORMAT = "2"  # of the index: another one is made anew
NUMBER, CODED, FREE = "number", "coded", "free"  # a column: its values are numbers, few words, or any text
MOST_WORDS, LONGEST_WORD = 10_000, 200  # of a coded column, and characters of one; one that has more is free
LISTED = 60  # words that a form lists
ANSWER = "answer"
PRAGMAS = "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;"
_KEY = 100  # characters by which a free column is sorted
_LARGEST = 2**63 - 1


class Column(NamedTuple):
    """A column of the table; `at` is its place. `words`: how many a coded one has, `listed`: they, where they are few."""

    at: int
    name: str
    kind: str
    words: int = 0
    listed: Sequence[str] = ()


class ColumnRoles(NamedTuple):
    """What the columns of a table stand for, by name: which ones say what was asked, and which are answers to questions."""

    asked: Sequence[str]
    questions: Sequence[str]


def build_index(path: Path, header: Header, blocks: Iterable[Block], roles: ColumnRoles, note: dict) -> None:
    """Make the index of a table, whole or not at all. `note` is kept with it. Raises OSError and sqlite3.Error as the disk does.

    Memory: a block, and the words of the coded columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as db:
            db.executescript(PRAGMAS + "BEGIN")
            columns = _load(db, header, blocks)
            for at, (_, kind) in enumerate(header):
                if columns[at].kind == FREE and kind is not Prose:
                    rank(db, at)
            _make_grid(db, columns, roles)
            _make_sides(db, columns, roles)
            told = {**note, "format": FORMAT, "columns": [*map(tuple, columns)], "asked": roles.asked, "questions": roles.questions,
                    "sources": _sources(db, columns), **_counts(db, columns)}  # fmt: skip
            db.execute("CREATE TABLE note (told TEXT)")
            db.execute("INSERT INTO note VALUES (?)", [orjson.dumps(told).decode()])
            db.execute("COMMIT")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def note_of(path: Path) -> dict | None:
    """What is kept with an index; None where there is none of this format."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as db:
            found = orjson.loads(db.execute("SELECT told FROM note").fetchone()[0])
    except (sqlite3.Error, ValueError, TypeError):
        return None
    return found if found.get("format") == FORMAT else None


# ---- cells


class _Words:
    """The numbers that stand for the words of a column, by their first appearance; None once they are too many."""

    def __init__(self) -> None:
        self.codes: dict[str | None, int | None] | None = {"": None, None: None}

    def __call__(self, cells: Sequence[str | None]) -> Iterable[int | None]:
        codes = self.codes
        if codes is None:
            return repeat(None, len(cells))
        new = dict.fromkeys(cells).keys() - codes.keys()
        codes.update(zip(new, range(len(codes) - 2, len(codes) + len(new))))
        if len(codes) - 2 > MOST_WORDS or any(len(word) > LONGEST_WORD for word in new):
            self.codes = None
            return repeat(None, len(cells))
        return map(codes.__getitem__, cells)

    def ranked(self) -> list[tuple[int, int, str]]:
        """(code, rank, word) in the order in which people look for words: numbers by value, the rest by letters."""
        ordered = sorted((word for word in self.codes or () if word), key=_place)
        return [(self.codes[word], rank, word) for rank, word in enumerate(ordered)]


def _place(word: str) -> tuple[bool, float, str, str]:
    try:
        value = float(word)
    except ValueError:
        return True, 0.0, word.casefold(), word
    return value != value, value if value == value else 0.0, word, word


def _load(db: sqlite3.Connection, header: Header, blocks: Iterable[Block]) -> list[Column]:
    """Fill `rows`, `answers` and `coded`; returns the columns."""
    at_answer = [name for name, _ in header].index(ANSWER)
    coders: dict[int, Callable[[Sequence], Iterable]] = {
        at: _Words() if issubclass(kind, str) else iter for at, (_, kind) in enumerate(header) if kind is not Prose
    }
    others = [at for at in range(len(header)) if at != at_answer]
    db.execute(f"CREATE TABLE rows (id INTEGER PRIMARY KEY, {', '.join(f'r{at}' for at in others)})")
    db.execute("CREATE TABLE answers (id INTEGER PRIMARY KEY, answer TEXT)")
    db.execute("CREATE VIRTUAL TABLE search USING fts5 (answer, content = '')")
    db.execute(f"CREATE TEMP TABLE coded (id INTEGER PRIMARY KEY, {', '.join(f'g{at}' for at in coders)})")
    widths = {"rows": len(others) + 1, "answers": 2, "search (rowid, answer)": 2, "coded": len(coders) + 1}
    into = {table: f"INSERT INTO {table} VALUES ({','.join('?' * n)})" for table, n in widths.items()}
    count = 0
    for block in blocks:
        cells = [[*map(_fit, column)] for column in block]
        ids = range(count + 1, count + len(cells[0]) + 1)
        db.executemany(into["rows"], zip(ids, *(cells[at] for at in others)))
        db.executemany(into["answers"], zip(ids, cells[at_answer]))
        db.executemany(into["search (rowid, answer)"], ((one, apart(text)) for one, text in zip(ids, cells[at_answer]) if text))
        db.executemany(into["coded"], zip(ids, *(code(cells[at]) for at, code in coders.items())))
        count = ids.stop - 1
    db.execute("INSERT INTO search (search) VALUES ('optimize')")
    return [_column(db, at, name, coders.get(at)) for at, (name, _) in enumerate(header)]


def _fit(cell: object) -> object:
    """A cell as SQLite can hold and search it: no half of a surrogate pair, no end in the middle, no number beyond 64 bits."""
    if isinstance(cell, str):
        if not cell.isascii():
            cell = cell.encode("utf-8", "replace").decode()
        return cell.replace("\0", "\ufffd") if "\0" in cell else cell
    return float(cell) if isinstance(cell, int) and abs(cell) > _LARGEST else cell


def _column(db: sqlite3.Connection, at: int, name: str, coder: object) -> Column:
    if coder is iter:
        return Column(at, name, NUMBER)
    if not isinstance(coder, _Words) or coder.codes is None:
        return Column(at, name, FREE)
    db.execute("CREATE TABLE IF NOT EXISTS words (at, code, rank, word, PRIMARY KEY (at, code)) WITHOUT ROWID")
    words = coder.ranked()
    db.executemany("INSERT INTO words VALUES (?, ?, ?, ?)", ((at, *word) for word in words))
    return Column(at, name, CODED, len(words), [word for *_, word in words] if len(words) <= LISTED else ())


# ---- the grid


def rank(db: sqlite3.Connection, at: int | None) -> None:
    """Make the ranks of a free column (None: of the answers), numbers by value and the rest by letters, and what finds a value."""
    table, cell = ("answers", "answer") if at is None else ("rows", f"r{at}")
    key = f"substr({cell}, 1, {_KEY})"
    name = rank_table(at)
    db.execute(f"CREATE TEMP TABLE keys AS SELECT id, {key} AS key FROM {table} WHERE {cell} <> ''")  # narrow, so sorted in memory
    db.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, rank INTEGER)")
    order = "dense_rank() OVER (ORDER BY CAST(key AS REAL), key COLLATE NOCASE)"
    db.execute(f"INSERT INTO {name} SELECT id, rank FROM (SELECT id, {order} AS rank FROM keys) ORDER BY id")
    db.execute("DROP TABLE keys")
    if at is not None:
        db.execute(f"CREATE INDEX of_{name} ON rows (r{at})")


def rank_table(at: int | None) -> str:
    """The table of a free column's ranks."""
    return "rank_answer" if at is None else f"rank{at}"


def _make_grid(db: sqlite3.Connection, columns: Sequence[Column], roles: ColumnRoles) -> None:
    at = {column.name: column.at for column in columns}
    same = ", ".join(f"r{at[name]}" for name in roles.asked)
    db.execute("CREATE TEMP TABLE firsts (id INTEGER PRIMARY KEY, asked INTEGER)")
    db.execute(f"INSERT INTO firsts SELECT id, min(id) OVER (PARTITION BY {same}) FROM rows")
    kept = [column for column in columns if column.kind != FREE]
    db.execute(f"CREATE TABLE grid (id INTEGER PRIMARY KEY, asked INTEGER, {', '.join(f'g{column.at}' for column in kept)})")
    cells = ", ".join(_ranked(db, column) for column in kept)
    db.execute(f"INSERT INTO grid SELECT coded.id, asked, {cells} FROM coded JOIN firsts USING (id)")
    db.execute("CREATE INDEX grid_asked ON grid (asked)")
    if columns[at["custom_id"]].kind != FREE:
        db.execute(f"CREATE INDEX rows_id ON rows (r{at['custom_id']})")


def _make_sides(db: sqlite3.Connection, columns: Sequence[Column], roles: ColumnRoles) -> None:
    """What was asked in the order of its factors, each with how far the answers to its questions are apart."""
    spreads = [*_spreads(columns, roles)]
    factors = [next(column for column in columns if column.name == name) for name in roles.asked]
    ranked = [rank_table(column.at) for column in factors if column.kind == FREE]
    keys = [f"min({rank_table(column.at)}.rank)" if column.kind == FREE else f"min(g{column.at})" for column in factors]
    joined = " ".join(f"LEFT JOIN {name} ON {name}.id = grid.id" for name in ranked)
    more = "".join(f", s{n}" for n, _ in spreads)
    db.execute(f"CREATE TABLE sides (asked INTEGER PRIMARY KEY, place INTEGER{more})")
    db.execute(f"""INSERT INTO sides SELECT asked, row_number() OVER (ORDER BY {', '.join(f'k{n}' for n in range(len(keys)))}){more}
        FROM (SELECT asked, {', '.join(f'{key} AS k{n}' for n, key in enumerate(keys))}{''.join(f', {sql} AS s{n}' for n, sql in spreads)}
              FROM grid {joined} GROUP BY asked) ORDER BY asked""")


def _sources(db: sqlite3.Connection, columns: Sequence[Column]) -> list[tuple[str, str, str]]:
    """Who answered, as (provider, run, model), in the order of their first rows."""
    at = {column.name: column.at for column in columns}
    who = ", ".join(f"r{at[name]}" for name in ("provider", "run", "model"))
    return db.execute(f"SELECT {who} FROM rows GROUP BY {who} ORDER BY min(id)").fetchall()


def _counts(db: sqlite3.Connection, columns: Sequence[Column]) -> dict[str, int]:
    """How many rows there are, and how many of them are simulated."""
    (at,) = (column.at for column in columns if column.name == "simulated")
    rows, simulated = db.execute(f"SELECT count(*), total(g{at}) FROM grid").fetchone()
    return {"rows": rows, "simulated": int(simulated)}


def _ranked(db: sqlite3.Connection, column: Column) -> str:
    """A cell of the grid as SQL: ranks are looked up only where they are not the codes already."""
    if column.kind == NUMBER or not db.execute("SELECT 1 FROM words WHERE at = ? AND code <> rank", [column.at]).fetchone():
        return f"g{column.at}"
    return f"(SELECT rank FROM words WHERE at = {column.at} AND code = g{column.at})"


def _spreads(columns: Sequence[Column], roles: ColumnRoles) -> Iterator[tuple[int, str]]:
    """For each question the place of its column, and how far the answers to it are apart as SQL: of words, how many others there are."""
    for column in columns:
        if column.name in roles.questions and column.kind != FREE:
            g = f"g{column.at}"
            yield column.at, f"max({g}) - min({g})" if column.kind == NUMBER else f"nullif(count(DISTINCT {g}) - 1, -1)"

"""One table of several: the union of columns, cells under it, a row per question, the codebook, and Excel sheets."""

from __future__ import annotations

import re
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from common.errors import InputError
from common.experiment.questions import Prose
from common.nouns import Question, Result, Usage
from common.results import xlsx
from common.results.answers import Checker
from common.results.codebook import LONG_MEANINGS, MEANINGS, OTHER, Codebook
from common.results.export import RunTable, fitted, one_per_question, union
from common.results.rows import Meta, Row, columns
from common.results.tables import in_blocks
from common.results.xlsx import write_xlsx, xlsx_table

JOY = Question("Q1", "Joy", 0.0, 10.0)
COLOUR = Question("Q2", "Colour", type="choice", choices=(("red", ("crimson",)), ("blue", ())), reason="no")
BOOK = Question("Q3", "Book", type="json", reason="no", fields=("title", "author.name"))
HEADERS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True).map(lambda names: [(name, str) for name in names]), max_size=4)


class Asked:
    """As much of an origin as a table needs."""

    def __init__(self, *questions: Question) -> None:
        self.questions, self.kept, self.of_rehearsed = questions, (), False


def rows(*questions: Question, text: str = "", size: int = 3) -> Iterator[Row]:
    """Rows of one answer to some questions."""
    check = Checker(questions).check if questions else lambda text: None
    for n in range(size):
        yield Row(Meta(f"id{n}", "m", trial=n), Result(f"id{n}", "succeeded", text, usage=Usage(n)), check(text), cost=0.5 * n)


def part(*questions: Question, text: str = "", size: int = 3) -> RunTable:
    """The same as columns."""
    return RunTable(*in_blocks(rows(*questions, text=text, size=size), Asked(*questions)))


def dicts(found: RunTable) -> list[dict]:
    """The rows of columns."""
    names = [name for name, _ in found.header]
    return [dict(zip(names, row)) for block in found.blocks for row in zip(*block)]


# ---- the union of columns


@given(HEADERS)
@example([[("a", str), ("z", str)], [("a", str), ("b", str), ("z", str)], [("c", str), ("z", str)]])
def test_the_union_of_columns(headers: list) -> None:
    """Each column once, those of the first in their order, and the same again for the same."""
    names = [name for name, _ in union(headers)]
    assert sorted(names) == sorted({name for header in headers for name, _ in header})
    for first in headers[:1]:
        assert [name for name in names if (name, str) in first] == [name for name, _ in first]
    assert union([union(headers), *headers]) == union(headers)


def test_questions_stand_together() -> None:
    """What a later run has more stands behind the questions of the first, before what all have."""
    names = [name for name, _ in union([columns([JOY]), columns([COLOUR]), columns([JOY, BOOK])])]
    at = names.index("validation")
    assert names[at + 1 :][:10] == [
        "Q1_Joy", "Q1_Joy_reason", "Q1_Joy_pattern", "Q2_Colour", "Q2_Colour_pattern", "Q3_Book", "Q3_Book_pattern", "Q3_title",
        "Q3_author.name", "problems",
    ]  # fmt: skip


def test_a_column_of_two_types() -> None:
    """The wider one takes both: whole numbers among numbers, everything among texts; what a run has not is empty."""
    kinds = [("a", int), ("b", bool), ("c", str), ("d", float)], [("a", float), ("b", str), ("c", Prose), ("d", float), ("e", int)]
    header = union(kinds)
    assert header == (("a", float), ("b", str), ("c", Prose), ("d", float), ("e", int))
    found = dicts(RunTable(header, fitted(RunTable(kinds[0], [[[1, None], [True, None], ["x", ""], [0.1, None]]]), header)))
    assert found == [{"a": 1.0, "b": "true", "c": "x", "d": 0.1, "e": None}, {"a": None, "b": None, "c": "", "d": None, "e": None}]
    assert union([[("a", Prose)], [("a", float)]]) == (("a", Prose),)


# ---- a row per question

ANSWER = (
    'Q1. Joy(value): 7\nQ1. Joy(reason): because\nQ2. Colour(value): crimson\nQ3. Book(value): {"title": "春", "author": {"name": "x"}}'
)


def test_a_row_per_question() -> None:
    """Questions and fields of their values, beside what was asked; nothing that would be summed twice."""
    questions = JOY, COLOUR, BOOK
    found = dicts(one_per_question(part(*questions, text=ANSWER), questions))
    assert len(found) == 3 * (3 + 2) and {row["custom_id"] for row in found} == {"id0", "id1", "id2"}
    told = [(row["question"], row["field"], row["value"], row["value_number"], row["reason"]) for row in found[:5]]
    assert told == [
        ("Q1", "", "7", 7.0, "because"), ("Q2", "", "red", None, None),
        ("Q3", "", '{"title":"春","author":{"name":"x"}}', None, None), ("Q3", "title", "春", None, None),
        ("Q3", "author.name", "x", None, None),
    ]  # fmt: skip
    assert not {"cost_usd", "input_tokens", "answer", "Q1_Joy"} & found[0].keys()
    assert found[0]["simulated"] is False and all(row["pattern"] for row in found[:3])


def test_a_row_per_question_without_answers() -> None:
    """No answer: a row all the same. No question: no row. A column of data keeps out of the way."""
    assert [row["value"] for row in dicts(one_per_question(part(JOY), [JOY]))] == [None] * 3
    assert dicts(one_per_question(part(), [])) == []
    header, blocks = part(JOY, size=1)
    mine = RunTable((("value", str), *header), [[["own"], *block] for block in blocks])
    assert [(row["data_value"], row["value"]) for row in dicts(one_per_question(mine, [JOY]))] == [("own", None)]


# ---- the codebook


def book(*questions: Question, **more) -> dict[str, tuple]:
    """The codebook of a table of these questions, by column."""
    header, blocks = part(*questions, **more)
    watched = Codebook(header, questions, MEANINGS)
    assert sum(len(block[0]) for block in watched.watching(blocks)) == 3
    return {name: told for name, *told in watched.rows()}


def test_every_column_has_a_meaning() -> None:
    """The list of meanings holds the columns of the tables, no more and no fewer, those of a row per question too."""
    assert list(MEANINGS) == [name for name, _ in columns(())]
    mine = {name for name, _ in one_per_question(part(JOY), [JOY]).header} - MEANINGS.keys()
    assert mine == LONG_MEANINGS.keys()
    questions = JOY, COLOUR, BOOK
    assert [*book(*questions)] == [name for name, _ in columns(questions)]
    assert OTHER not in {meaning for meaning, *_ in book(*questions).values()}


def test_what_the_codebook_says() -> None:
    """Ranges and choices as they were asked for, else what was seen; how many cells hold something."""
    found = book(JOY, COLOUR, text=ANSWER)
    assert found["Q1_Joy"] == ["question Q1 Joy: its answer (number)", "number", "0 to 10", 3]
    assert found["Q2_Colour"][2] == "red | blue"
    assert found["trial"] == [MEANINGS["trial"], "whole number", "0 to 2", 3]
    assert found["outcome"][2:] == ["succeeded", 3] and found["error_code"][2:] == ["", 0]
    assert found["simulated"][1:] == ["true or false", "false", 3]


def test_the_codebook_of_odd_columns() -> None:
    """Several ranges of one column are told both; many values, long ones and unknown columns are told as such."""
    header = (("Q1_Joy", float), ("many", str), ("long", str))
    watched = Codebook(header, [JOY, Question("Q1", "Joy", 0.0, 5.0)], MEANINGS)
    [*watched.watching([[[None] * 30, [*map(str, range(30))], ["x" * 1000, *[""] * 29]]])]
    joy, many, long = watched.rows()
    assert joy[3:] == ("0 to 10 / 0 to 5", 0)
    assert many[1:] == (OTHER, "text", "more than 20", 30) and long[3:] == ("x" * 60 + "…", 1)


def test_memory_stays_flat() -> None:
    """A hundred times the rows, all different, go through union, codebook and a row per question in the same memory."""

    def peak(blocks: int) -> int:
        made = (
            [[f"{n}-{m}-{'x' * 100}" for m in range(100)], [n + m for m in range(100)], [""] * 100, [True] * 100] for n in range(blocks)
        )
        source = RunTable((("Q1_Joy", str), ("n", int), ("problems", str), ("simulated", bool)), made)
        source = RunTable((*source.header, ("Q1_Joy_reason", str), ("Q1_Joy_pattern", str)), ([*b, b[0], b[2]] for b in source.blocks))
        found = one_per_question(source, [JOY])
        watched = Codebook(found.header, [JOY], MEANINGS)
        tracemalloc.start()
        try:
            assert sum(len(block[0]) for block in watched.watching(fitted(found, union([found.header])))) == 100 * blocks
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(300) < peak(3) + 300_000


# ---- Excel


def sheet(path: Path) -> list[tuple]:
    """The cells of a sheet."""
    return [tuple((cell.value, cell.data_type) for cell in row) for row in load_workbook(path)["rows"].iter_rows()]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(), st.none() | st.integers(), st.none() | st.floats(-1e300, 1e300)), min_size=1))
@example([("=1+1", 2**53, -0.0), ("_x0041_", -(2**70), 1e308), ("\x1b[31m長い\ud800", 7, 0.1), ("https://a.b", None, None)])
def test_a_sheet_holds_its_cells(cells: list[tuple]) -> None:
    """Texts are texts, whatever they look like, without control characters; numbers are numbers while no digit is lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.xlsx")
        assert xlsx_table(path, (("=t", Prose), ("n", int), ("f", float), ("b", bool)), [[*zip(*cells), [True] * len(cells)]]) == len(cells)
        assert [p.name for p in Path(folder).iterdir()] == ["t.xlsx"]
        first, *found = sheet(path)
    assert [value for value, _ in first] == ["=t", "n", "f", "b"]
    for (text, whole, number), ((t, t_kind), (n, _), (f, _), b) in zip(cells, found, strict=True):
        wanted = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text.encode("utf-8", "replace").decode())
        assert (unescape(t or ""), t_kind) == (wanted, "s" if wanted else "n")
        assert n == (whole if whole is None or abs(whole) < 2**53 else str(whole)) and b == (True, "b")
        assert (f is None) == (number is None) and (number is None or float(f) == pytest.approx(number, rel=1e-14, abs=0))


def test_what_a_sheet_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer cell than Excel takes is cut and says so; more rows or columns than a sheet has are refused, nothing is left."""
    assert write_xlsx(rows(text="長" * 40_000 + "end", size=1), tmp_path / "t.xlsx") == 1
    assert sheet(tmp_path / "t.xlsx")[1][-1][0] == "長" * (32_767 - len(xlsx.CUT)) + xlsx.CUT
    assert write_xlsx(rows(text="😀" * 16_383, size=1), tmp_path / "t.xlsx") == 1
    assert sheet(tmp_path / "t.xlsx")[1][-1][0] == "😀" * 16_383
    with pytest.raises(InputError, match="16,384 columns"):
        xlsx_table(tmp_path / "wide.xlsx", [(f"c{n}", str) for n in range(16_385)], [])
    monkeypatch.setattr(xlsx, "MOST_ROWS", 3)
    assert write_xlsx(rows(size=2), tmp_path / "t.xlsx") == 2
    with pytest.raises(InputError, match="there are more"):
        write_xlsx(rows(size=3), tmp_path / "more.xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["t.xlsx"]

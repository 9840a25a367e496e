"""Any table is read back as it was written, whatever its kind of file."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from io import StringIO

import pytest
from arro3.core import Array
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import InputError
from common.experiment.data.where import Where
from tests.experiment.test_data import parquet, rows, sheet, texts, utf8

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)

cell = st.text(st.characters(codec="utf-8"), max_size=12) | st.text(st.sampled_from('",;\t\r\n\\ aあ\ufeff'), max_size=6)
# A sheet is XML, which has no control characters and one line end; Excel itself reads _x000D_ as one and = as a formula,
# and the writer used here does not keep a cell of blanks.
xml = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
in_xml = st.text(xml | st.just("\n"), max_size=12)
in_sheet = in_xml.filter(lambda t: not t or t.strip(" \n") and t[0] not in "=#" and not re.search("_x[0-9A-Fa-f]{4}_", t))


def table(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    """Some rows of the same width."""
    return st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6))


def header(found: list[list[str]]) -> list[str]:
    """Names for the columns of a table."""
    return [f"c{n}" for n in range(len(found[0]))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@given(found=table(cell), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), end=st.sampled_from(["\n", "\r\n", "\r"]))
@SHARED
def test_any_csv(study: Callable, delimiter: str, quoting: int, found: list, encoding: str, end: str) -> None:
    """Written by Python's csv, with any delimiter, line end and encoding: the delimiter is found, the cells are equal."""
    said = {} if len(found[0]) > 1 else {"delimiter": delimiter}  # a header of one column shows none
    end = end if quoting == csv.QUOTE_ALL else "\r\n"  # older Pythons' writer leaves the other line end without quotes
    file = StringIO()
    csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([header(found), *found])
    assert rows(texts(study, "d.csv", file.getvalue().encode(encoding), **said)) == found


@given(found=table(in_sheet).filter(lambda rows: all(map(any, rows))))
@settings(SHARED, max_examples=25)
def test_any_sheet(study: Callable, found: list) -> None:
    """Texts in a sheet, in any script."""
    assert rows(texts(study, "d.xlsx", sheet(header(found), *found))) == found


@given(found=table(cell))
@SHARED
def test_any_parquet(study: Callable, found: list) -> None:
    """Texts in Parquet, control characters and all."""
    columns: dict[str, Array] = {name: utf8(list(values)) for name, values in zip(header(found), zip(*found))}
    assert rows(texts(study, "d.parquet", parquet(**columns))) == found


nearly = st.text(st.sampled_from('"\\,;\n\tab'), max_size=40).map(str.encode)


@given(content=st.binary(max_size=200) | nearly, kind=st.sampled_from(["csv", "jsonl", "tsv"]))
@SHARED
def test_any_bytes(study: Callable, content: bytes, kind: str) -> None:
    """Whatever stands in a file, it is rows of one width or one line that says why not."""
    try:
        found = texts(study, f"d.{kind}", content)
        assert all(len(row) == len(found.columns) for _, row in found.rows())
    except InputError as error:
        assert "\n" not in str(error)


literal = st.sampled_from(["'ja'", "3", "-1.5", "x", "c0", "c1", "None", "(", ")", "('a', 1)"])
word = literal | st.sampled_from(["==", "!=", "<", ">=", "and", "or", "not", "in", "=", "is", "+", "**", "lambda:", ".", "f''", "\\"])


@given(source=st.lists(word, max_size=8).map(" ".join), row=st.lists(st.sampled_from(["", "3", "ja", "x"]), min_size=2, max_size=2))
@settings(deadline=None, max_examples=300)
def test_any_condition(source: str, row: list[str]) -> None:
    """A condition is understood and says yes or no of every row, or is refused; nothing else ever happens."""
    try:
        assert len(list(Where(source, ["c0", "c1"], InputError).narrow(iter([(2, row), (3, row)])))) == 2
    except InputError as error:
        assert "\n" not in str(error)

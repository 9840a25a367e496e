"""Data as people have it: every kind of file gives the same rows, and what is wrong with one is said in one line."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet
from openpyxl import Workbook

from common.errors import InputError
from common.experiment.data.guess import likely
from common.experiment.experiment import Texts
from common.experiment.read import load

ROWS = [["r1", "寿司、うまい"], ["r2", 'said "no"; twice'], ["r3", "one\ntwo"]]
TEXT = 'id,review\r\nr1,"寿司、うまい"\r\nr2,"said ""no""; twice"\r\nr3,"one\ntwo"\r\n'


def texts(study: Callable, name: str, content: bytes | str, **said: str) -> Texts:
    """The texts of a data file of that name, content and keys of [data]."""
    keys = ", ".join(f"{key} = {json.dumps(value)}" for key, value in {"file": name, **said}.items())
    return load(study({name: content}, text=None, prompt='{user = "x"}', data=f"{{{keys}}}")).texts


def rows(found: Texts) -> list[list[str]]:
    """All rows, without their lines and without the ids that are made where the data has none."""
    return [[value for value, column in zip(row, found.columns) if column] for _, row in found.rows()]


def sheet(*table: list, more: tuple[str, ...] = ()) -> bytes:
    """An Excel file as a writer of its own makes it."""
    book, file = Workbook(), BytesIO()
    book.active.title = "Data"
    for row in table:
        book.active.append(row)
    for name in more:
        book.create_sheet(name)
    book.save(file)
    return file.getvalue()


def parquet(**columns: Array) -> bytes:
    """A Parquet file of some columns."""
    schema = Schema([Field(name, array.type) for name, array in columns.items()])
    batches, file = [RecordBatch.from_arrays(list(columns.values()), schema=schema)], BytesIO()
    write_parquet(RecordBatchReader.from_batches(schema, batches), file)
    return file.getvalue()


def utf8(values: list) -> Array:
    """A column of texts."""
    return Array(values, DataType.utf8())


JSONL = "\n".join(json.dumps(dict(zip(("id", "review"), row)), ensure_ascii=False) for row in ROWS)
KINDS = {
    "plain": ("d.csv", TEXT.encode(), {}),
    "marked": ("d.csv", TEXT.encode("utf-8-sig"), {}),
    "semicolons": ("d.csv", TEXT.replace(",", ";").encode(), {}),
    "tabs": ("d.csv", TEXT.replace(",", "\t").encode(), {}),
    "tsv": ("d.TSV", TEXT.replace(",", "\t").encode(), {}),
    "said": ("d.csv", TEXT.replace(",", "|").encode(), {"delimiter": "|"}),
    "utf-16": ("d.csv", TEXT.encode("utf-16"), {}),
    "utf-16-be": ("d.csv", b"\xfe\xff" + TEXT.encode("utf-16-be"), {}),
    "utf-16 unmarked": ("d.csv", TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "cp932": ("d.csv", TEXT.encode("cp932"), {"encoding": "cp932"}),
    "shift_jis": ("d.csv", TEXT.encode("shift_jis"), {"encoding": "Shift_JIS"}),
    "utf-8 said": ("d.csv", TEXT.encode("utf-8-sig"), {"encoding": "utf-8"}),
    "gz": ("d.csv.gz", gzip.compress(TEXT.encode()), {}),
    "tsv.gz": ("d.tsv.gz", gzip.compress(TEXT.replace(",", "\t").encode("cp932")), {"encoding": "cp932"}),
    "jsonl": ("d.jsonl", JSONL.encode(), {}),
    "jsonl.gz": ("d.jsonl.gz", gzip.compress(JSONL.encode("utf-8-sig")), {}),
    "ndjson": ("d.ndjson", JSONL.encode("utf-16"), {}),
    "jsonl in cp932": ("d.jsonl", JSONL.encode("cp932"), {"encoding": "cp932"}),
    "xlsx": ("d.xlsx", sheet(["id", "review"], *ROWS), {}),
    "one of two sheets": ("d.xlsx", sheet(["id", "review"], *ROWS, more=("Notes",)), {"sheet": "Data"}),
    "parquet": ("d.parquet", parquet(id=utf8([r[0] for r in ROWS]), review=utf8([r[1] for r in ROWS])), {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_rows(study: Callable, kind: str) -> None:
    """However the table is saved, its columns and cells are the same, and so it is at a second look."""
    name, content, said = KINDS[kind]
    sep = {"semicolons": ";", "tabs": "\t", "tsv": "\t", "said": "|", "tsv.gz": "\t"}.get(kind, ",")
    found = texts(study, name, content, **said)
    assert (found.columns[:2], rows(found)) == (("id", "review"), [[cell.replace(",", sep) for cell in row] for row in ROWS])
    assert rows(found) == rows(found)


WRONG = {
    "open quote": ("d.csv", 'a,b\n1,x\n2,"y\n3,z\n', {}, ["d.csv, line 3: a quote is not closed"]),
    "open quote that a later one closes": ("d.csv", 'a,b\n1,"x\n2,y\n3,"z"\n4,w\n', {}, ["line 2: a quote is not closed", "in line 4"]),
    "backslash quotes": ("d.csv", 'a,b\n1,"say \\"no\\""\n', {}, ["line 2: a quote is not closed", 'write ""']),
    "text after a quote": ("d.csv", 'a,b\n1,"x" y\n', {}, ["line 2: ", "text follows it"]),
    "too few cells": ("d.csv", "a,b\n1\n", {}, ["line 2: 1 cells; expected 2"]),
    "too many cells": ("d.csv", "a,b\n1,2,3\n", {}, ["line 2: 3 cells; expected 2"]),
    "behind a long row": ("d.csv", 'a,b\n1,"x\ny\nz"\n2\n', {}, ["line 5: 1 cells"]),
    "many": ("d.csv", "a,b\n" + "1,2\n1\n" * 30, {}, ["line 3: 1 cells", "line 41: 1 cells; expected 2; and 10 more"]),
    "several sorts": ("d.csv", 'a,b\n1\n2,"x" y\n3,"z\n4,5\n', {}, ["line 2: 1 cells", "line 3: a quote", "line 4: a quote"]),
    "header": ("d.csv", '"a,b\n1,2\n', {}, ["line 1: not a CSV file: a quote is not closed"]),
    "two columns alike": ("d.csv", "a,a\n1,2\n", {}, ["line 1", "'a' stands twice"]),
    "column without a name": ("d.csv", "a,,c\n1,2,3\n", {}, ["line 1", "column 2 has none"]),
    "no line": ("d.csv", "", {}, ["d.csv: is empty"]),
    "two delimiters fit": ("d.csv", "a;b,c\n1;2,3\n", {}, ["a comma or a semicolon", 'delimiter = ","']),
    "no delimiter": ("d.csv", "a,b\n", {"delimiter": "ab"}, ["data.delimiter", "one character"]),
    "letter as delimiter": ("d.csv", "a,b\n", {"delimiter": "x"}, ["data.delimiter", "one character"]),
    "cp932": ("d.csv", "a,b\n1,x\n2,寿司がうまい\n".encode("cp932"), {}, ["line 3: not UTF-8", 'encoding = "cp932"']),
    "cp932 header": ("d.csv", "番号,感想はどう\n1,x\n".encode("cp932"), {}, ["line 1: not UTF-8", 'encoding = "cp932"']),
    "euc-jp": ("d.csv", "a,b\n1,これはすしです\n".encode("euc_jp"), {}, ["line 2: not UTF-8", 'encoding = "euc_jp"']),
    "latin": ("d.csv", "a,b\n1,déjà vu à Zürich\n".encode("cp1252"), {}, ["line 2: not UTF-8", 'encoding = "cp1252"']),
    "far down": ("d.csv", b"a,b\n" + b"1,2\n" * 50_000 + b"1,caf\xe9\n", {}, ["line 50002: not UTF-8", "cp1252"]),
    "packed": ("d.csv.gz", gzip.compress("a,b\n1,déjà\n".encode("cp1252")), {}, ["line 2: not UTF-8", "cp1252"]),
    "jsonl": ("d.jsonl", '{"a": "déjà"}\n'.encode("cp1252"), {}, ["line 1: not UTF-8", "cp1252"]),
    "not as said": ("d.csv", b"a,b\n1,\x82\xa0\x82 \n", {"encoding": "cp932"}, ["line 2: not cp932 text"]),
    "mark and said": ("d.csv", TEXT.encode("utf-16"), {"encoding": "cp932"}, ["data.encoding", "mark of UTF-16"]),
    "utf-16 unmarked": ("d.csv", "a,b\n1,2\n".encode("utf-16-le"), {}, ["looks like UTF-16", "utf-16-le"]),
    "unknown encoding": ("d.csv", "a,b\n", {"encoding": "klingon"}, ["data.encoding", "'klingon'", "cp932"]),
    "no encoding of texts": ("d.csv", "a,b\n", {"encoding": "base64"}, ["data.encoding", "'base64'"]),
    "cut gz": ("d.csv.gz", gzip.compress(TEXT.encode() * 99)[:-9], {}, ["d.csv.gz: cannot be unpacked"]),
    "no gz": ("d.csv.gz", TEXT, {}, ["d.csv.gz: cannot be unpacked"]),
    "bad jsonl": ("d.jsonl", '{"a": 1}\n{"b": 1}\n{\n[]\n', {}, ["line 2: no key 'a'", "line 3: not valid JSON", "line 4: expected"]),
    "bad first object": ("d.jsonl", "[1]\n{\n", {}, ["line 1: expected a JSON object", "line 2: not valid JSON"]),
    "empty jsonl": ("d.jsonl", "\n\n", {}, ["d.jsonl: is empty"]),
    "delimiter of a sheet": ("d.xlsx", sheet(["a"], ["1"]), {"delimiter": ";"}, ["data.delimiter", "says nothing about"]),
    "sheet of a csv": ("d.csv", "a\n1\n", {"sheet": "x"}, ["data.sheet", "says nothing about"]),
    "no such sheet": ("d.xlsx", sheet(["a"], ["1"]), {"sheet": "x"}, ["data.sheet", "no sheet 'x'", "Data"]),
    "which sheet": ("d.xlsx", sheet(["a"], ["1"], more=("Notes",)), {}, ["data.sheet: missing", "Data, Notes"]),
    "no sheet at all": ("d.xlsx", "a,b\n1,2\n", {}, ["d.xlsx: cannot be read as an .xlsx file"]),
    "empty sheet": ("d.xlsx", sheet(), {}, ["d.xlsx: is empty"]),
    "beside the table": ("d.xlsx", sheet(["a", "b"], ["1", "2"], [], ["3", "4", "x"]), {}, ["d.xlsx, row 4: a cell to the right", "'b'"]),
    "old sheet": ("d.xls", b"\xd0\xcf\x11\xe0", {}, ["data.file", "save it as .xlsx"]),
    "packed sheet": ("d.xlsx.gz", b"", {}, ["data.file", "gunzip"]),
    "no parquet": ("d.parquet", "a,b\n1,2\n3,4\n", {}, ["d.parquet: is not a whole Parquet file"]),
    "cut parquet": ("d.parquet", parquet(a=utf8(["1"]))[:-9], {}, ["d.parquet: is not a whole Parquet file"]),
    "spoiled parquet": ("d.parquet", b"PAR1" + bytes(40) + parquet(a=utf8(["1"]))[44:], {}, ["cannot be read as a Parquet file"]),
    "bytes": ("d.parquet", parquet(a=Array([b"\xff"], DataType.binary())), {}, ["column 'a' holds bytes"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(study: Callable, case: str) -> None:
    """File, line as an editor counts it, and what to do; nothing else, and no traceback."""
    name, content, said, words = WRONG[case]
    with pytest.raises(InputError) as refused:
        rows(texts(study, name, content, **said))
    message = str(refused.value)
    assert [word for word in words if word not in message] == [], message
    assert "\n" not in message


def test_a_broken_file_is_not_read_for_ever(study: Callable) -> None:
    """Where every line opens a quote that nothing closes, the first twenty are enough."""
    with pytest.raises(InputError, match="line 2: a quote is not closed") as refused:
        rows(texts(study, "d.csv", "a,b\n" + '1,"x""y\n' * 30_000))
    assert str(refused.value).count("; line ") == 19


def test_values_as_a_person_sees_them(study: Callable) -> None:
    """A sheet's numbers, dates and truths are the text that the sheet shows; blank rows are none."""
    first = [3.0, 0.1 + 0.2, dt.date(2026, 3, 1), dt.datetime(2026, 3, 1, 9, 30), True, 1e20, None]
    table = [["n", "x", "day", "at", "yes", "sum", "no"], first, []]
    found = texts(study, "d.xlsx", sheet(*table, [12345678901234, -0.5, None, None, False, 0, "x "]))
    assert rows(found) == [["3", "0.3", "2026-03-01", "2026-03-01T09:30:00", "TRUE", "1e+20", ""],
                           ["12345678901234", "-0.5", "", "", "FALSE", "0", "x "]]  # fmt: skip
    assert [where for where, _ in found.rows()] == [2, 4]


def test_values_of_parquet(study: Callable) -> None:
    """Typed columns of Parquet as text: whole numbers whole, ISO dates, short floats, nothing for null."""
    int64 = DataType.int64()
    file = parquet(
        i=Array([2**62, None], int64),
        f=Array([3.0, 0.1], DataType.float64()),
        s=Array([0.1, float("nan")], DataType.float32()),
        b=Array([True, None], DataType.bool()),
        d=Array([20513, None], DataType.int32()).cast(DataType.date32()),
        t=Array([1_772_357_400_000_000, None], int64).cast(DataType.timestamp("us")),
        m=utf8(["1.50", None]).cast(DataType.decimal128(10, 2)),
        raw=Array(["é".encode(), b""], DataType.binary()),
    )
    assert rows(texts(study, "d.parquet", file)) == [
        [str(2**62), "3", "0.1", "true", "2026-03-01", "2026-03-01T09:30:00", "1.50", "é"],
        ["", "0.1", "", "", "", "", "", ""],
    ]


# ---- identity


def test_saving_again_begins_no_new_run(study: Callable) -> None:
    """A mark, other line ends, blank lines at the end, packing and another encoding are not content; a letter is."""
    plain = texts(study, "d.csv", "a,b\n1,é\n")
    for name, content, said in [
        ("d.csv", "\ufeffa,b\r\n1,é\r\n\r\n", {}),
        ("d.csv", "a,b\n1,é", {}),
        ("d.csv", "a,b\n1,é\n\n\n", {"delimiter": ","}),
        ("d.csv.gz", gzip.compress("a,b\r\n1,é".encode()), {}),
        ("d.csv", "a,b\r\n1,é\r\n".encode("utf-16"), {}),
        ("d.csv", "a,b\r\n1,é\r\n".encode("cp1252"), {"encoding": "cp1252"}),
    ]:
        assert texts(study, name, content, **said).digest == plain.digest, (name, content)
    for content in ("a,b\n1,e\n", "a,b\n\n1,é\n", "a,b\n1,é \n", "a;b\n1;é\n"):
        assert texts(study, "d.csv", content).digest != plain.digest
    assert texts(study, "d.csv", "a,b\n1,é\n", where="a == '1'").digest != plain.digest


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "a,b\r\n1,2\r\n", "\ufeffa,b\r\n1,2\r\n\r\n", "a,b\n1,2", "a,b\n1,2\n\r\n"])
def test_earlier_digests_stay_known(study: Callable, content: str) -> None:
    """A run of a version that hashed the bytes, or the bytes with CRLF as LF, is not bought again."""
    data = content.encode()
    known = {sha256(data).hexdigest() + "  ", sha256(data.replace(b"\r\n", b"\n")).hexdigest() + "  "}
    found = texts(study, "d.csv", data)
    assert known <= {found.digest, *found.former_digests}
    assert found.digest == sha256(b"a,b\n1,2\n").hexdigest() + "  "


def test_a_sheet_saved_again(study: Callable) -> None:
    """The digest of sheets and Parquet is that of their cells: another sheet beside them does not count, a cell does."""
    first = texts(study, "d.xlsx", sheet(["a"], ["1"]))
    assert texts(study, "d.xlsx", sheet(["a"], ["1"], more=("Notes",)), sheet="Data").digest == first.digest
    assert texts(study, "d.xlsx", sheet(["a"], ["2"])).digest != first.digest


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("とても良いと思いました。", "cp932"), ("とても良いと思いました。", "euc_jp"), ("Größe: naïve façade – “señor”", "cp1252"),
     ("это очень хороший отзыв о товаре, спасибо продавцу", "cp1251")],
)  # fmt: skip
def test_the_likely_encoding(text: str, encoding: str) -> None:
    """The hint names the encoding, or one in which this text is the same."""
    assert text.encode(encoding).decode(likely(text.encode(encoding))) == text


def test_a_file_that_goes_away(study: Callable, tmp_path: Path) -> None:
    """A file that is taken away between two passes is one line too."""
    found = texts(study, "d.csv", "a,b\n1,2\n")
    next(tmp_path.rglob("d.csv")).unlink()
    with pytest.raises(InputError, match="No such file"):
        rows(found)

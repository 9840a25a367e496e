"""Raw output becomes rows: every line accounted for, every format the same rows, no id leaves its folder."""

import csv
import tempfile
from pathlib import Path

import orjson
import pytest
from arro3.io import read_parquet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.files import safe_name
from common.nouns import Question, Result, Usage
from common.results.convert import convert, file_rows
from common.results.origin import ForeignOrigin, Meta
from common.results.raw import Problem, read_raw
from common.results.rows import Row
from common.results.tables import defused, write_csv
from common.results.tally import Tally
from common.results.texts import write_texts
from common.text import iso

ANSWER = "Q1. 面白さ(数値): 80\nQ1. 面白さ(理由): 燕, 「風」\nそして\"海\""
QUESTION = Question("Q1", "面白さ", 0, 100, "数値", "理由")


def line(custom_id, text=ANSWER, **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 500}
    body = {"created": 1790000000, "model": "gpt-4.1-2025-04-14", "choices": [choice], "usage": usage, **more}
    return orjson.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}) + b"\n"


def failure(custom_id):
    error = {"code": "batch_expired", "message": "too late\x1b[31m"}
    return orjson.dumps({"custom_id": custom_id, "response": None, "error": error}) + b"\n"


def read(path, **more):
    return [item for _, item in read_raw(path, **more)]


class Origin(ForeignOrigin):
    """A foreign file whose questions are known all the same."""

    def __init__(self):
        super().__init__(Path("batch_1_output.jsonl"), "openai", ("openai",))
        self.questions = (QUESTION,)


def test_bad_lines_never_stop_the_rest(tmp_path):
    """Malformed, foreign, duplicate and truncated lines are told with their numbers; all others become rows."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + line("a") + b"\r\n\n" + b"{broken\n" + line("a", "again") + b"[1]\n" + b'{"id": 1}\n'
        + line("b").replace(b"\n", b"\r\n") + b'{"custom_id": "n", "response": NaN}\n' + b'{"custom_id":"\xff"}\n'
        + failure("c") + line("d")[:50]
    )  # fmt: skip
    found = list(read_raw(path))
    assert [item.custom_id for _, item in found if isinstance(item, Result)] == ["a", "b", "n", "c"]
    bad = [(number, item.kind) for number, item in found if isinstance(item, Problem)]
    foreign, malformed = "foreign", "malformed"
    assert bad == [
        (4, malformed), (5, "duplicate"), (6, foreign), (7, foreign), (10, malformed), (12, "truncated"),
    ]  # fmt: skip
    assert all(item.line == number for number, item in found if isinstance(item, Problem))


def test_a_last_line_without_its_newline_counts(tmp_path):
    """What can be read is a row, whether or not the file ends as it should."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(line("a").rstrip())
    assert read(path)[0].custom_id == "a"


def test_ids_that_were_not_asked_for(tmp_path):
    """With a known shard, an id of another one is foreign."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(line("a") + line("b"))
    kept, other = read(path, known={"a"})
    assert (kept.custom_id, other.kind) == ("a", "foreign")


def test_both_shapes_are_recognised(tmp_path):
    """A line tells by its own keys which API it is from."""
    message = {"model": "claude-haiku-4-5-20251001", "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn", "usage": {}}
    claude = orjson.dumps({"custom_id": "c", "result": {"type": "succeeded", "message": message}})
    path = tmp_path / "x.jsonl"
    path.write_bytes(line("o") + claude + b"\n")
    assert [result.text for result in read(path)] == [ANSWER, "yes"]


def test_half_an_emoji_does_not_lose_a_paid_answer(tmp_path):
    """An answer cut between the two halves of a surrogate pair is kept, the half replaced."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(line("a", "cut HERE").replace(b"HERE", b"\\ud83d"))
    assert read(path)[0].text == "cut ?"


def test_a_line_too_long(tmp_path):
    """A line beyond the limit is skipped whole, and the next one is read with its right number."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(line("a", "x" * 10_000) + line("b"))
    problem, result = (item for _, item in read_raw(path, longest=4096))
    assert (problem.kind, problem.line, result.custom_id) == ("too long", 1, "b")


KEYS = [
    *("custom_id", "response", "result", "error", "body", "choices", "message", "content", "type", "status_code", "usage"),
    *("model", "created", "prompt_tokens", "completion_tokens", "prompt_tokens_details", "input_tokens", "finish_reason"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(json_values, max_size=6))
@example([{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [{"message": {}}], "usage": {"prompt_tokens": 1e300}}}}])
@example([{"custom_id": "a", "result": {"type": "errored", "error": "text"}}, {"custom_id": "b", "result": {"type": []}}])
def test_any_json_is_survived(values):
    """Whatever lines a file has, each gives a row or a problem, and the rows can be written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.jsonl")
        path.write_bytes(b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values if _fits(value)))
        count = len(list(read_raw(path)))
        for form in ("text", "csv", "parquet", "jsonl"):
            tally = convert([path], form, Path(folder, form), Origin())
            assert tally.rows + tally.bad.total() == count


def _fits(value):
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:  # whole numbers of more than 64 bits
        return False
    return True


HOSTILE = [
    "../../x", "/etc/passwd", "..", ".", "", "CON", "con.a", "nul.txt", "COM1", "a" * 300, "あ" * 100, "a\0b", "a\nb", "C:\\x",
    "a/b", "-rf", "~", " x", "é", "e\u0301", "\u202etxt", "x-0123456789abcdef", "A", "a", "p1_llama33-70Bit_n01_t1", "\u2028",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.text() | st.sampled_from(HOSTILE), unique=True))
@example(HOSTILE)
def test_no_id_leaves_the_folder_or_takes_another_ones_name(ids):
    """Every id has one short, visible, portable file name, and different ids different ones."""
    names = [safe_name(i) for i in ids]
    for name in names:
        assert Path("/f", name).resolve().parent == Path("/f")
        assert len(name.encode()) <= 200
        assert name.isprintable()
        assert name[0] not in ".- "
        assert name.split(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}
    assert len(set(names)) == len(names)


def test_common_ids_keep_their_names():
    """The ids that an experiment makes are file names as they are."""
    assert safe_name("p1_gpt-4.1_n01_t1") == "p1_gpt-4.1_n01_t1.txt"
    assert safe_name("p1_llama33-70Bit_n01_t1") == "p1_llama33-70Bit_n01_t1.txt"
    assert safe_name("本_1") == "本_1.txt"


def test_ids_that_differ_in_case(tmp_path):
    """On a file system that does not know case, no file replaces another one."""
    ids = ("A", "a", "../x", "ß", "SS", "ss")
    write_texts([Row(Meta(i), Result(i, "succeeded", i), None) for i in ids], tmp_path, Origin())
    names = [path.name for path in tmp_path.iterdir()]
    assert len({name.casefold() for name in names}) == 6
    assert "A.txt" in names


def test_a_text_file(tmp_path):
    """A text file says what it is, whose answer, at what price, and gives the answer without terminal escapes."""
    source = tmp_path / "batch_1_output.jsonl"
    source.write_bytes(line("p1_gpt-4.1_n02_t1", ANSWER + "\x1b[31m\x07red", simulated=True) + failure("p2_gpt-4.1_n01_t1"))
    convert([source], "text", tmp_path / "texts", Origin())
    text = (tmp_path / "texts" / "p1_gpt-4.1_n02_t1.txt").read_text("utf-8")
    header, _, answer = text.partition("\n----\n\n")
    assert header.splitlines()[0] == "SIMULATED — a rehearsal answer, not data"
    fields = dict(one.split(": ", 1) for one in header.splitlines()[1:])
    assert fields["Timestamp"] == "2026-09-21T14:13:20Z"
    assert fields["Model"] == "gpt-4.1 (gpt-4.1-2025-04-14)"
    assert fields["Trial"] == "2"
    assert fields["Temperature"] == "unknown"
    assert fields["Finish reason"] == "stop"
    assert fields["Tokens"].startswith("1000 input (0 cached), 500 output")
    assert fields["Price rates"].startswith("1 input, 4 output")
    assert fields["Validation"] == "success (asked)"
    assert answer == ANSWER + "red\n"
    assert "Error: batch_expired (too late" in (tmp_path / "texts" / "p2_gpt-4.1_n01_t1.txt").read_text("utf-8")


def test_all_tables_hold_the_same_rows(tmp_path):
    """CSV, JSONL and Parquet agree, one row per request, numbers as numbers."""
    source = tmp_path / "batch_1_output.jsonl"
    source.write_bytes(line("p1_gpt-4.1_n02_t1") + failure("p2_gpt-4.1_n01_t1"))
    for form in ("csv", "jsonl", "parquet"):
        assert convert([source], form, tmp_path / f"t.{form}", Origin()).rows == 2
    assert (tmp_path / "t.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with open(tmp_path / "t.csv", encoding="utf-8-sig", newline="") as file:
        from_csv = list(csv.DictReader(file))
    from_jsonl = [orjson.loads(one) for one in (tmp_path / "t.jsonl").read_bytes().splitlines()]
    table = read_parquet(tmp_path / "t.parquet").read_all()
    from_parquet = [dict(zip(table.column_names, row)) for row in zip(*(column.to_pylist() for column in table.columns))]
    assert from_jsonl == from_parquet
    assert list(from_csv[0]) == list(from_jsonl[0])
    first, second = from_jsonl
    assert (first["Q1_面白さ"], first["Q1_面白さ_pattern"], first["trial"]) == (80.0, "asked", 2)
    assert first["cost_usd"] == pytest.approx(1000 * 1e-6 + 500 * 4e-6)
    assert (second["outcome"], second["validation"], second["Q1_面白さ"]) == ("expired", "failed", None)
    assert from_csv[0]["answer"] == ANSWER
    assert (from_csv[0]["Q1_面白さ"], from_csv[0]["simulated"], from_csv[1]["Q1_面白さ"]) == ("80", "false", "")
    assert not list(tmp_path.glob("*.part"))


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=5))
@example([("a", "=1+1"), ("b", '"quoted", and\nnew\tline'), ("c", "\x00=cmd|' /C calc'!A0"), ("d", "-5"), ("e", "\u3000＝1")])
def test_csv_round_trip(pairs):
    """Every answer comes back from the CSV as it was, but for control characters and the apostrophe of a formula."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        rows = [Row(Meta(i), Result(i, "succeeded", text, usage=Usage(1)), None) for i, text in pairs]
        assert write_csv(iter(rows), path) == len(pairs)
        assert b"\0" not in path.read_bytes()
        with open(path, encoding="utf-8-sig", newline="") as file:
            back = [(row["custom_id"], row["answer"]) for row in csv.DictReader(file)]
    assert back == [(_visible(defused(i)), _visible(defused(text))) for i, text in pairs]


def test_csv_of_many_blocks(tmp_path):
    """Cells that differ, cells all alike, quotes, commas, formulas and NULs come back from wherever a block of rows ends."""
    answers = ["plain", 'a "b", c', "=1+1", "two\nlines", "\0x", "本", ""]
    rows = [
        Row(Meta(f"id{n}", trial=n, temperature=None if n % 3 else 0.5, persona="p, q" if n > 150 else ""),
               Result(f"id{n}", "succeeded", answers[n % 7], usage=Usage(n % 2)), None, cost=n / 7)
        for n in range(333)
    ]  # fmt: skip
    path = tmp_path / "t.csv"
    assert write_csv(iter(rows), path) == 333
    with open(path, encoding="utf-8-sig", newline="") as file:
        back = list(csv.DictReader(file))
    for n, row in enumerate(back):
        assert row["custom_id"] == f"id{n}"
        assert (row["trial"], row["input_tokens"], row["persona"]) == (str(n), str(n % 2), "p, q" if n > 150 else "")
        assert (row["temperature"], row["simulated"]) == ("" if n % 3 else "0.5", "false")
        assert row["answer"] == _visible(defused(answers[n % 7]))
        assert float(row["cost_usd"]) == pytest.approx(n / 7)


def _visible(text):
    return "".join(c for c in text if c in "\n\t" or not (ord(c) < 32 or 127 <= ord(c) < 160))


@pytest.mark.parametrize("cell", ["=1", "+1+1", "-a", "@x", "\tx", "\rx", " =1", "\n=1", "＝1", "＋1", "－a", "＠x", "\x00=1", "\ufeff=1"])
def test_formulas_are_defused(cell):
    """Nothing that a spreadsheet may run is left as it is."""
    assert defused(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-5", "+3.5", "a=b", "", "80", "面白い"])
def test_what_is_no_formula_stays(cell):
    """Numbers and common text are not touched."""
    assert defused(cell) == cell


def test_a_failed_write_leaves_the_old_table(tmp_path):
    """A table is there whole or not at all: an error in the middle keeps the one before."""
    path = tmp_path / "t.csv"
    path.write_text("before")

    def broken():
        yield Row(Meta("a"), Result("a", "succeeded"), None)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="space"):
        write_csv(broken(), path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_output_and_errors_belong_together(tmp_path):
    """A row that both files of a batch have counts once."""
    one, two = tmp_path / "b_output.jsonl", tmp_path / "b_errors.jsonl"
    one.write_bytes(line("a"))
    two.write_bytes(failure("a") + failure("b"))
    tally = Tally()
    assert [r.result.outcome for r in file_rows([one, two], Origin(), tally)] == ["succeeded", "expired"]
    assert dict(tally.bad) == {"duplicate": 1}


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, ""), (1, "1970-01-01T00:00:01Z"), (1790000000.9, "2026-09-21T14:13:20Z"), (1e300, ""), (float("inf"), "")]
)
def test_times(seconds, told):
    """Unix seconds are told in UTC; what no calendar has is empty."""
    assert iso(seconds) == told


def test_problems_are_counted_by_kind(tmp_path):
    """Whatever the value was, the kind of problem is one; rows without an answer are none."""
    source = tmp_path / "batch_1_output.jsonl"
    told = [ANSWER, ANSWER.replace("80", "101"), ANSWER.replace("80", "900"), "Q1. 面白さ(数値): 5"]
    source.write_bytes(b"".join(line(f"id{n}", text) for n, text in enumerate(told)) + failure("x"))
    tally = convert([source], "jsonl", tmp_path / "t.jsonl", Origin())
    assert tally.as_dict()["answer_problems"] == {"value outside 0–100": 2, "no reason found": 1}
    rows = [orjson.loads(one) for one in (tmp_path / "t.jsonl").read_bytes().splitlines()]
    assert [row["problems"] for row in rows[:3]] == ["", "Q1 面白さ: 101 is outside 0–100", "Q1 面白さ: 900 is outside 0–100"]

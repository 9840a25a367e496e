"""Raw files that somebody packed, marked or joined: every answer that is plainly there becomes a row."""

import csv
import gzip
import json

import pytest

from common.nouns import Result, Usage
from common.results.convert import convert
from common.results.origin import ForeignOrigin
from common.results.raw import Problem, read_raw


def line(custom_id: str, usage: object = None, **more: object) -> str:
    """An output line of the OpenAI shape."""
    choice = {"message": {"content": "七 fine"}, "finish_reason": "stop", **more}
    body = {"model": "gpt-4.1-mini-2025-04-14", "choices": [choice], "usage": usage or {"prompt_tokens": 1, "completion_tokens": 2}}
    return json.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}}, ensure_ascii=False)


TWO = f"{line('a')}\n{line('b')}\n"


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(TWO.encode()), gzip.compress(line("a").encode() + b"\n") + gzip.compress(line("b").encode()),
        TWO.encode("utf-8-sig"), TWO.encode("utf-16"), TWO.encode("utf-16-le"), b"\xfe\xff" + TWO.encode("utf-16-be"),
        gzip.compress(TWO.encode("utf-16")), TWO.replace("\n", "\r\n").encode(), TWO.replace("\n", "\r").encode(),
        f"{line('a')}{line('b')}\n".encode(), f"{line('a')} {line('b')}".encode(), f"[{line('a')}, {line('b')}]".encode(),
        f"\x1e{line('a')}\n\x1e{line('b')}\n".encode(), f"{line('a')}\n\ufeff{line('b')}\n".encode(), b"\n\r\n" + TWO.encode(),
    ],
)  # fmt: skip
def test_both_answers_are_read(tmp_path, raw):
    """Packed without saying so, with any mark, with any line end, two objects on one line."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(raw)
    found = [item for _, item in read_raw(path)]
    assert [(one.custom_id, one.outcome, one.text, one.usage) for one in found] == [
        ("a", "succeeded", "七 fine", Usage(1, 0, 2)), ("b", "succeeded", "七 fine", Usage(1, 0, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_python_writes_for_no_number(tmp_path, value):
    """NaN among logprobs costs no answer; as a count it is unknown."""
    path = tmp_path / "x.jsonl"
    path.write_text(line("a", logprobs=[value]) + "\n" + line("b", usage={"prompt_tokens": value, "completion_tokens": 1}))
    one, two = (item for _, item in read_raw(path))
    assert (one.text, one.usage, two.text, two.usage) == ("七 fine", Usage(1, 0, 2), "七 fine", None)


def test_a_packed_file_that_is_cut(tmp_path):
    """What came before the cut is read, and the cut is told."""
    path = tmp_path / "x.jsonl"
    many = "".join(line(f"a{n}{'é' * n}") + "\n" for n in range(4000))
    path.write_bytes(gzip.compress(many.encode())[:-2000])
    *rows, last = (item for _, item in read_raw(path))
    assert len(rows) > 1000 and all(type(one) is Result for one in rows)
    assert isinstance(last, Problem) and last.kind == "truncated"


def test_a_broken_object_behind_a_whole_one(tmp_path):
    """The whole one is a row, the other is told."""
    path = tmp_path / "x.jsonl"
    path.write_text(line("a") + "{broken\n")
    row, problem = (item for _, item in read_raw(path))
    assert (row.custom_id, problem.kind, problem.line) == ("a", "malformed", 1)


def test_unknown_tokens_are_empty_cells(tmp_path):
    """An answer without usage has no tokens and no cost in any format, and is counted as such."""
    source = tmp_path / "batch_1_output.jsonl"
    source.write_text(line("a", usage="?") + "\n" + line("b") + "\n")
    origin = ForeignOrigin(source, "openai", ("openai",))
    for form in ("csv", "jsonl", "parquet", "text"):
        tally = convert([source], form, tmp_path / f"t.{form}", origin)
    assert tally.as_dict()["tokens"] == {"answers_without_usage": 1, "input": 1, "output": 2}
    with open(tmp_path / "t.csv", encoding="utf-8-sig", newline="") as file:
        unknown, known = csv.DictReader(file)
    names = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_usd")
    assert [unknown[name] for name in names] == [""] * 5
    assert known["input_tokens"] == "1" and float(known["cost_usd"]) > 0
    assert "\nTokens: unknown\n" in (tmp_path / "t.text" / "a.txt").read_text("utf-8")

"""The mark at the end of ids in a raw file of nobody's run is taken off only where it is certain."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from common.results.convert import file_rows
from common.results.marked import mark_in
from common.results.origin import ForeignOrigin
from common.results.tally import Tally

TWO = ["p1_m_n01_t1-0123abcd", "p1_m_n02_t1-0123abcd", "p1_m_n01_t2-0123abcd"]
CASES = [
    (TWO, ("0123abcd", True)),
    (TWO[:2], ("0123abcd", False)),  # of one text, whose own name may end so
    ([*TWO, "p1_m_n02_t2-ffffffff"], ("", False)),
    ([*TWO, "p1_m_n02_t2"], ("", False)),
    (["a", "b"], ("", False)),
    (["a-0123abcd", "b-0123abcd"], ("0123abcd", True)),
    (["p1_m_n01_t1-0123ABCD", "p1_m_n01_t2-0123ABCD"], ("", False)),
    ([], ("", False)),
]


def raw(path: Path, ids: list[str]) -> Path:
    """A results stream whose answers speak of ids too."""
    message = {"model": "m", "content": [{"type": "text", "text": 'said "custom_id": "x"'}], "stop_reason": "end_turn"}
    rows = [{"custom_id": name, "result": {"type": "succeeded", "message": message}} for name in ids]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


@pytest.mark.parametrize(("ids", "found"), CASES)
def test_a_mark_is_certain_or_not(tmp_path: Path, ids: list[str], found: tuple[str, bool]) -> None:
    """All ids end alike, and they are of several texts."""
    assert mark_in([raw(tmp_path / "x_output.jsonl", ids)]) == found


def test_rows_without_marks(tmp_path: Path) -> None:
    """With a mark the rows have the ids of the seed, taken apart as ever; without one they stay as they are."""
    file = raw(tmp_path / "x_output.jsonl", TWO)
    for mark, end in (("0123abcd", ""), ("", "-0123abcd")):
        rows = list(file_rows([file], ForeignOrigin(file, "claude", ("anthropic",), None, mark), Tally()))
        assert [row.meta.custom_id for row in rows] == [name[:-9] + end for name in TWO]
        assert [row.meta.text for row in rows] == [f"t1{end}", f"t1{end}", f"t2{end}"]

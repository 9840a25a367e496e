"""Parquet holds every cell as it was, and what goes wrong on the way is told as it is."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from arro3.io import read_parquet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.nouns import Result, Usage
from common.results.parquet import write_parquet
from common.results.rows import Meta, Row, columns

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = st.integers(-(2**63), 2**63 - 1)
COSTS = st.none() | st.floats()


def from_columns(path: Path) -> list[dict]:
    """The rows of a Parquet file."""
    table = read_parquet(path).read_all()
    return [dict(zip(table.column_names, row)) for row in zip(*(column.to_pylist() for column in table.columns))]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(), NUMBERS, COSTS), min_size=1, max_size=5))
@example([("NUL", "a\0b\r\n\x85", 2**63 - 1, math.inf), ("long", "長" * 400_000, 0, None), ("", "\ufeff", -(2**63), -0.0)])
def test_parquet_round_trip(rows):
    """Every cell comes back from Parquet as it was: any text, 64-bit numbers, floats that are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.parquet")
        records = [Row(Meta(i), Result(i, "succeeded", text, usage=Usage(n)), None, cost=cost) for i, text, n, cost in rows]
        assert write_parquet(iter(records), path) == len(rows)
        back = [(row["custom_id"], row["answer"], row["input_tokens"], row["cost_usd"]) for row in from_columns(path)]
    assert repr(back) == repr(rows)


def test_parquet_of_many_groups(tmp_path):
    """Rows keep their order over groups, and an empty table has its columns."""
    rows = [Row(Meta(f"id{n}", trial=n if n % 3 else None), Result(f"id{n}", "succeeded"), None) for n in range(4_321)]
    assert write_parquet(iter(rows), tmp_path / "t.parquet") == len(rows)
    assert [row["trial"] for row in from_columns(tmp_path / "t.parquet")] == [row.meta.trial for row in rows]
    assert write_parquet(iter(()), tmp_path / "none.parquet") == 0
    assert read_parquet(tmp_path / "none.parquet").schema.names == [name for name, _ in columns(())]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "no such disk"), ValueError("a bug")])
def test_parquet_passes_errors_on(tmp_path, error):
    """What goes wrong while rows are read is told as it is, and no file is left."""

    def broken():
        yield from [Row(Meta(f"id{n}"), Result(f"id{n}", "succeeded"), None) for n in range(3_000)]
        raise error

    with pytest.raises(type(error)) as seen:
        write_parquet(broken(), tmp_path / "t.parquet")
    assert seen.value is error
    assert not list(tmp_path.iterdir())


def test_parquet_on_a_full_disk(tmp_path):
    """A disk that takes no more is an OSError, not the engine's panic, and no file is left."""
    code = (
        "import resource, sys; from pathlib import Path; from common.results.parquet import write_columns\n"
        "from common.files import whole_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        "    write_columns(file, [('a', str)], ([[str(n * 7919 ** 9) * 99]] for n in range(9_000)), 100)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "t.parquet"], capture_output=True, text=True, cwd=ROOT)
    assert "OSError" in done.stderr.splitlines()[-1] and "panic" not in done.stderr
    assert not list(tmp_path.iterdir())

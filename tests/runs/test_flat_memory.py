"""Peak memory does not grow with the number of requests: planning, submit and collect, and converting. Nothing is timed.

2,000 against 120,000 requests where they are planned. What costs more takes fewer: on their way through the batch service a
batch as full as OpenAI allows, whose ids may be held, and half of another one, which must not add to that; and in the
converter, where as much a line is noticed, 60,000 at half the growth. No limit is bent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import convert_rows, inputs, plan_rows, send_rows
from bench.measure import MB, python
from bench.rows import Bench
from bench.service import service

SMALL, LINES, HALF, LARGE = 2_000, 60_000, 75_000, 120_000
MOST = 120 * MB
GROWTH = 14 * MB  # the ids of one full batch of 50,000 take about 10


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A place to work in; the bench's own functions count and check what comes out."""
    return Bench(tmp_path)


def test_planning_is_flat(bench: Bench) -> None:
    """A hundred times the trials are planned in the same memory."""
    experiment = inputs.study(bench.place("study"), 100)
    small, large = (plan_rows.dry_run(bench, experiment, n, *plan_rows.study(bench, n)).rss for n in (SMALL, LARGE))
    assert large - small < GROWTH


def test_a_data_set_is_flat(bench: Bench) -> None:
    """A data set is read row by row, and its ids are compared without being held."""
    small, large = (plan_rows.dry_run(bench, inputs.data_set(bench.place("data"), n, 30), n).rss for n in (SMALL, LARGE))
    assert large - small < GROWTH


def test_submit_and_collect_is_flat(bench: Bench) -> None:
    """Beyond one full batch, more requests take no more memory on their way to the table."""
    experiment = inputs.study(bench.place("study"), 30)
    small, large = (send_rows.collected(bench, experiment, n, planned=True).rss for n in (SMALL, HALF))
    assert large - small < GROWTH


def test_an_sdk_finds_room_beside_nothing(bench: Bench) -> None:
    """What has counted the prompts is let go of before the larger SDK is loaded."""
    experiment, results = inputs.study(bench.place("study"), 30), bench.place("sent")
    what = ("--experiment", experiment, "--model", "claude-haiku-4-5", "--results", results, *plan_rows.study(bench, 12))
    with service(bench.folder) as here:
        sent = python("claude_example.py", "--batch", "--no-wait", *what, *send_rows.FREE, env=here.env)
    assert sent.rss < MOST


@pytest.mark.parametrize(("form", "least"), [("csv", SMALL), ("parquet", 20_000)])
def test_converting_is_flat(bench: Bench, form: str, least: int) -> None:
    """Many lines, in several files, are converted in the memory of few.

    Parquet begins with ten row groups: the engine keeps what its first ones took.
    """
    experiment, folder = inputs.study(bench.place("study"), 30), bench.place("raw")
    few = [inputs.raw_output(folder / "few_output.jsonl", least, longest=25)]
    many = [inputs.raw_output(folder / f"many_{n}_output.jsonl", LINES // 4, longest=25) for n in range(4)]
    small = convert_rows.converted(bench, few, form, experiment, least).rss
    large = convert_rows.converted(bench, many, form, experiment, LINES).rss
    assert large - small < GROWTH / 2

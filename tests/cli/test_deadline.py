"""Checks deadlines: what a time means, what is said of it, and that a rescue asks nothing twice."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from common.cli.by import verdict
from common.cli.values import by
from common.runs.pace import Estimate
from tests.cli.scripts import INPUT, OK, table
from tests.support import Commands

NOON = datetime(2026, 11, 28, 12, 0).timestamp()


@pytest.mark.parametrize(
    ("text", "then"),
    [("18:00", datetime(2026, 11, 28, 18)), ("9:30", datetime(2026, 11, 29, 9, 30)), ("12:00", datetime(2026, 11, 29, 12)),
     ("2026-12-01T06:00", datetime(2026, 12, 1, 6))],
)  # fmt: skip
def test_a_time_is_the_next_one(text: str, then: datetime) -> None:
    """What is past today is tomorrow."""
    assert by(text, NOON) == then.timestamp()


@pytest.mark.parametrize("text", ["25:00", "six", "18", "2026-11-28T11:00", "2026-13-01T00:00"])
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    """In one line."""
    with pytest.raises(argparse.ArgumentTypeError):
        by(text, NOON)


def test_the_verdict_says_how_it_is_known() -> None:
    """Likely where three of four end in time, not likely where three of four do not; else, and without any pace, it says so."""
    found = Estimate(3600.0, 5000.0, 7200.0, "9 earlier batches of m")
    assert verdict(found, 7200.0).startswith("likely met") and verdict(found, 3000.0).startswith("not likely to be met")
    assert verdict(found, 5000.0).startswith("uncertain") and "9 earlier" in verdict(found, 1.0)
    assert verdict(Estimate(None, None, None, "no earlier batch to tell by"), 1.0) == "cannot be told (no earlier batch to tell by)"


def test_what_is_not_back_in_time_is_asked_row_by_row(worlds: Callable, tmp_path, study) -> None:
    """A batch that hangs half done is cancelled, waited for and collected; only the other half is asked again."""
    world = worlds(speed=3000)
    world.reset()
    commands = Commands(world, tmp_path / "results")
    world.service.faults({"call": "batches.create", "action": {"fate": {"stuck": True}}})
    soon = (datetime.now() + timedelta(hours=1, seconds=2)).isoformat()  # so the rescue begins in two seconds
    words = ("--experiment", study(trials="20"), "--model", "gpt-4.1", "--no-texts")
    done = commands("openai", "--batch", *words, "--by", soon, "--rescue", "60")
    assert done.code == OK, done.said
    assert "cannot be told (no earlier batch to tell by)" in done.out and "asked row by row" in done.out
    (billed,) = [create["billed_rows"] for create in commands.creates()]
    assert billed and f"sum: 20 planned = {billed} taken over + {20 - billed} succeeded" in done.out, done.said
    (folder,) = (commands.results / "openai").glob("*-live")
    assert len(table(folder)) == 20


@pytest.mark.parametrize("words", [("--rescue",), ("--by", "18:00", "--rescue", "--live"), ("--by", "18:00", "--rescue", "--fresh")])
def test_a_rescue_needs_batches_and_a_time(run: Commands, words: tuple[str, ...]) -> None:
    """And answers that may be taken over."""
    end = run("openai", "--batch", *words) if "--live" not in words else run("openai", *words)
    assert end.code == INPUT and "--rescue goes with --by" in end.error

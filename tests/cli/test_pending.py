"""What is still to come is told as that: exit codes of --no-wait, the column of the table, and what waits to be sent again."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.cli.scripts import OK, UNFINISHED, only_run
from tests.support import Commands, later

ROWS = {"share": 0.5, "status": 500, "code": "server_error", "message": "try later", "times": 1}


def test_submitted_as_told(still: Commands, study: Callable) -> None:
    """--no-wait that submitted all ends with 0; what is pending is a column of its own, which a finished run has not."""
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    begun = still(*command, "--no-wait")
    header, _, row = _table(begun.out)
    assert (begun.code, header.split()[5:7], re.split(r"  +", row)[3:7]) == (OK, ["failed", "pending"], ["2", "0", "0", "2"]), begun.out
    later(still)
    done = still(*command)
    assert (done.code, "pending" in _table(done.out)[0]) == (OK, False)


def test_no_wait_with_rows_that_failed_for_good(still: Commands, study: Callable) -> None:
    """--no-wait on a run whose rows are collected and not clean is not well: exit 1."""
    rows = {**ROWS, "share": 1.0, "status": 400, "code": "content_policy_violation", "times": -1}
    still.world.control("faults", [{"call": "batches.create", "times": -1, "action": {"fate": {"rows": rows}}}])
    command = ("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert still(*command, "--no-wait").code == OK
    later(still)
    assert still(*command).code == UNFINISHED
    assert still(*command, "--no-wait").code == UNFINISHED


def test_status_says_what_waits(still: Commands, study: Callable) -> None:
    """After a look that collected a batch with passing failures: how many requests wait to be sent again, and what sends them."""
    command = ("openai", "--experiment", study(trials="40"), "--model", "gpt-4.1")
    assert still(*command).code == OK
    name = only_run(still.results, "openai").name
    assert "planned only: nothing of it was sent" in still("openai", "--status", name).out
    still.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"fate": {"rows": ROWS}}}])
    assert still(*command, "--batch", "--no-wait").code == OK
    assert "wait to be sent" not in still("openai", "--status", name).out
    later(still)
    batch = still.creates()[0]["batch_id"]
    for wanted in (batch, name):
        seen = still("openai", "--status", wanted)
        (count,) = re.findall(r"(\d+) requests wait to be sent again, by the run's own command, or by make collect", seen.out)
        assert 0 < int(count) < 40
    waiting = still("openai", "--status", name, "--json")
    assert (waiting.code, waiting.json["waiting"]) == (UNFINISHED, {"first": 0, "again": int(count), "started": True})
    assert len(still.creates()) == 1


def _table(said: str) -> list[str]:
    """The lines of the table of runs: header, rule and rows."""
    lines = said.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("provider"))
    return lines[start : start + 3]

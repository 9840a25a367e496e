"""make status without an ID: every host is asked, nothing is changed; and the sums that it and the dashboard show."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from common.cli import tool_options
from common.cli.folder import looked_at
from common.nouns import State
from common.runs.board import BoardMemory, board
from common.runs.overview import is_open
from tests.cli.scripts import INPUT, OK
from tests.cli.test_collect import FAILING, collected
from tests.cli.test_study import asked
from tests.support import Commands, later


def status(run: Commands, *argv: object, env: dict[str, str] | None = None) -> tuple[int, str]:
    """`make status` with some options: its exit code and what it said."""
    end = run.make("status", *argv, env=env)
    return end.code, end.said


def content(results: Path) -> tuple:
    """All that a look could change, but for the pace of the calls that it makes."""
    with sqlite3.connect(results / "journal.db") as db:
        rows = [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("runs", "shards", "events")]
    db.close()
    files = [path for path in results.rglob("*") if path.is_file() and not path.name.startswith("journal.db")]
    return rows, {path: path.stat().st_mtime_ns for path in files if path.parent != results / "rates"}


def test_every_host_is_asked_and_nothing_changed(still: Commands, study: Callable) -> None:
    """A study at three providers, from sent to fetched: what has ended is told, not fetched; what waits is told, not sent."""
    still.world.control("faults", FAILING)
    assert asked(still, study(trials="20"), "--batch", "--no-wait").code == OK
    before = content(still.results)
    code, said = status(still)
    assert (code, said.count("0 of 20 done"), said.count("unknown"), "make collect" in said) == (OK, 3, 3, False), said
    later(still)
    code, said = status(still)
    assert (code, said.count("20 of 20 done"), "ended, not fetched yet: 3; make collect fetches them" in said) == (OK, 3, True), said
    assert content(still.results) == before
    code, said = status(still, "--offline")
    assert (code, " of 20 done" in said) == (OK, False)
    code, said = status(still, env={"OPENAI_API_KEY": ""})
    lacks = "not asked: openai/small-" in said and ": no OPENAI_API_KEY" in said
    assert (code, said.count("20 of 20 done"), lacks) == (INPUT, 2, True), said
    assert (content(still.results), len(still.creates())) == (before, 3)
    assert status(still, "--watch", "1", "--offline", "small")[0] == INPUT


def test_watched_to_the_end(still: Commands, study: Callable) -> None:
    """Without a terminal a table per change and no escapes; it ends by itself once nothing is open."""
    assert asked(still, study(), "--batch", "--no-wait").code == OK
    watch = still.start("python -u -m tools.status --watch=0.1 --offline")
    first = watch.line()
    later(still)
    assert collected(still).code == OK
    end = watch.ended()
    assert (end.code, end.out.splitlines()[-1], "\x1b" in first + end.said) == (OK, "nothing is open", False), end.said
    tables = [table.rstrip() for table in (first + end.out.removeprefix(first)).split("provider/run")[1:]]
    assert 2 <= len(tables) == len({*tables}) <= 8, tables  # each of three runs changes twice at most


def test_the_sums(still: Commands, study: Callable) -> None:
    """Money, queue and requests by the journal alone; which runs are open is as other commands have it."""
    still.world.control("faults", FAILING)
    assert asked(still, study(trials="20"), "--batch", "--no-wait").code == OK
    assert still("openai", "--experiment", study(), "--model", "gpt-4.1", "--no-wait", "--run", "planned").code == OK
    memory = BoardMemory()
    with looked_at(still.results) as journal:
        found = board(journal, memory=memory)
        assert {stand.run.key for stand in found.open} == {run.key for run in journal.runs() if is_open(journal, run)}
        reserves = [shard.reserve for run in journal.runs() for shard in journal.shards(run, State.SUBMITTED)]
    assert [stand.run.name for stand in found.closed if stand.is_plan] == ["planned"] and len(found.closed) == 1
    assert found.in_flight[False].usd == pytest.approx(sum(reserves)) and found.spent == {}
    assert [(one.batches, one.requests) for one in found.queue] == [(1, 20)] * 3
    later(still)
    collected(still)
    with looked_at(still.results) as journal:
        found, again = board(journal), board(journal, memory=memory)
        assert [(one.run, one.rows) for one in found.closed + found.open] == [(one.run, one.rows) for one in again.closed + again.open]
        assert found.spent == again.spent
        spent = sum(shard.spent for run in journal.runs() for shard in journal.shards(run, State.COLLECTED))
        month_on = board(journal, found.now + 32 * 86_400)
    (stand,) = found.open
    again = stand.rows["server_error"]
    assert (stand.answered, stand.in_flight + stand.unsent, stand.failed, again > 0) == (20 - again, again, 0, True)
    assert sum(stand.answered for stand in found.closed) == 40
    assert found.spent[True].usd == pytest.approx(spent) and spent > 0 and False not in found.spent and month_on.spent == {}


def test_options_that_go_with_all_runs_are_of_status_alone() -> None:
    """--watch takes seconds, or ten."""
    parse = tool_options.target("status").parse_args
    assert (parse(["--watch"]).watch, parse(["--watch", "3"]).watch, parse([]).watch) == (10.0, 3.0, None)

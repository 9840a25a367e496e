"""make collect: one look at every open run; it sends what was told to be sent, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.cli.scripts import INPUT, OK, UNFINISHED, only_run, table
from tests.cli.test_study import MODELS, asked
from tests.support import QUICK, Commands, End, later

ROWS = {"share": 0.5, "status": 500, "code": "server_error", "message": "try later", "times": 1}
FAILING = [{"call": "batches.create", "times": 1, "action": {"fate": {"rows": ROWS}}}]


def collected(run: Commands, *more: str, env: dict[str, str] | None = None) -> End:
    """The command of a cron job."""
    return run.tool("collect", *QUICK, *more, env=env)


def test_a_study_to_its_end(still: Commands, study: Callable) -> None:
    """Submitted once; looks collect what has ended, and send again what failed for a passing reason; then all is quiet."""
    assert collected(still).said == ""
    still.world.control("faults", FAILING)
    assert asked(still, study(trials="20"), "--batch", "--no-wait").code == OK
    looked = collected(still)
    assert (looked.code, "3 of 3 runs are still open" in looked.out, len(still.creates())) == (OK, True, 3), looked.said
    later(still)
    first = collected(still)
    assert (first.code, "1 of 3 runs are still open" in first.out, len(still.creates())) == (OK, True, 4), first.said
    later(still)
    last = collected(still)
    assert (last.code, "nothing is open any more" in last.out) == (OK, True), last.said
    again = collected(still)
    assert (again.code, again.said, len(still.creates())) == (OK, "", 4)
    for folder in ("openai", "claude", "deepseek"):
        rows = table(only_run(still.results, folder))
        assert [row["outcome"] for row in rows] == ["succeeded"] * 20
    assert set(still.world.billed().values()) == {1}


@pytest.mark.parametrize("boundary", [4, 9, 14, 19, 24])
def test_killed_anywhere(still: Commands, study: Callable, boundary: int) -> None:
    """A look that is killed in the middle: the next ones finish, and nothing is bought twice."""
    still.world.control("faults", FAILING)
    assert asked(still, study(trials="6"), "--batch", "--no-wait").code == OK
    later(still)
    end = still.world.zygote.run(tool="collect", argv=[*QUICK], env=still.env, kill_at=boundary)
    assert end["code"] == -signal.SIGKILL, end
    for _ in range(4):
        last = collected(still)
        later(still)
    assert (last.code, last.said) == (OK, "")
    assert set(still.world.billed().values()) == {1} and len(still.world.billed()) == 18


def test_what_nobody_told_to_send(still: Commands, study: Callable) -> None:
    """A plan is not started, --retries 0 stays 0, a cancelled run is not taken up, nor a paused one."""
    still.world.control("faults", FAILING)
    base = ("openai", "--experiment", study(trials="20"), "--model", "gpt-4.1", "--no-wait")
    assert still(*base, "--run", "planned").code == OK
    assert collected(still).said == ""
    assert still(*base, "--batch", "--run", "once", "--retries", 0).code == OK
    later(still)
    end = collected(still)
    assert (end.code, "planned only, so not started: planned" in end.out, len(still.creates())) == (UNFINISHED, True, 1), end.said
    assert still(*base, "--batch", "--run", "cancelled").code == OK
    assert still("openai", "--cancel", "cancelled").code == OK
    later(still)
    collected(still)
    quota = {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your current quota"}}
    still.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"status": 429, "body": quota}}])
    assert still(*base, "--batch", "--run", "paused").code not in (OK, UNFINISHED)
    made = still.creates()
    for _ in range(2):
        end = collected(still)
        assert (end.code, "openai/paused" in end.out, "cancelled" in end.out) == (UNFINISHED, True, False), end.said
    assert still.creates() == made


def test_one_trouble_is_its_own(still: Commands, study: Callable) -> None:
    """Without the key of one provider the others are collected; the exit code tells, and nothing is lost."""
    assert asked(still, study(), "--batch", "--no-wait").code == OK
    later(still)
    end = collected(still, env={"OPENAI_API_KEY": ""})
    assert (end.code, "error: openai/small" in end.err, "1 of 3 runs are still open" in end.out) == (INPUT, True, True), end.said
    assert len(table(only_run(still.results, "claude"))) == len(table(only_run(still.results, "deepseek"))) == len(MODELS) - 1
    assert collected(still).code == OK
    assert set(still.world.billed().values()) == {1}

"""What becomes of a run is told to its person's channels once, whoever finds it; it is logged; and cron hears only what is new."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from common import catalog
from common.errors import Denied
from common.reports.runlog import RunLog
from common.runs import notices
from common.runs.journal import Journal
from tests.cli.scripts import INPUT, OK, REFUSED, UNFINISHED, only_run
from tests.hook import Hook, hook
from tests.reports.test_channels import RUN
from tests.service import KEYS, SECRET
from tests.support import QUICK, Commands, later

HOST_WORD = "<!channel>"  # what a host says enters no message
QUOTA = {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": f"You {HOST_WORD} exceeded your current quota"}}
KEY = KEYS["OPENAI_API_KEY"]
HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def channel() -> Iterator[Hook]:
    """A channel that takes messages."""
    with hook() as server:
        yield server


def told(channel: Hook, *more: str) -> dict[str, str]:
    """The environment that names it: as a channel of apprise where there are more, else as NOTIFY_URL, which takes less time."""
    if more:
        return {"NOTIFY_URLS": " ".join([f"json://{channel.place}/geheim", *more])}
    return {"NOTIFY_URL": f"http://{channel.place}/geheim"}


def asked(run: Commands, study: Callable, *more: object, env: dict[str, str]) -> int:
    """The study's command, sent."""
    return run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", *more, env=env).code


def log_of(run: Commands) -> list[dict]:
    """The lines of the only run's log."""
    return [json.loads(line) for line in (only_run(run.results, "openai") / "run.log").read_text(encoding="utf-8").splitlines()]


def test_the_end_is_told_once(run: Commands, study: Callable, channel: Hook) -> None:
    """Once, with the sum and what to type next; one channel that cannot be reached is a warning without its address."""
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"status": 429, "body": {"error": {"message": KEY}}}}])
    first = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", env=told(channel, "json://127.0.0.1:1/geheim"))
    assert (first.code, "reached 1 of 2 channels; not 2 (json)" in first.err, "geheim" in first.said) == (OK, True, False), first.said
    (_, body) = channel.heard[0]
    name = only_run(run.results, "openai").name
    assert body["title"] == f"openai/{name} is finished"
    assert body["message"].splitlines()[::2] == ["Rows: 2 succeeded", f"Next: make report RUN=openai/{name}"]
    assert asked(run, study, env=told(channel)) == run("openai", "--status", name, env=told(channel)).code == OK
    assert len(channel.heard) == 1
    kinds = [line["event"] for line in log_of(run)]
    assert (kinds[0], kinds[-2:], kinds.count("begins")) == ("begins", ["collected", "ends"], 1)
    assert any(line["level"] == "warning" and "429" in line["text"] for line in log_of(run) if "text" in line)
    written = b"".join(path.read_bytes() for path in run.results.rglob("*") if path.is_file())
    assert b"geheim" not in written and b"geheim" not in channel.heard[0][1]["message"].encode()
    log = (only_run(run.results, "openai") / "run.log").read_text(encoding="utf-8")
    assert [word in log for word in (SECRET, "A text.", "You are a reader")] == [False] * 3


def test_collect_finds_it_and_cron_hears_only_news(still: Commands, study: Callable, channel: Hook) -> None:
    """Silence while nothing has happened; two looks at the same time tell the end once."""
    assert asked(still, study, "--no-wait", env=told(channel)) == OK
    quiet = still.tool("collect", "--quiet", *QUICK, env=told(channel))
    assert (quiet.code, quiet.said, channel.heard) == (OK, "", [])
    assert "1 of 1 runs are still open" in still.tool("collect", *QUICK).out
    assert still.tool("collect", "--quiet", "--json").code == INPUT
    later(still)
    looks = [still.start("python tools/collect.py --quiet", told(channel)) for _ in "ab"]
    ends = [look.ended() for look in looks]
    assert [end.code for end in ends] == [OK, OK]
    assert sum("nothing is open any more" in end.out for end in ends) >= 1
    assert len(channel.heard) == 1 and channel.titles()[0].endswith("is finished")
    assert still.tool("collect", "--quiet", env=told(channel)).said == ""


def test_pauses_and_stops(still: Commands, study: Callable, channel: Hook) -> None:
    """A pause is told once, in our words; so is a key that is turned away, however often cron tries; taken up again, it is news anew."""
    fault = {"call": "batches.create", "times": 2, "action": {"status": 429, "body": QUOTA}}
    still.world.control("faults", [fault])
    assert asked(still, study, env=told(channel)) == REFUSED
    assert [still.tool("collect", "--quiet", env=told(channel)).code for _ in "ab"] == [UNFINISHED] * 2
    assert len(channel.heard) == 1 and channel.titles()[0].endswith("is paused")
    assert "quota, balance" in channel.told()[0] and HOST_WORD not in json.dumps(channel.heard)
    assert asked(still, study, env=told(channel)) == REFUSED
    assert len(channel.heard) == 2
    still.world.control("faults", [])
    assert asked(still, study, "--no-wait", env=told(channel)) == OK
    no_key = {**told(channel), "OPENAI_API_KEY": ""}
    assert [still.tool("collect", "--quiet", env=no_key).code for _ in "ab"] == [INPUT] * 2
    assert [title.split(" ", 1)[1] for title in channel.titles()[2:]] == ["has stopped"]


def test_rows_that_failed_for_good(run: Commands, study: Callable, channel: Hook) -> None:
    """The message of a run whose rows failed names the command that asks them again."""
    rows = {"share": 0.5, "status": 400, "code": "invalid_request_error", "message": "=cmd()", "times": -1}
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"fate": {"rows": rows}}}])
    assert run("openai", "--batch", "--experiment", study(trials="40"), "--model", "gpt-4.1", env=told(channel)).code == UNFINISHED
    (text,) = channel.told()
    assert "rows have no clean answer" in text and "=cmd" not in text
    assert text.splitlines()[-1].startswith("Next: python openai_example.py --retry-failed ")


def test_what_only_time_shows(still: Commands, study: Callable) -> None:
    """Half of the host's time without a movement is a standstill; results vanish after 30 days; 80 % of the cap is news."""
    plan = still("openai", "--dry-run", "--json", "--experiment", study(), "--model", "gpt-4.1").json
    cap = plan["max_cost_usd"] * 1.2
    assert asked(still, study, "--no-wait", env={"MAX_COST_USD": str(cap)}) == OK
    with closing(Journal(still.results)) as journal:
        (run,) = journal.runs()
        shards, host, now = journal.shards(run), catalog.hosts()["openai"], time.time()

        def kinds(later: float) -> list[str]:
            return [notice.kind for notice in notices.due(journal, run, shards, host, now + later)]

        assert kinds(11 * HOUR) == ["cap"]
        assert kinds(13 * HOUR) == ["stalled", "cap"]
        assert kinds(26 * DAY) == ["stalled", "expiring", "cap"]
        first, second = (notices.stopped(journal, run, Denied(text, 401)) for text in "ab")
        assert first.key == second.key
        journal.record(shards[0], "ended", state="ended")
        assert notices.stopped(journal, run, Denied("a", 401)).key != first.key


def test_many_that_find_it_at_once(tmp_path: Path) -> None:
    """Of many that note the same news one may tell it; nothing has happened to the run by that."""
    won: list[bool] = []

    def note() -> None:
        with closing(Journal(tmp_path)) as journal:
            won.extend([journal.notify_once(RUN.key, "ended/1"), journal.notify_once(RUN.key, "ended/2")])

    threads = [threading.Thread(target=note) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 10 + [True] * 2
    with closing(Journal(tmp_path)) as journal:
        assert (len(journal.events(RUN)), journal.event_count(RUN)) == (2, 0)


@pytest.mark.parametrize("log", ["folder", "full"])
def test_a_log_that_cannot_be_written(run: Commands, study: Callable, log: str) -> None:
    """Neither a folder in its place nor a full disk changes a run, or says a word."""
    assert run("openai", "--experiment", study(), "--model", "gpt-4.1", "--dry-run").code == OK
    path = only_run(run.results, "openai") / "run.log"
    if log == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/full")
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    assert (end.code, "run.log" in end.said) == (OK, False), end.said


def test_the_test_of_channels(run: Commands, channel: Hook) -> None:
    """make notify-test says which channel works; 1 when one does not, 2 when none is named."""
    assert run.make("notify-test", env={"NOTIFY_URLS": "", "NOTIFY_URL": ""}).code == INPUT
    two = run.make("notify-test", env={**told(channel, f"json://{channel.place}/broken-geheim"), "NOTIFY_URL": f"http://{channel.place}/x"})
    assert (two.code, two.out.splitlines()[-1], "geheim" in two.said) == (UNFINISHED, "2 of 3 channels work", False)


def test_a_log_is_bounded(tmp_path: Path) -> None:
    """However much happens, the log and its older parts stay within a few MB, and every line is JSON."""
    log = RunLog(replace(RUN, folder=tmp_path))
    for _ in range(300):
        log.write("wait", **{f"text{n}": "x\x1b[31m" * 200 for n in range(50)})
    files = sorted(tmp_path.glob("run.log*"))
    assert len(files) == 4 and sum(file.stat().st_size for file in files) < 4.1e6
    assert {json.loads(line)["event"] for line in files[0].read_bytes().splitlines()} == {"wait"}
    assert all(b"\x1b" not in file.read_bytes() and b"\\u001b" not in file.read_bytes() for file in files)


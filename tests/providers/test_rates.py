"""The pace of calls, kept by all processes of a results folder together: by count, by what the host says, and by its 429s."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import catalog, rates
from common.errors import Busy
from common.providers.openai import OpenAIShaped
from common.rates import COUNTED, FORM, LONGEST_HOLD, LONGEST_RESET, RateHeaders, Rates
from common.retry import Clock
from tests.basics import ROOT
from tests.providers.test_wire import KEY, Host, host
from tests.support import Commands
from tests.torture.world import World

__all__ = ["host"]  # a fixture


class Time:
    """A clock that passes only where somebody sleeps, or a test lets it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.clock = Clock(now=lambda: 0.0, steady=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of one account."""
    return tmp_path / "rates" / "openai-0"


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.9, 5.0, 61.0]), min_size=60, max_size=150), st.integers())
def test_a_limit_holds_for_all_together(limit: int, gaps: list[float], seed: int) -> None:
    """In no minute more calls than the limit, whoever makes them; and none waits longer than for the oldest of them to be forgotten."""
    dice, at = random.Random(seed), Time()
    with tempfile.TemporaryDirectory() as folder:
        several = [Rates(limit, lambda: Path(folder) / "rates" / "x", at.clock) for _ in range(3)]
        begun: list[float] = []
        for gap in gaps:
            at.now += gap
            wanted = at.now
            dice.choice(several).wait()
            assert at.now == wanted or at.now <= begun[-limit] + COUNTED + 0.001
            begun.append(at.now)
        for one in several:
            one.close()
    assert all(later - earlier >= 60 for earlier, later in zip(begun, begun[limit:], strict=False))


CALLS = """
import sys, time, urllib.request
from pathlib import Path
from common.providers.answers import rate
from common.rates import Rates
from common.retry import Clock
url, file, limit, seconds = sys.argv[1:]
quick = Clock(steady=lambda: time.monotonic() * 60, sleep=lambda seconds: time.sleep(seconds / 60))
pace = Rates(int(limit), lambda: Path(file), quick) if limit else Rates(None, lambda: Path(file))
input()
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    pace.wait()
    with urllib.request.urlopen(urllib.request.Request(url + "/v1/files", headers={"authorization": "Bearer k"})) as answer:
        if not limit:
            pace.heard(rate(answer.headers))
    print("called", flush=True)
"""


@pytest.mark.parametrize("limit", ["10", ""])
def test_two_processes_and_a_host_that_counts(services: Callable, file: Path, limit: str) -> None:
    """They know its limit of ten calls a minute (here a second), or only its headers: it refuses none of their calls."""
    host = services("--rpm", "10", speed=64)
    host.reset()
    command = [sys.executable, "-c", CALLS, host.base, str(file), limit, "1.1"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with ExitStack() as stack:
        two = [stack.enter_context(subprocess.Popen(command, cwd=ROOT, text=True, **pipes)) for _ in range(2)]
        for one in two:
            one.stdin.write("\n")
            one.stdin.flush()
        ends = [one.communicate(timeout=20) for one in two]
    assert [err for _, err in ends] == ["", ""]
    assert host.control("ledger")["too_fast"] == 0
    assert sum(len(out.splitlines()) for out, _ in ends) > 10, "what is allowed is used up, and a minute later there is more"


def test_a_command_learns_what_the_host_allows(worlds: Callable[..., World], tmp_path: Path, study: Callable) -> None:
    """Nobody has told it of a limit; the host's headers do, and none of its calls is refused."""
    run = Commands(worlds("--rpm", "10", speed=64), tmp_path / "results")
    run.world.reset()
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--poll", "0.001")
    assert (end.code, run.world.control("ledger")["too_fast"]) == (0, 0), end.said
    (kept,) = (tmp_path / "results/rates").iterdir()
    assert kept.name.startswith("openai-")


def test_calls_left_are_spread(file: Path) -> None:
    """Of 100 a minute 10 are left for 55 s: each waits its share; calls under way elsewhere are taken off; then all is as before."""
    at = Time()
    mine, other = (Rates(100, lambda: file, at.clock) for _ in range(2))
    mine.wait()
    other.wait()
    mine.heard(RateHeaders(100, 11, 55.0))
    mine.wait()
    assert at.now == pytest.approx(1005.0)
    other.wait()
    assert at.now == pytest.approx(1010.0)
    at.now += 60
    before = at.now
    for _ in range(50):
        mine.wait()
    assert at.now == before


def test_retry_after_holds_everybody(host: Host, file: Path) -> None:
    """What one is told, the other waits for; where it is long that is said, and the host not asked; the mistake of a host is bounded."""
    first, second = (OpenAIShaped(catalog.hosts()["openai"], f"{host.url}/v1", KEY, {}, lambda: file) for _ in range(2))
    path = "/v1/batches?limit=100"
    with closing(first), closing(second):
        for wish, least in (("0.4", 0.4), ("1e9", 0.0), ("-5", 0.0), ("nan", 0.0)):
            host.says("GET", path, {"error": {"message": "slow down"}}, 429, Retry_After=wish)
            with pytest.raises(Busy):
                list(first.listing())
            host.says("GET", path, {"data": []})
            began = time.monotonic()
            assert list(second.listing()) == []
            assert least - 0.05 <= time.monotonic() - began < least + 0.25
        host.says("GET", path, {"error": {"message": "Enqueued token limit reached. Limit: 9 enqueued tokens"}}, 429, Retry_After="80000")
        with pytest.raises(Busy):
            list(first.listing())
        host.says("GET", path, {"error": {"message": "slow down"}}, 429, Retry_After="80000")
        with pytest.raises(Busy, match="slow down"):  # a full queue had held back nobody
            list(second.listing())
        asked = len(host.seen)
        with pytest.raises(Busy, match="every command of this results folder") as raised:
            list(first.listing())
        assert (LONGEST_HOLD - 5 < raised.value.retry_after <= LONGEST_HOLD, len(host.seen)) == (True, asked)


HOLDS = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); time.sleep(60)"


def test_a_process_that_holds_the_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it lives and does not move, a call goes by its own process's count; when it is killed, the lock is free."""
    monkeypatch.setattr(rates, "LOCK_TRIES", 20)
    file.parent.mkdir()
    at = Time()
    pace = Rates(2, lambda: file, at.clock)
    pace.wait()
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(file)], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        written = file.read_bytes()
        pace.wait()
        assert at.now == 1000
        pace.wait()
        assert at.now == 1000 + COUNTED
        assert file.read_bytes() == written
        holder.kill()
    pace.wait()
    assert file.read_bytes() != written
    pace.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A process keeps its own pace."""
    (tmp_path / "file").touch()
    at = Time()
    pace = Rates(3, lambda: tmp_path / "file" / "rates" / "x", at.clock)
    for _ in range(4):
        pace.wait()
    assert at.now == 1000 + COUNTED


def test_a_machine_started_anew(file: Path) -> None:
    """Its steady clock begins anew too: what was noted before says nothing."""
    for now in (5_000_000.0, 100.0):
        at = Time(now)
        with closing(Rates(1, lambda: file, at.clock)) as pace:
            pace.wait()
            pace.hold(3000.0)
        assert at.now == now


@settings(deadline=None, max_examples=80)
@given(data=st.one_of(st.binary(max_size=400), st.binary(min_size=FORM.size, max_size=FORM.size), st.lists(
    st.one_of(st.integers(0, 2000), st.integers(-(1 << 63), (1 << 63) - 1)), min_size=7, max_size=7).map(
        lambda found: FORM.pack(*found, *[found[1] % (1 << 32)] * COUNTED))))
def test_a_garbled_file(data: bytes) -> None:
    """Whatever stands in it, a call is made within a minute, or told of a pause of an hour at most."""
    at = Time()
    with tempfile.TemporaryDirectory() as folder, closing(Rates(None, lambda: Path(folder) / "x", at.clock)) as pace:
        (Path(folder) / "x").write_bytes(data)
        with suppress(Busy):
            pace.wait()
            pace.heard(RateHeaders(5, 5, 5.0))
            pace.hold(5.0)
        assert at.now <= 1000 + LONGEST_RESET + COUNTED


@pytest.mark.parametrize("said", [RateHeaders(1, 0, 1e12), RateHeaders(999_999_999, 0, -3600.0), RateHeaders(None, 999_999_999, 0.0)])
def test_absurd_words_are_bounded(file: Path, said: RateHeaders) -> None:
    """No header stops a call for more than about a minute."""
    at = Time()
    with closing(Rates(None, lambda: file, at.clock)) as pace:
        for _ in range(3):
            before = at.now
            pace.wait()
            pace.heard(said)
            assert at.now - before <= max(LONGEST_RESET, COUNTED)

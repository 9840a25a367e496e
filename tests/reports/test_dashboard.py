"""The dashboard over HTTP, as its own process serves it: who may see it, that it changes nothing, and that nothing in it is markup."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from common import cli
from common.nouns import Run, Shard, State
from common.runs.journal import Journal
from tests.basics import ROOT
from tests.cli.scripts import INPUT, OK
from tests.service import HTTP

EVIL = '<script>alert(1)</script>\x1b[31m"\u202e=1+1'
PASSWORD = "correct horse"
KNOWS = {"authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()}


def fill(results: Path) -> None:
    """Runs of every kind in a journal, with hostile words wherever a host or a person may put some."""
    with closing(Journal(results, lambda: 1_000_000.0)) as journal:
        for n, (address, states) in enumerate([
            ("https://api.example", [State.SUBMITTED, State.OWED, State.COLLECTED, State.PLANNED]), ("local", [State.SUBMITTED]),
            *[("local", [State.COLLECTED])] * 21, ("https://api.example", [State.PLANNED]),
        ]):  # fmt: skip
            name = f"run-{n}"
            folder = results / "openai" / name
            run = Run(f"openai/{name}", name, f"d{n}", "openai", "openai", address, EVIL, "x", folder, 1000.0 + n, (EVIL,))
            shards = [shard(run, number, state) for number, state in enumerate(states, 1)]
            run = replace(run, planned=sum(one.count for one in shards), paused=EVIL if n == 0 else "")
            sent = [(1.0, one.n, "submitting", {}) for one in shards if one.state is not State.PLANNED]
            journal.take_in(run, shards, sent, [])


def shard(run: Run, n: int, state: State) -> Shard:
    """A shard of ten requests, five of which have an answer once they have come."""
    tally = {"succeeded": 5, EVIL: 5} if state is State.COLLECTED else {}
    return Shard(
        run.key, n, n, 1, Path("s"), "", 10, 1, 700, 0.25, EVIL, 64, f"{run.name}-{n}", state=state, batch_id=f"{EVIL}{run.name}{n}",
        intent_at=1_000_000.0, tally=tally, spent=0.5, note=EVIL, collected_at=2e9,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its address and the results folder. It ends cleanly, though a stream is still open."""
    results = tmp_path_factory.mktemp("results")
    fill(results)
    env = {**os.environ, "RESULTS_DIR": str(results), "DASHBOARD_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "tools.dashboard", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[1], results
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (OK, "")
    finally:
        process.kill()
        process.wait(20)


def get(address: str, path: str = "", **headers: str) -> httpx2.Response:
    return HTTP.get(f"{address}{path}", headers={**KNOWS, **headers})


class Tags(HTMLParser):
    """What a browser makes elements of, and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += f" {data} "


def test_nothing_foreign_is_markup(page: tuple[str, Path]) -> None:
    """One script, our own, by its address; no inline style; no control and no mark that turns the direction of a line."""
    answer = get(page[0])
    seen = Tags(answer.text)
    assert answer.status_code == 200 and "script alert(1)" not in answer.text
    assert [attrs for tag, attrs in seen.tags if tag == "script"] == [{"src": "dashboard.js", "defer": None}]
    assert not [attrs for _, attrs in seen.tags if any(name == "style" or name.startswith("on") for name in attrs)]
    assert "alert(1)" in seen.words and not set(answer.text) & {"\x1b", "\u202e"}
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy


def test_what_it_says(page: tuple[str, Path]) -> None:
    """Open runs, money apart from what is simulated, what is owed, pages of the ended, and a refresh where scripts are off."""
    text = " ".join(Tags(get(page[0]).text).words.split())
    assert "Open runs 2" in text and "5 of 50 requests answered" in text
    assert "at most $0.5000 as if $0.2500 in rehearsals" in text  # what is submitted and owed, and the rehearsal's
    assert "openai/run-0 : batches owed by the provider: 1" in text and "openai/run-0 waits for you" in text
    assert "perhaps gone already" in text and "no earlier batch to tell by" in text
    assert "1 of 2 pages, 21 runs older" in text and "openai/run-2 " not in text
    assert "openai/run-2 " in " ".join(Tags(get(page[0], "?page=1").text).words.split())
    assert "openai/run-2 " in Tags(get(page[0], "?page=99999").text).words and get(page[0], "?page=x").status_code == 200
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in get(page[0]).text


def test_who_may_see_it(page: tuple[str, Path]) -> None:
    """Nothing without the password, nothing under another name, nothing but reading."""
    for path in ("", "events", "dashboard.js", "nothing"):
        for wrong in ("", "Basic bm8=", "Basic !", "Bearer x", "Basic " + base64.b64encode(b"me:correct hors").decode()):
            answer = HTTP.get(page[0] + path, headers={"authorization": wrong} if wrong else {})
            assert (answer.status_code, answer.headers["www-authenticate"][:5]) == (401, "Basic"), (path, wrong)
    assert get(page[0], host="evil.example").status_code == 403
    assert HTTP.post(page[0], headers=KNOWS).status_code == 405


def test_it_stays_fresh_and_changes_nothing(page: tuple[str, Path]) -> None:
    """The stream brings what the page has; the results folder stays as it was."""
    address, results = page
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file() and not path.name.endswith("-shm")}
    with HTTP.stream("GET", f"{address}events", headers=KNOWS) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = []
        for line in stream.iter_lines():
            if not line:
                break
            lines.append(line)
    assert all(line.startswith("data: ") for line in lines)
    assert "Open runs" in Tags("\n".join(line[6:] for line in lines)).words
    after = {path: path.read_bytes() for path in results.rglob("*") if path.is_file() and not path.name.endswith("-shm")}
    assert after == before


@pytest.mark.parametrize(("argv", "password", "said"), [
    (["--host", "192.0.2.1"], "", "put a DASHBOARD_PASSWORD into .env first"),
    (["--host", "192.0.2.1"], PASSWORD, "nothing can listen there"),
    ([], "short", "take 8 characters or more"),
])  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, argv: list[str], password: str, said: str
) -> None:
    """One line, exit 2, nobody listens: without a password others see nothing."""
    Journal(tmp_path).close()
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path))
    monkeypatch.setenv("DASHBOARD_PASSWORD", password)
    assert cli.make("dashboard", argv) == INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line

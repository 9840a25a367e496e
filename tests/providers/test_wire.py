"""Plain requests as a host sees them: what is sent, where the key goes, and what odd answers become."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from common import catalog
from common.errors import Broke, Busy, Denied, InputError, Refused, Unknown, Unreached
from common.nouns import Batch, Shard
from common.providers import account as accounts
from common.providers.anthropic import Anthropic
from common.providers.http import segment
from common.providers.openai import OpenAIShaped
from tests.basics import ROOT, python
from tests.support import Commands, wait_for

KEY = "sk-a-key-of-this-test"
ROWS = b'{"custom_id":"a"}\n'


class Host:
    """A bare HTTP server that keeps what it is sent and answers as told: `answers[(method, path)] = (status, headers, body)`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[tuple[str, str], tuple[int, dict[str, str], bytes]] = {}
        self.broken = 0  # requests that ended before their end
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:
                    host.broken += 1
                    return
                host.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, content = host.answers.get((self.command, self.path), (404, {}, b"{}"))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, method: str, path: str, answer: object, status: int = 200, **headers: str) -> None:
        """Set the answer to a call; bytes go out as they are, anything else as JSON."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.answers[method, path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of the test's own."""
    found = Host()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def openai(host: Host) -> Iterator[OpenAIShaped]:
    """A provider of the OpenAI shape at that host."""
    with closing(OpenAIShaped(catalog.hosts()["openai"], f"{host.url}/v1", KEY, {"OpenAI-Project": "proj_1"})) as found:
        yield found


@pytest.fixture
def anthropic(host: Host) -> Iterator[Anthropic]:
    """A provider of Anthropic's shape at that host."""
    with closing(Anthropic(replace(catalog.hosts()["anthropic"], requests_per_minute=None), host.url, KEY, {})) as found:
        yield found


def shard(tmp_path: Path, content: bytes, **more: object) -> Shard:
    """A shard of that content."""
    path = tmp_path / "shard-00001.jsonl"
    path.write_bytes(content)
    rows = content.count(b"\n")
    return Shard("r", 1, 1, 1, path, hashlib.sha256(content).hexdigest(), rows, len(content), 1, 0.0, "m", 9, "r#1#tag", **more)


def test_an_upload(host: Host, openai: OpenAIShaped, tmp_path: Path) -> None:
    """The form holds purpose and file, the file's bytes unchanged, and says its length before."""
    content = '{"custom_id":"本"}\n'.encode() * 100_000
    host.says("POST", "/v1/files", {"id": "file-1"})
    assert openai.upload(shard(tmp_path, content)) == "file-1"
    ((_, _, headers, body),) = host.seen
    edge = re.fullmatch(r"multipart/form-data; boundary=(\S+)", headers["content-type"])[1].encode()
    before, purpose, file, after = body.split(b"--" + edge)
    assert (before, after) == (b"", b"--\r\n")
    assert purpose == b'\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    head, _, sent = file.partition(b"\r\n\r\n")
    assert b'name="file"; filename="shard-00001.jsonl"' in head
    assert sent == content + b"\r\n"
    assert int(headers["content-length"]) == len(body)
    assert (headers["authorization"], headers["openai-project"]) == (f"Bearer {KEY}", "proj_1")


def test_creates(host: Host, openai: OpenAIShaped, anthropic: Anthropic, tmp_path: Path) -> None:
    """Each shape's create, with the shard's own headers; the id in the answer is returned."""
    host.says("POST", "/v1/batches", {"id": "batch_1"})
    host.says("POST", "/v1/messages/batches", {"id": "msgbatch_1"})
    one = shard(tmp_path, b'{"a":1}\n{"b":2}\n', ref="file-1", headers={"anthropic-version": "2023-06-01"})
    assert (openai.submit(one, "m"), anthropic.submit(one, "m")) == ("batch_1", "msgbatch_1")
    (*_, wish), (*_, headers, body) = host.seen
    assert json.loads(wish) == {
        "input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "metadata": {"tag": "r#1#tag", "run": "r"},
    }  # fmt: skip
    assert json.loads(body) == {"requests": [{"a": 1}, {"b": 2}]}
    assert (headers["anthropic-version"], int(headers["content-length"])) == ("2023-06-01", len(body))


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        ({"error": {"message": f"wrong key {KEY}"}}, 401, Denied),
        ({"error": {"code": "insufficient_quota"}}, 429, Broke),
        ({"error": {"message": "later"}}, 429, Busy),
        (b"<html>\x1b[31m", 503, Unknown),
        ({"error": {"message": "no"}}, 400, Refused),
        (b"", 307, Unknown),
        (b"not json", 200, Unknown),
        ([1], 200, Unknown),
        ({"id": None}, 200, Unknown),
        ({}, 200, Unknown),
    ],
)
def test_what_answers_to_a_create_mean(
    host: Host, openai: OpenAIShaped, tmp_path: Path, answer: object, status: int, error: type[Exception]
) -> None:
    """One call each, whatever comes back, and no key or terminal escape in what is said of it."""
    host.says("POST", "/v1/batches", answer, status, Location="/v1/elsewhere")
    with pytest.raises(error) as raised:
        openai.submit(shard(tmp_path, b"{}\n", ref="file-1"), "m")
    assert len(host.seen) == 1
    assert KEY not in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("call", ["upload", "submit"])
def test_a_file_that_was_changed_is_not_sent_whole(
    host: Host, openai: OpenAIShaped, anthropic: Anthropic, tmp_path: Path, call: str
) -> None:
    """What is checked is what is sent: the end of the body is withheld, so that no host can accept it."""
    content = b'{"custom_id":"a"}\n' * 100_000
    one = shard(tmp_path, content)
    one.path.write_bytes(content[:-3] + b'b}\n')
    with pytest.raises(InputError, match="was changed after planning"):
        openai.upload(one) if call == "upload" else anthropic.submit(one, "m")
    wait_for(lambda: host.broken)
    assert host.seen == []


def test_nobody_there(tmp_path: Path) -> None:
    """A refused connection is known to have accepted nothing."""
    with closing(OpenAIShaped(catalog.hosts()["openai"], "http://127.0.0.1:9/v1", KEY, {})) as gone, pytest.raises(Unreached):
        gone.submit(shard(tmp_path, b"{}\n", ref="file-1"), "m")


def test_results_come_from_our_own_address(host: Host, anthropic: Anthropic, tmp_path: Path) -> None:
    """An answer that names another address for the results does not lead the key there."""
    other = Host()
    batch = Batch("msgbatch_1", "ended", True, output=f"{other.url}/steal")
    host.says("GET", "/v1/messages/batches/msgbatch_1/results", ROWS)
    (saved,) = anthropic.download(batch, tmp_path / "o", tmp_path / "e")
    assert saved.read_bytes() == ROWS
    assert other.seen == []
    other.server.shutdown()
    other.server.server_close()


def test_a_download_that_moves_away_takes_no_key_along(host: Host, openai: OpenAIShaped, tmp_path: Path) -> None:
    """A file that lies elsewhere is collected from there, without the key."""
    other = Host()
    other.says("GET", "/store", ROWS)
    host.says("GET", "/v1/files/file-2/content", b"", 302, Location=f"{other.url}/store")
    openai.download(Batch("batch_1", "completed", True, output="file-2"), tmp_path / "o", tmp_path / "e")
    assert (tmp_path / "o").read_bytes() == ROWS
    assert "authorization" not in other.seen[0][2]
    other.server.shutdown()
    other.server.server_close()


def test_pages(host: Host, openai: OpenAIShaped) -> None:
    """Page after page until none is left; a host that gives the same page for ever does not hold us."""
    host.says("GET", "/v1/batches?limit=100", {"data": [{"id": "b3"}, {"id": "b2"}], "has_more": True})
    host.says("GET", "/v1/batches?limit=100&after=b2", {"data": [{"id": "b1"}]})
    host.says("GET", "/v1/batches?limit=100&after=b1", {"data": [{"id": "b1"}]})
    assert [batch.id for batch in openai.listing()] == ["b3", "b2", "b1"]
    host.says("GET", "/v1/batches?limit=100", {"data": None})
    assert list(openai.listing()) == []
    for odd in ({}, {"data": "text"}, []):
        host.says("GET", "/v1/batches?limit=100", odd)
        with pytest.raises(Unknown):
            list(openai.listing())


@pytest.mark.parametrize("name", ["../files", "a/b?c#d", "x\r\nHost: y", "本", "%2e%2e", "a b"])
def test_no_id_leads_to_another_path(host: Host, openai: OpenAIShaped, name: str) -> None:
    """An id is one segment of the path, whatever it holds."""
    assert list(openai.status([name])) == []
    ((_, path, _, _),) = host.seen
    assert re.fullmatch(r"/v1/batches/[A-Za-z0-9_.~%-]+", path)
    assert path.count("/") == 3


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_cannot_be_an_id_is_not_asked_for(name: str) -> None:
    """A name of dots would be another path, quoted or not."""
    with pytest.raises(Refused):
        segment(name)


def test_the_accounts_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Organization and project go to OpenAI as the environment says; what could be two headers is refused."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    assert accounts.account("openai").headers == {"OpenAI-Organization": "org-1"}
    assert accounts.account("anthropic").headers == {}
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj\r\nX: y")
    with pytest.raises(InputError, match="OPENAI_PROJECT_ID"):
        accounts.account("openai")


SDKS = {"openai", "anthropic", "httpx2", "pydantic", "anyio"}


def loaded(run: Commands, line: str) -> set[str]:
    """The modules that a command has loaded at its end; it must end well."""
    file, *argv = shlex.split(line)
    code = (
        f"import runpy, sys; sys.argv = {[file, *argv]!r}\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: code = end.code\n"
        "else: code = 0\n"
        "print('LOADED', *sorted(sys.modules), code or 0)"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **run.env}
    done = python("-c", code, env=env)
    *found, end = done.stdout.rpartition("LOADED ")[2].split()
    assert end == "0", done.stdout + done.stderr
    return set(found)


def test_no_sdk_where_nobody_is_called(run: Commands) -> None:
    """Help, dry run, converter, report and audit import no SDK, nor what they are made of; a run imports its own only."""
    what = "openai_example.py --batch --model gpt-4.1 --limit 4 --poll 0.05"
    assert not loaded(run, "openai_example.py --help") & SDKS
    assert not loaded(run, f"{what} --dry-run") & SDKS
    assert loaded(run, what) & {"openai", "anthropic", "arro3", "requests"} == {"openai"}
    (raw,) = run.results.glob("*/batch_results/*_output.jsonl")
    assert not loaded(run, f"tools/openai/batch_result_converter.py {raw} --format csv --out {run.results / 'out'}") & SDKS
    assert not loaded(run, "tools/report.py") & SDKS
    assert not loaded(run, "tools/audit.py") & SDKS


def test_another_providers_sdk_stays_away(run: Commands) -> None:
    """A run at Claude imports Anthropic's only."""
    found = loaded(run, "claude_example.py --batch --model claude-haiku-4-5 --limit 4 --poll 0.05")
    assert found & {"openai", "anthropic", "arro3", "requests"} == {"anthropic"}


def test_an_sdk_is_imported_in_functions_only() -> None:
    """At the top of a module it would be imported by every command."""
    for path in sorted((ROOT / "common").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "") or ""]
            assert not {name.partition(".")[0] for name in names} & SDKS, path

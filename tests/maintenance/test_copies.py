"""A copy that is none deletes nothing: what a host may send instead of a batch's rows, and what it may say of a deletion."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from common import cli

OPENAI = next(iter(cli.TOOLS))


def row(custom_id: str) -> bytes:
    """An output line."""
    body = {"choices": [{"message": {"content": "x"}}]}
    return orjson.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}) + b"\n"


class Host:
    """A host of the OpenAI shape with one ended batch of two requests; each test lets one thing go wrong."""

    def __init__(self) -> None:
        self.files = {"in": b'{"custom_id":"a"}\n{"custom_id":"b"}\n', "out": row("a") + row("b")}
        self.tells_size, self.tells_files = False, True
        self.says: Callable[[str], dict] = lambda name: {"id": name, "deleted": bool(self.files.pop(name, None))}

    def get(self, path: str) -> tuple[int, bytes]:
        """What a GET answers."""
        parts = path.split("/")
        if "files" in parts:
            name = parts[parts.index("files") + 1]
            if name not in self.files or not (self.tells_files or parts[-1] == "content"):
                return 404, b"{}"
            size = {"bytes": len(self.files[name])} if self.tells_size else {}
            return 200, self.files[name] if parts[-1] == "content" else orjson.dumps({"id": name, **size})
        batch = {"id": "b1", "status": "completed", "created_at": 1, "input_file_id": "in", "output_file_id": "out",
                 "request_counts": {"total": 2, "completed": 2, "failed": 0}}  # fmt: skip
        return 200, orjson.dumps(batch if parts[-1] == "b1" else {"data": [batch], "has_more": False})


@contextmanager
def serving(host: Host) -> Iterator[str]:
    """The address of a host while it is up."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*host.get(self.path.partition("?")[0]))

        def do_DELETE(self) -> None:
            self._send(200, orjson.dumps(host.says(self.path.rpartition("/")[2])))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable:
    """The tool against a host: its exit code, what it said, and the copies that are there."""

    def tool(host: Host) -> tuple[int, str, list[Path]]:
        with serving(host) as url:
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-k")
            monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
            code = cli.cleanup(OPENAI, ["--batch-id", "b1", "--yes", "--patience", "0.05"])
        return code, capsys.readouterr().out, list(tmp_path.rglob("manifest.json"))

    return tool


def test_a_good_copy(clean: Callable) -> None:
    """All is well: saved, deleted, looked at."""
    host = Host()
    code, said, copies = clean(host)
    assert (code, host.files, len(copies)) == (0, {}, 1), said


@pytest.mark.parametrize(
    "output",
    [b"<html>\n<p>log in</p>\n", row("x") + row("y"), row("a"), row("a") + row("a"), row("a") + row("b")[:-20], b"", b"{}\n{}\n",
     row("a") + row("b") + row("c")],
)  # fmt: skip
def test_rows_that_are_not_the_batchs(clean: Callable, output: bytes) -> None:
    """A page, another batch's rows, too few, one twice, cut, nothing, no rows, too many: left alone, exit 1, no copy stays."""
    host = Host()
    host.files["out"] = output
    before = dict(host.files)
    code, said, copies = clean(host)
    assert (code, host.files, copies, "left alone" in said) == (1, before, [], True), said


def test_an_input_that_is_none(clean: Callable) -> None:
    """The input is a page."""
    host = Host()
    host.files["in"] = b"<html></html>\n"
    code, said, _ = clean(host)
    assert (code, set(host.files)) == (1, {"in", "out"}), said


@pytest.mark.parametrize("answer", [{"deleted": False}, {"deleted": None}, {"deleted": "true"}, {"status": "ok"}, {"deleted": True}])
def test_a_deletion_that_is_none(clean: Callable, answer: dict) -> None:
    """A host that does not say that it deleted, or says so and still has the file: not called deleted."""
    host = Host()
    host.says = lambda name: answer
    code, said, _ = clean(host)
    assert (code, "FAILED" in said, "0 batches cleaned" in said) == (1, True, True), said


def test_a_host_without_file_status(clean: Callable) -> None:
    """Files that are given but not told of are not called clean."""
    host = Host()
    host.tells_files = False
    code, said, _ = clean(host)
    assert (code, set(host.files), "already clean" in said) == (1, {"in", "out"}, False), said

"""Checks the http backend: one service answers for another, patiently, and goes on after kill -9 without asking twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from tests.basics import python, wait_for
from tests.batch_server.calls import chat_row, ended, finished, lines_of, message_row, submit


class Model(BaseHTTPRequestHandler):
    """A small model server that remembers what it was asked; some rows are hard to get."""

    asked: Counter = Counter()
    pace = 0.0

    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        name = f"{self.path} {body.get('seed', '')}"
        Model.asked[name] += 1
        time.sleep(Model.pace)
        if body.get("seed") == 1 and Model.asked[name] == 1:
            return self._send(429, {"error": {"message": "wait"}}, {"retry-after": "0.05"})
        if body.get("seed") == 333:
            return self._send(503, {"error": {"message": "loading"}}, {"retry-after": "3600"})
        if body.get("seed") == 2:
            return self._send(400, {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}})
        return self._send(200, {"id": "real-1", "usage": {"prompt_tokens": 3, "completion_tokens": 4}})

    def _send(self, status: int, body: dict, headers: dict | None = None) -> None:
        data = orjson.dumps(body)
        self.send_response(status)
        for key, value in {**(headers or {}), "content-length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def model():
    """The address of a model server."""
    Model.asked, Model.pace = Counter(), 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_rows_are_forwarded_with_patience(start, model):
    """429 is asked again after Retry-After, 400 is the row's answer, and the usage is billed."""
    service = start("--backend", "http", "--backend-url", model)
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(n, seed=n) for n in range(20)]).id)
    assert (batch.request_counts.completed, batch.request_counts.failed, batch.usage.input_tokens) == (19, 1, 57)
    assert lines_of(client, batch.output_file_id)[0]["response"]["body"]["id"] == "real-1"
    assert lines_of(client, batch.error_file_id)[0]["custom_id"] == chat_row(2)["custom_id"]
    assert Model.asked["/v1/chat/completions 1"] == 2
    claude = service.anthropic()
    done = ended(claude, claude.messages.batches.create(requests=[message_row(n) for n in range(3)]).id)
    assert done.request_counts.succeeded == 3 and Model.asked["/v1/messages "] == 3
    assert client.chat.completions.create(model="m", messages=[]).id == "real-1"


def test_answered_rows_are_not_asked_again_after_kill(start, model):
    """Kill -9 in the middle: only what was in flight is asked a second time."""
    Model.pace = 0.02
    # at this speed a day is 86 s, so that no row expires on a busy machine
    service = start("--backend", "http", "--backend-url", model, "--backend-concurrency", "4", speed="1000")
    client = service.openai()
    batch_id = submit(client, [chat_row(n, seed=n + 10) for n in range(80)]).id
    wait_for(lambda: client.batches.retrieve(batch_id).request_counts.completed > 20)
    service.kill()
    service.start()
    batch = finished(service.openai(), batch_id)
    assert batch.request_counts.completed == 80 == len(lines_of(service.openai(), batch.output_file_id))
    assert len(Model.asked) == 80 and sum(Model.asked.values()) <= 84


def test_patience_is_a_setting(start, model):
    """So many tries and no more; a Retry-After beyond the longest wait is cut to it."""
    service = start("--backend", "http", "--backend-url", model, "--backend-tries", "3", "--backend-wait", "0.05")
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(1, seed=333)]).id)
    assert (batch.request_counts.failed, Model.asked["/v1/chat/completions 333"]) == (1, 3)
    assert lines_of(client, batch.error_file_id)[0]["response"]["status_code"] == 503


@pytest.mark.parametrize("options", [("--backend-tries", "0"), ("--backend-wait", "inf"), ("--backend-timeout", "nan"), ("--speed", "nan"),
                                     ("--allow-host", "box.local:80")])
def test_senseless_settings_are_refused(tmp_path, options: tuple[str, str]):
    """Exit 2, in words."""
    done = python("-m", "tools.batch_server", "--state", str(tmp_path), *options, timeout=20)
    assert done.returncode == 2 and options[0] in done.stderr and "Traceback" not in done.stderr

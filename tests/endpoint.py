"""Owns a model server for tests: it answers so many questions at once and refuses the others, and counts all that it was asked."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

ANSWER = "Interest (value): 61\nInterest (reason): it moves"


class Endpoint:
    """Serves in this process until it is closed; `die` and `rise` let it be away for a while, at the same address."""

    def __init__(self, most: int = 50, pace: float = 0.0, refuse_every: int = 0) -> None:
        self.most, self.pace, self.refuse_every = most, pace, refuse_every
        self.lock, self.now, self.peak, self.calls, self.refused = threading.Lock(), 0, 0, 0, 0
        self.answered: Counter[bytes] = Counter()  # by question; its trials ask the same
        self.headers: list[dict] = []  # of the first call
        self._server, self.port = None, 0
        self.rise()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def rise(self) -> None:
        """Listen."""
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def die(self) -> None:
        """Hang up on everybody, in the middle of what is being answered."""
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        server.hang_up()

    def close(self) -> None:
        """Stop for good."""
        if self._server:
            self.die()

    def enters(self) -> bool:
        """Whether one more question is taken."""
        with self.lock:
            self.calls += 1
            if self.now >= self.most or (self.refuse_every and self.calls % self.refuse_every == 0):
                self.refused += 1
                return False
            self.now += 1
            self.peak = max(self.peak, self.now)
            return True

    def leaves(self, body: bytes) -> None:
        """A question is answered, whether or not anybody still listens: it is billed."""
        with self.lock:
            self.now -= 1
            self.answered[body] += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, *about: object) -> None:
        self.open: set = set()
        super().__init__(*about)

    def process_request(self, request, client_address) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for request in [*self.open]:
            super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """Who hangs up is nothing to speak of."""


class _Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.endpoint.headers:
            self.endpoint.headers.append(dict(self.headers.items()))
        if not self.endpoint.enters():
            return self._send(429, {"error": {"message": "too many at once", "type": "rate_limit_error", "code": None}}, "0.05")
        time.sleep(self.endpoint.pace)
        self.endpoint.leaves(body)
        asked = orjson.loads(body)
        if self.path.endswith("/messages"):
            return self._send(200, {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"],
                                    "content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn",
                                    "usage": {"input_tokens": 100, "output_tokens": 10}})  # fmt: skip
        return self._send(200, {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": asked["model"],
                                "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
                                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}})  # fmt: skip

    def do_GET(self) -> None:
        wrong = self.headers.get("authorization", "").endswith("wrong")
        self._send(401 if wrong else 404, {"error": {"message": "no such key" if wrong else "no such path", "code": None}})

    def _send(self, status: int, body: dict, retry_after: str = "") -> None:
        data = orjson.dumps(body)
        self.send_response(status)
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

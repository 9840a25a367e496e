"""Owns a channel that listens on this machine: it takes messages, or drips an answer that never ends."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Hook(http.server.ThreadingHTTPServer):
    """What was posted is in `heard`, as (path, JSON). A path that begins with /drip is answered a letter at a time, for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[str, dict]] = []

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    def told(self) -> list[str]:
        """The messages, each title first, whichever way they came."""
        return [body.get("text") or f"{body['title']}\n{body['message']}" for _, body in self.heard]

    def titles(self) -> list[str]:
        """The titles of the messages."""
        return [text.splitlines()[0] for text in self.told()]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, body))
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.end_headers()
        with suppress(OSError):
            while self.path.startswith("/drip"):
                self.wfile.write(b".")
                time.sleep(0.05)

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def hook() -> Iterator[Hook]:
    """A channel for the length of a block."""
    with Hook() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()

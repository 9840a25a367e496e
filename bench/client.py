"""Owns the bare client that loads the local batch service: `python bench/client.py URL FILE [CLIENTS]`, flat in memory."""

from __future__ import annotations

import http.client
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

EDGE = b"--bench--edge"
HEAD = b"\r\n".join((
    b"--" + EDGE, b'Content-Disposition: form-data; name="purpose"', b"", b"batch", b"--" + EDGE,
    b'Content-Disposition: form-data; name="file"; filename="a.jsonl"', b"Content-Type: application/jsonl", b"", b"",
))  # fmt: skip
TAIL = b"\r\n--" + EDGE + b"--\r\n"


def batch(url: str, path: Path) -> int:
    """Upload a file, run it as a batch, download the output; the number of its lines."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    key = {"Authorization": "Bearer sk-bench"}

    def call(method: str, where: str, body=None, **headers: str) -> http.client.HTTPResponse:
        connection.request(method, parts.path + where, body, {**key, **headers})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{method} {where}: {response.status} {response.read()[:300]}")
        return response

    def pieces(file):
        yield HEAD
        while block := file.read(1 << 20):
            yield block
        yield TAIL

    with open(path, "rb") as file:
        length = str(len(HEAD) + path.stat().st_size + len(TAIL))
        kind = f"multipart/form-data; boundary={EDGE.decode()}"
        made = call("POST", "/files", pieces(file), **{"Content-Type": kind, "Content-Length": length})
        file_id = json.loads(made.read())["id"]
    wish = json.dumps({"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"})
    found = json.loads(call("POST", "/batches", wish, **{"Content-Type": "application/json"}).read())
    while found["status"] != "completed":
        if found["status"] == "failed":
            raise RuntimeError(str(found["errors"])[:500])
        time.sleep(0.05)
        found = json.loads(call("GET", f"/batches/{found['id']}").read())
    response = call("GET", f"/files/{found['output_file_id']}/content")
    lines = 0
    while block := response.read(1 << 20):
        lines += block.count(b"\n")
    return lines


if __name__ == "__main__":
    many = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    with ThreadPoolExecutor(many) as pool:
        print(json.dumps({"rows": list(pool.map(lambda _: batch(sys.argv[1], Path(sys.argv[2])), range(many)))}))

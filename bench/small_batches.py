"""Owns a twin of openai_example.py whose host takes few requests per batch, and that counts its HTTP calls.

BENCH_REQUESTS: requests per batch. BENCH_CALLS: a file that gets a line for each call. Otherwise many batches would
need millions of requests.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache

from common import catalog, cli
from openai_example import SCRIPT

real_hosts = catalog.hosts


@cache
def hosts():
    """All hosts, with BENCH_REQUESTS requests per batch."""
    most = int(os.environ["BENCH_REQUESTS"])
    return {name: replace(host, limits=replace(host.limits, requests=most)) for name, host in real_hosts().items()}


def count_calls(path: str) -> None:
    """Write a line for each HTTP request that leaves this process, whatever library sends it."""
    import http.client

    import httpx2

    send, request = httpx2.Client.send, http.client.HTTPConnection.request

    def sent(self, message, **more):
        with open(path, "a") as file:
            file.write(f"{message.method} {message.url}\n")
        return send(self, message, **more)

    def requested(self, method, url, *args, **more):
        with open(path, "a") as file:
            file.write(f"{method} {url}\n")
        return request(self, method, url, *args, **more)

    httpx2.Client.send, http.client.HTTPConnection.request = sent, requested


if __name__ == "__main__":
    catalog.hosts = hosts
    if os.environ.get("BENCH_CALLS"):
        count_calls(os.environ["BENCH_CALLS"])
    raise SystemExit(cli.main(SCRIPT))

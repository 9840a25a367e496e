"""The workers' side: one actor with an HTTP client of its own asks rows, so many at once, and makes output lines of what comes.

It travels to machines that need no more of this project than httpx2, orjson and pyarrow.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from threading import Thread

import httpx2
import orjson
import pyarrow as pa

PASSING = frozenset({408, 409, 425, 429})
GROWING_WAIT, LONGEST_WAIT = 8.0, 120.0  # seconds: what waits grow to by themselves, and what a server may ask for


class Asker:
    """Asks the rows of the tables it is given; several tables at once share its client and its slots.

    A slot is a right to ask one endpoint one question. It comes back when the answer is there, so quick endpoints get more;
    that of a busy or absent endpoint rests first.
    """

    def __init__(self, urls: Sequence[str], key: str, slots: int, timeout: float, tries: int) -> None:
        self._loop, self._tries = asyncio.new_event_loop(), tries
        Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(self._open(urls, key, slots, timeout))

    def __call__(self, table: pa.Table) -> pa.Table:
        """Columns `place`, `line` (a request) → `place`, `line` (its output line)."""
        lines = self._run(self._all(table["line"].to_pylist()))
        return pa.table({"place": table["place"], "line": pa.array(lines, pa.large_binary())})

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, urls: Sequence[str], key: str, slots: int, timeout: float) -> None:
        most = httpx2.Limits(max_connections=None, max_keepalive_connections=slots * len(urls))
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
        patience = httpx2.Timeout(timeout, connect=min(10.0, timeout), pool=None)
        self._client = httpx2.AsyncClient(timeout=patience, limits=most, headers=headers, trust_env=False)
        self._free: asyncio.Queue[str] = asyncio.Queue()
        for url in [*urls] * slots:
            self._free.put_nowait(url)

    async def _all(self, lines: Sequence[bytes]) -> list[bytes]:
        return await asyncio.gather(*map(self._asked, lines))

    async def _asked(self, line: bytes) -> bytes:
        """The output line of a request, once there is an answer or patience ends.

        That no server can be reached is no row's fault and is never a row: it is waited for, until the driver's watchdog ends it.
        """
        request = orjson.loads(line)
        body, failures = orjson.dumps(request["body"]), 0
        while True:
            url, rest = await self._free.get(), 0.0
            try:
                response = await self._client.post(url + request["url"], content=body)
                status, answer = _read(response)
                if status < 500 and status not in PASSING:
                    return _line(request["custom_id"], status, answer)
                rest = _wait(response.headers.get("retry-after"), failures)
                failures += 1
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                rest = GROWING_WAIT / 4
                continue
            except httpx2.TransportError as problem:
                status, answer = 504, _error(f"the model server did not answer: {type(problem).__name__}")
                rest, failures = _wait(None, failures), failures + 1
            finally:
                self._loop.call_later(rest, self._free.put_nowait, url)
            if failures >= self._tries:
                return _line(request["custom_id"], status, answer)
            await asyncio.sleep(rest)


def _read(response: httpx2.Response) -> tuple[int, dict]:
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict):
        return response.status_code, answer
    return (502 if response.status_code < 400 else response.status_code), _error("the model server answered no JSON object")


def _error(message: str) -> dict:
    return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}


def _wait(wish: str | None, failures: int) -> float:
    """Seconds until the next try: what the server asks for (in seconds; dates are not read), else growing ones."""
    try:
        return min(max(float(wish or ""), 0.0), LONGEST_WAIT)
    except ValueError:
        return min(GROWING_WAIT, 0.5 * 2 ** min(failures, 10))


def _line(custom_id: str, status: int, body: dict) -> bytes:
    tag = os.urandom(8).hex()
    response = {"status_code": status, "request_id": f"req_ray_{tag}", "body": body}
    found = {"id": f"batch_req_ray_{tag}", "custom_id": custom_id, "response": response, "error": None}
    return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)

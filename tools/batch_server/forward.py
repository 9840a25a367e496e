"""Owns the http backend: asks a real model server row by row, patiently, and never asks an answered row again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import orjson

from .engine import ANSWERS, Engine
from .errors import ApiError, anthropic_body, openai_body
from .rows import Outcome, anthropic_line
from .settings import Settings
from .slots import Pace, retry_after
from .state import Batch, State
from .worker import rows_of

GROWING_WAIT = 8.0
PASSING = frozenset({408, 409, 425, 429})
BUSY = frozenset({429, 529})  # says nothing of the question: waited for, and no try is used up
FOR_GOOD = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})  # codes of a 429 that no waiting ends
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Forwarder:
    """Sends bodies to an endpoint, a bounded number at a time, which adapts to what the endpoint bears.

    Each row is noted before it is sent. One that was in the air when the service or its connection died may have been answered
    and billed: it is asked again, and counted in its batch's `asked_again`.
    """

    def __init__(self, settings: Settings, state: State, key: str, headers: Mapping[str, str]):
        self.state, self.url, self._key, self._headers = state, settings.backend_url.rstrip("/"), key, headers
        limits = httpx2.Limits(max_connections=settings.backend_concurrency, max_keepalive_connections=settings.backend_concurrency)
        self.tries, self.longest_wait, self.patience = settings.backend_tries, settings.backend_wait, settings.backend_patience
        timeout = httpx2.Timeout(settings.backend_timeout, connect=min(10.0, settings.backend_timeout))
        self.client = httpx2.AsyncClient(timeout=timeout, limits=limits)
        self.concurrency, self.drain = settings.backend_concurrency, settings.backend_drain
        self.pace = Pace(self.concurrency, self.longest_wait)
        self._closing = asyncio.Event()
        state.kind = "std"
        state.write(("update asked set lost = lost + air, air = 0 where air", ()))  # what the service that was killed had in the air

    def stop_sending(self) -> None:
        """Send nothing more; what is in the air may come back."""
        self._closing.set()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    def attach(self, engine: Engine) -> None:
        """Let an engine answer by this backend: one row per chunk, as many at once as there are slots."""
        engine.answer_chunk, engine.before_end = self.answer_row, self.write_part
        engine.chunk_rows, engine.in_flight, engine.paced, engine.drain = 1, self.concurrency, False, self.drain

    async def answer_row(self, batch: Batch, first: int, last: int) -> dict:
        """Answer one row of a batch; the engine commits the answer together with that it is done."""
        (row,) = rows_of(str(self.state.blob(batch.blob)), str(self.state.work(batch) / "index"), first, last)
        doc = await self._asked(batch, row, first)
        keep = (("insert into answers values(?,?,?)", (batch.id, first, orjson.dumps(doc))),
                ("update asked set air = 0 where batch = ? and row = ?", (batch.id, first)))
        return {"ok": int(doc["ok"]), "failed": int(not doc["ok"]), "tokens_in": doc["tokens_in"], "tokens_out": doc["tokens_out"],
                "reasoning": 0, "seen": [], "keep": keep}

    async def _asked(self, batch: Batch, row: dict, number: int) -> dict:
        anthropic = batch.profile == "anthropic"
        body, custom_id = row["params"] if anthropic else row["body"], row["custom_id"]

        def note(air: int, lost: int) -> None:
            if air and batch.status == "cancelling":
                raise asyncio.CancelledError
            self.state.write(("insert into asked values(?,?,?,?) on conflict(batch, row) do update set air = excluded.air, "
                              "lost = lost + excluded.lost", (batch.id, number, air, lost)))

        tag = f"{number:x}{batch.id[-8:]}"
        outcome = await self.ask(batch.endpoint, body, batch.profile, batch.version, tag, note, self.patience)
        line = anthropic_line(outcome, custom_id) if anthropic else _openai_line(outcome, custom_id, batch.profile == "kluster")
        return {"ok": outcome.status == 200, "tokens_in": outcome.tokens_in, "tokens_out": outcome.tokens_out,
                "custom_id": custom_id, "line": line.decode()}

    async def ask(self, endpoint: str, body: dict, profile: str, version: str, tag: str,
                  note: Callable[[int, int], None] = lambda air, lost: None, patience: float = 0.0) -> Outcome:
        """Ask until there is an answer that will not change by asking again, or patience ends.

        A busy or unreachable endpoint is waited for as long as the `patience`; only then, as for every other passing failure,
        tries are counted. `note(air, lost)` hears before each sending, and of what became of it without an answer.
        """
        data, headers = orjson.dumps(body), self._told(profile, version)
        status, answer, attempt, waits, end = 0, {}, 0, 0, time.monotonic() + patience
        while True:
            entered = await self._enter()
            wait, is_busy = None, True
            try:
                note(1, 0)
                response = await self.client.post(self._address(endpoint), content=data, headers=headers)
            except httpx2.TransportError as problem:
                is_busy = isinstance(problem, NEVER_SENT)
                note(0, int(not is_busy))
                self.pace.complaint(entered, None)
                status, answer = 503, self._error(503, f"The model server could not be reached: {type(problem).__name__}", profile, tag)
            else:
                status, answer = response.status_code, self._json(response, profile, tag)
                if status == 200:
                    self.pace.well(response.headers)
                if (status < 500 and status not in PASSING) or _code(answer) in FOR_GOOD:
                    break
                note(0, 0)
                wait, is_busy = retry_after(response.headers), status in BUSY
                if is_busy or status == 503:
                    self.pace.complaint(entered, wait if is_busy else None)
            finally:
                self.pace.leave()
            attempt += not (is_busy and time.monotonic() < end)
            if attempt >= self.tries:
                break
            grown = min(GROWING_WAIT, 0.5 * 2 ** min(waits, 10)) * (1 - random.random() / 4)
            waits += 1
            await self._rest(min(grown if wait is None else wait, self.longest_wait))
        usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
        return Outcome(status, answer, tag, *(_count(usage, *names) for names in (
            ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))))

    async def _enter(self) -> float:
        """A slot; none is given once nothing more is to be sent."""
        entered = await self.pace.enter()
        if self._closing.is_set():
            self.pace.leave()
            raise asyncio.CancelledError
        return entered

    async def _rest(self, seconds: float) -> None:
        """Wait before asking again, unless nothing more is to be sent."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
        raise asyncio.CancelledError

    def _told(self, profile: str, version: str) -> dict[str, str]:
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}", **self._headers}
        return headers | ({"x-api-key": self._key, "anthropic-version": version} if profile == "anthropic" else {})

    def _address(self, endpoint: str) -> str:
        """An endpoint such as /v1/messages at the backend, whose own address may name the version already."""
        is_versioned = "v1" in urlsplit(self.url).path.split("/")
        return self.url + (endpoint.removeprefix("/v1") if is_versioned else endpoint)

    def _json(self, response: httpx2.Response, profile: str, tag: str) -> dict:
        try:
            value = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            value = None
        return value if isinstance(value, dict) else self._error(response.status_code, "The model server answered no JSON object.",
                                                                 profile, tag)

    @staticmethod
    def _error(status: int, message: str, profile: str, tag: str) -> dict:
        error = ApiError(status, message)
        return anthropic_body(error, f"req_{tag}") if profile == "anthropic" else openai_body(error)

    def write_part(self, batch: Batch) -> None:
        """Write the kept answers as one part, so that they are joined as all others are, and count what was asked again."""
        batch.asked_again = int(self.state.read("select total(lost + air) from asked where batch = ?", (batch.id,))[0][0])
        base = Path(str(self.state.work(batch) / "{:09d}-{:09d}".format(*ANSWERS)))
        files = {kind: base.with_name(base.name + kind).open("wb") for kind in (".out", ".err", ".ids")}
        with files[".out"] as out, files[".err"] as err, files[".ids"] as ids:
            for (kept,) in self.state.read("select doc from answers where batch = ? order by row", (batch.id,)):
                doc = orjson.loads(kept)
                (out if doc["ok"] or batch.profile == "anthropic" else err).write(doc["line"].encode())
                if doc["ok"]:
                    ids.write(orjson.dumps((doc["custom_id"], doc["tokens_in"], doc["tokens_out"]), option=orjson.OPT_APPEND_NEWLINE))


def _count(usage: dict, *names: str) -> int:
    return next((usage[name] for name in names if isinstance(usage.get(name), int)), 0)


def _code(answer: dict) -> str:
    error = answer.get("error")
    return str(error.get("code") or error.get("type")) if isinstance(error, dict) else ""


def _openai_line(outcome: Outcome, custom_id: str, kluster: bool) -> bytes:
    """One line of an output or error file; nothing in it is called simulated."""
    line = {"id": f"batch_req_{outcome.tag}", "custom_id": custom_id,
            "response": {"status_code": outcome.status, "request_id": f"req_{outcome.tag}", "body": outcome.body}}
    if not kluster:
        line["error"] = None
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

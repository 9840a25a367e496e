"""Owns the http backend: asks a real model server row by row, patiently, and never asks an answered row again."""

from __future__ import annotations

import asyncio
import random
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import orjson

from .engine import ANSWERS, Engine
from .errors import ApiError, anthropic_body, openai_body
from .rows import Outcome, anthropic_line, openai_line
from .settings import Settings
from .state import Batch, State
from .worker import rows_of

GROWING_WAIT = 8.0
PASSING = frozenset({408, 409, 425, 429})


class Forwarder:
    """Sends bodies to `{url}{endpoint}`, a bounded number at a time."""

    def __init__(self, settings: Settings, state: State, key: str):
        self.state, self.url, self._key = state, settings.backend_url.rstrip("/").removesuffix("/v1"), key
        limits = httpx2.Limits(max_connections=settings.backend_concurrency, max_keepalive_connections=settings.backend_concurrency)
        self.tries, self.longest_wait = settings.backend_tries, settings.backend_wait
        timeout = httpx2.Timeout(settings.backend_timeout, connect=min(10.0, settings.backend_timeout))
        self.client = httpx2.AsyncClient(timeout=timeout, limits=limits)
        self.concurrency = settings.backend_concurrency
        self.slots = asyncio.Semaphore(self.concurrency)

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    def attach(self, engine: Engine) -> None:
        """Let an engine answer by this backend: one row per chunk, as many at once as there are slots."""
        engine.answer_chunk, engine.before_end = self.answer_row, self.write_part
        engine.chunk_rows, engine.in_flight, engine.paced = 1, self.concurrency, False

    async def answer_row(self, batch: Batch, first: int, last: int) -> dict:
        """Answer one row of a batch and keep the answer; the engine commits that it is done."""
        (row,) = rows_of(str(self.state.blob(batch.blob)), str(self.state.work(batch) / "index"), first, last)
        kept = self.state.read("select doc from answers where batch = ? and row = ?", (batch.id, first))
        if kept:
            doc = orjson.loads(kept[0][0])
        else:
            doc = await self._asked(batch, row, first)
            self.state.write(("insert into answers values(?,?,?)", (batch.id, first, orjson.dumps(doc))))
        return {"ok": int(doc["ok"]), "failed": int(not doc["ok"]), "tokens_in": doc["tokens_in"], "tokens_out": doc["tokens_out"],
                "reasoning": 0, "seen": []}

    async def _asked(self, batch: Batch, row: dict, number: int) -> dict:
        anthropic = batch.profile == "anthropic"
        body, custom_id = row["params"] if anthropic else row["body"], row["custom_id"]
        outcome = await self.ask(batch.endpoint, body, batch.profile, batch.version, f"{number:x}{batch.id[-8:]}")
        line = anthropic_line(outcome, custom_id) if anthropic else openai_line(outcome, custom_id, batch.profile)
        return {"ok": outcome.status == 200, "tokens_in": outcome.tokens_in, "tokens_out": outcome.tokens_out,
                "custom_id": custom_id, "line": line.decode()}

    async def ask(self, endpoint: str, body: dict, profile: str, version: str, tag: str) -> Outcome:
        """Ask until there is an answer that will not change by asking again, or patience ends."""
        headers = {"authorization": f"Bearer {self._key}"}
        if profile == "anthropic":
            headers |= {"x-api-key": self._key, "anthropic-version": version}
        status, answer = 0, {}
        for attempt in range(self.tries):
            wait = min(GROWING_WAIT, 0.5 * 2**min(attempt, 10)) * (1 - random.random() / 4)
            try:
                async with self.slots:
                    response = await self.client.post(self.url + endpoint, content=orjson.dumps(body),
                                                      headers={**headers, "content-type": "application/json"})
            except httpx2.TransportError as problem:
                status, answer = 503, self._error(503, f"The model server could not be reached: {type(problem).__name__}", profile, tag)
            else:
                status, answer = response.status_code, self._json(response, profile, tag)
                if status < 500 and status not in PASSING:
                    break
                wait = _retry_after(response.headers.get("retry-after")) or wait
            if attempt < self.tries - 1:
                await asyncio.sleep(min(wait, self.longest_wait))
        usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
        return Outcome(status, answer, tag, *(_count(usage, *names) for names in (
            ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))))

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
        """Write the kept answers as one part, so that they are joined as all others are; then forget them."""
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


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, which may also be a date; None when it says nothing of use."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = moment.timestamp() - time.time()
    return max(0.0, seconds)  # a number that is none counts as 0

"""OpenAI Files + Batches, and every host that speaks the same shape (kluster.ai, DeepInfra, Nebius …)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import orjson

from common.nouns import Ask, Batch, Condition, Result, Shard, Usage, new
from common.outcomes import SUCCEEDED, row_class
from common.providers.base import Holding, natural, table
from common.providers.http import segment
from common.providers.sealed import Sealed
from common.providers.shared import SdkProvider

ENDPOINT = "/v1/chat/completions"
AFTER_ID = b'","method":"POST","url":"%b","body":' % ENDPOINT.encode()
# All final states of the OpenAI API; hosts of its shape write them in capitals or with other words.
ENDED = {"completed", "failed", "expired", "cancelled", "canceled", "success", "timeout_exceeded"}
# Why a batch fails as a whole: its queue is full, or the host has lost or misread the file.
LATER = "token_limit_exceeded"
FILE_CODES, FILE_PARAMETERS = {"invalid_request", "file_not_found"}, {"file_id", "input_file_id"}
MONEY = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"}  # codes of a 429 that no waiting ends


def encode(condition: Condition, ask: Ask) -> tuple[bytes, bytes]:
    """The two halves of an input line; see `Provider.encode`."""
    model = condition.model
    if model.supports_system or not condition.system:
        messages = [{"role": "system", "content": condition.system}] if condition.system else []
        messages.append({"role": "user", "content": condition.user})
    else:
        messages = [{"role": "user", "content": f"{condition.system}\n\n{condition.user}"}]
    body = {"model": model.id, "messages": messages}
    if condition.temperature is not None:
        body["temperature"] = condition.temperature
    if ask.effort and model.reasoning:
        body["reasoning_effort"] = ask.effort
    body[model.max_tokens_param] = ask.max_tokens
    return b'{"custom_id":"', AFTER_ID + orjson.dumps(body) + b"}\n"


def with_cap(line: bytes, cap: int) -> bytes:
    """An input line with another max_tokens; see `Provider.with_cap`."""
    row = orjson.loads(line)
    body = row["body"]
    body["max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"] = cap
    return orjson.dumps(row) + b"\n"


def claims(line: dict) -> bool:
    """Whether an output line is of this shape."""
    return "response" in line


def decode(line: dict) -> Result:
    """One output or error line → Result. Raises ValueError when the line is not of this shape."""
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str) or "response" not in line:
        raise ValueError("not a batch output line: no custom_id or response")
    response, error = line["response"], line.get("error")
    if response is None:
        if not isinstance(error, dict):
            raise ValueError("neither a response nor an error")
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
        return Result(custom_id, row_class(None, code), code=code, message=message)
    if not isinstance(response, dict):
        raise ValueError("response is not an object")
    status, body = response.get("status_code"), response.get("body")
    body = body if isinstance(body, dict) else {}
    if status == 200 and "choices" in body:
        return _answer(custom_id, body)
    error = body.get("error") if isinstance(body.get("error"), dict) else (error if isinstance(error, dict) else {})
    code, kind = str(error.get("code") or ""), str(error.get("type") or "")
    outcome = row_class(status if isinstance(status, int) and status != 200 else None, code, kind)
    message = str(error.get("message") or "") or f"status {status} without an answer"
    return Result(custom_id, outcome, code=code or kind or str(status), message=message, simulated=bool(body.get("simulated")))


def _answer(custom_id: str, body: dict) -> Result:
    try:
        choice = body["choices"][0]
        message = choice["message"]
        text, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason") or ""
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"an answer without choices[0].message ({error!r})") from None
    if text is not None and not isinstance(text, str):
        raise ValueError("message.content is not text")
    if refusal or finish == "content_filter":
        outcome = "refused"
    elif finish == "length":
        outcome = "truncated"
    else:
        outcome = SUCCEEDED if text else "empty"
    return new(
        Result,
        (
            custom_id,
            outcome,
            text or (refusal if isinstance(refusal, str) else "") or "",
            str(body.get("model") or ""),
            str(finish),
            _usage(body.get("usage")),
            "",
            "" if outcome == SUCCEEDED else f"finish_reason {finish}",
            bool(body.get("simulated")),
            unix(body.get("created")),
        ),
    )


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    read, written = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    counts = (
        natural(usage.get("prompt_tokens")),
        natural(read.get("cached_tokens")) if isinstance(read, dict) else 0,
        natural(usage.get("completion_tokens")),
        natural(written.get("reasoning_tokens")) if isinstance(written, dict) else 0,
    )
    return new(Usage, counts)


def unix(value: object) -> float:
    """Unix seconds from the forms that hosts of this shape use: numbers, numbers as text, ISO 8601; 0.0 if none."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str) and value:
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return 0.0
    return 0.0


def to_batch(raw: dict) -> Batch:
    """A batch object as this shape gives it → Batch. A status that we do not know has not ended."""
    status = str(raw.get("status", "")).lower()
    counts = table(raw, "request_counts")
    problems = tuple(p for p in table(raw, "errors").get("data") or () if isinstance(p, dict))
    metadata = table(raw, "metadata")
    return Batch(
        id=str(raw["id"]),
        status=status,
        ended=status in ENDED,
        failed=status == "failed",
        total=natural(counts.get("total")),
        succeeded=natural(counts.get("completed")),
        errored=natural(counts.get("failed")),
        output=str(raw.get("output_file_id") or ""),
        errors_file=str(raw.get("error_file_id") or ""),
        created_at=unix(raw.get("created_at")),
        expires_at=unix(raw.get("expires_at")),
        ref=str(raw.get("input_file_id") or ""),
        tag=str(metadata.get("tag") or ""),
        problems=problems,
        refusal=_refusal(problems) if status == "failed" else "",
    )


def _refusal(problems: Sequence[Mapping[str, object]]) -> str:
    """What is to be done about a batch that failed as a whole; see `Batch.refusal`."""
    codes = {str(problem.get("code") or "") for problem in problems}
    if LATER in codes:
        return "later"
    if problems and codes <= FILE_CODES and all(problem.get("param") in FILE_PARAMETERS for problem in problems):
        return "upload again"
    return "give up"


class OpenAIShaped(SdkProvider):
    """One account at one host of the OpenAI shape."""

    encode = staticmethod(encode)
    decode = staticmethod(decode)
    claims = staticmethod(claims)
    with_cap = staticmethod(with_cap)
    to_batch = staticmethod(to_batch)
    batches, page, cursor, money = "batches", {"limit": 100}, "after", MONEY

    @staticmethod
    def make_client(**options: object):
        from openai import OpenAI

        client = OpenAI(admin_api_key="", **options)
        client.organization = client.project = None  # the environment's are OpenAI's alone; the account's headers hold its own
        return client

    def upload(self, shard: Shard) -> str:
        with Sealed(shard) as file, self._http.call() as client:
            form = (shard.path.name, file, "application/jsonl")
            made = client.files.with_raw_response.create(file=form, purpose=self.host.upload_purpose).content
        return self._named(made)

    def submit(self, shard: Shard, model_id: str) -> str:
        wish = {
            "input_file_id": shard.ref,
            "endpoint": ENDPOINT,
            "completion_window": self.host.window,
            "metadata": {"tag": shard.tag, "run": shard.run},
        }
        return self._named(self._http.post(self.batches, body=wish))

    def find(self, shard: Shard) -> Iterable[Batch]:
        # The whole list, because no clock can be trusted to say where to stop, and this is seldom asked.
        return reversed([batch for batch in self.listing() if shard.tag == batch.tag or shard.ref == batch.ref])

    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        files = ((batch.output, output), (batch.errors_file, errors))
        return {path: self._http.fetch(f"files/{segment(file_id)}/content", path) for file_id, path in files if file_id}

    def holdings(self, batch: Batch) -> list[Holding]:
        raw = self._http.get(f"{self.batches}/{segment(batch.id)}")
        files = (("input", batch.ref), ("output", batch.output), ("errors", batch.errors_file))
        return [
            Holding("batch", batch.id, len(raw), deletable=False, raw=raw),
            *(self._file(kind, ref) for kind, ref in files if ref),
        ]

    def _file(self, kind: str, file_id: str) -> Holding:
        if (raw := self._there(f"files/{segment(file_id)}")) is None:
            return Holding(kind, file_id, gone=True)
        size = self._read(raw, lambda found: found.get("bytes"))
        return Holding(kind, file_id, size if isinstance(size, int) else None)

    def remove(self, ref: str) -> None:
        self._delete(f"files/{segment(ref)}")

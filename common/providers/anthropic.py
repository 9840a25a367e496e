"""Anthropic Message Batches: requests travel inside the create call, results come as one stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from common.errors import Unknown
from common.nouns import Batch, Host, Model, Result, Shard, Usage
from common.outcomes import SUCCEEDED, UNREADABLE, final_word, finish_class, row_class
from common.providers.anthropic_attachments import attachment_problem, attachment_tokens
from common.providers.anthropic_parameters import knows_parameter, parameter_problem, temperature_problem
from common.providers.anthropic_requests import encode, to_count, with_cap
from common.providers.base import Holding
from common.providers.caching import marked
from common.providers.foreign import REASON, as_count, as_text, complaint, id_of, natural, object_at, parsed, request_id, unix, word
from common.providers.http import segment
from common.providers.inline import InlineProvider
from common.providers.shared import sdk
from common.rates import Named
from common.text import one_line

VERSION = "2026-10-21"
TEMPERATURE_VERSION = "2023-06-01"  # the last API version that accepts sampling parameters
MONEY = {"enforced_spend_limit_reached"}  # codes of a 429 that no waiting ends
OPEN = b'{"requests":['  # what stands before a create call's requests


def line_of(message: str) -> int:
    """The line of the request that an error names as `requests.<index>.…`; 0 if it names none."""
    found = re.search(r"\brequests\.(\d+)\b", message)
    return int(found[1]) + 1 if found else 0


def headers(model: Model) -> dict[str, str]:
    """A temperature is taken only under the older API version."""
    return {"anthropic-version": TEMPERATURE_VERSION} if model.supports_temperature else {}


def claims(line: dict) -> bool:
    """Whether an output line is of this shape."""
    return "result" in line


def decode(line: dict) -> Result:
    """One line of the results stream → Result. Raises ValueError when the line is not of this shape.

    A result that cannot be read is `unreadable`: it may be paid, so it is never a reason to buy again.
    """
    custom_id, result = request_id(line.get("custom_id")), parsed(line.get("result"))
    if not custom_id or "result" not in line:
        raise ValueError("not a message batch result: no custom_id or result")
    kind = word(result.get("type")) if isinstance(result, dict) else ""
    match kind:
        case "succeeded":
            return _answer(custom_id, parsed(result.get("message")))
        case "errored":
            error = parsed(result.get("error"))
            inner = (object_at(error, "error") or error) if isinstance(error, dict) else {}
            said = complaint(error)
            kind = word(inner.get("type")) or said.kind
            code = word(object_at(inner, "details").get("error_code"))
            return Result(
                custom_id, row_class(said.status or None, code, kind, said.code), code=code or kind or said.code, message=said.message
            )
        case "canceled" | "cancelled":
            return Result(custom_id, "cancelled", code="canceled", message="the batch was cancelled first")
        case "expired":
            return Result(custom_id, "expired", code="expired", message="not answered within 24 hours")
    return _unreadable(custom_id, f"unknown result type {kind!r}")


def _unreadable(custom_id: str, why: str, usage: Usage | None = None) -> Result:
    return Result(custom_id, UNREADABLE, usage=usage, code=UNREADABLE, message=why)


def _answer(custom_id: str, message: object) -> Result:
    usage = _usage(message.get("usage")) if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, (list, str)):
        return _unreadable(custom_id, "a succeeded result without message.content", usage)
    blocks = content if isinstance(content, list) else [{"text": content}]
    text = "".join(b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str))
    calls = (
        []
        if text
        else [b["input"] for b in blocks if isinstance(b, dict) and b.get("type") == "tool_use" and isinstance(b.get("input"), dict)]
    )
    text = text or next(map(as_text, calls), "")  # what a tool was called with is the answer, where there is no text
    stop = word(message.get("stop_reason"))
    outcome = finish_class(stop, bool(text))
    return Result(
        custom_id,
        outcome,
        text,
        word(message.get("model")),
        stop,
        usage,
        message="; ".join(["further tool calls left out"] * (len(calls) > 1) + [f"stop_reason {stop}"] * (outcome != SUCCEEDED)),
        simulated=bool(message.get("simulated")),
    )


def _usage(usage: object) -> Usage | None:
    """Tokens as counted, cached ones as part of the input; None where they are not all told."""
    if not isinstance(usage, dict):
        return None
    into, out = as_count(usage.get("input_tokens")), as_count(usage.get("output_tokens"))
    if into is None or out is None:
        return None
    read, written = natural(usage.get("cache_read_input_tokens")), natural(usage.get("cache_creation_input_tokens"))
    hour = min(written, natural(object_at(usage, "cache_creation").get("ephemeral_1h_input_tokens")))
    return Usage(into + read + written, read, out, 0, written - hour, hour)


def to_batch(raw: dict) -> Batch:
    """A message batch object → Batch. Raises ValueError when it has no id."""
    said = word(raw.get("processing_status"))
    ended = bool(final_word(said))
    counts = object_at(raw, "request_counts")
    return Batch(
        id=id_of(raw),
        status="ended" if ended else said.lower(),
        ended=ended,
        total=sum(map(natural, counts.values())),
        succeeded=natural(counts.get("succeeded")),
        errored=sum(natural(counts.get(key)) for key in ("errored", "canceled", "expired")),
        output=one_line(raw.get("results_url") or "", REASON),
        created_at=unix(raw.get("created_at")),
        expires_at=unix(raw.get("expires_at")),
        asked_again=natural(raw.get("asked_again")),
    )


class Anthropic(InlineProvider):
    """One Anthropic workspace."""

    encode = staticmethod(encode)
    decode = staticmethod(decode)
    claims = staticmethod(claims)
    with_cap = staticmethod(with_cap)
    takes_marks, marked = True, staticmethod(marked)
    knows_parameter = staticmethod(knows_parameter)
    parameter_problem = staticmethod(parameter_problem)
    temperature_problem = staticmethod(temperature_problem)
    attachment_problem = staticmethod(attachment_problem)
    attachment_tokens = staticmethod(attachment_tokens)
    line_of = staticmethod(line_of)
    headers = staticmethod(headers)
    to_batch = staticmethod(to_batch)
    batches, page, cursor, money = "v1/messages/batches", {"limit": 1000}, "after_id", MONEY
    list_of_models, models_page = "v1/models", {"limit": 1000}

    def __init__(self, host: Host, base_url: str, key: str, headers: Mapping[str, str], rates: Named | None = None) -> None:
        super().__init__(host, base_url, key, {"anthropic-version": VERSION, **headers}, rates)

    @staticmethod
    def make_client(**options: object):
        return sdk("anthropic").Anthropic(open_telemetry=False, **options)

    @staticmethod
    def opening(shard: Shard, model_id: str) -> bytes:
        return OPEN

    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        if not batch.output:
            raise Unknown(f"batch {batch.id} has ended but offers no results yet (they are kept for 29 days)", status=404)
        # not the address that the answer names: a key goes nowhere but to the address that the user has set
        return {output: self._http.fetch(f"{self.batches}/{segment(batch.id)}/results", output)}

    def count_tokens(self, line: bytes, model: Model) -> int:
        return self._counted(self._http.post("v1/messages/count_tokens", headers(model), body=to_count(line)))

    def holdings(self, batch: Batch) -> list[Holding]:
        raw = self._http.get(f"{self.batches}/{segment(batch.id)}")
        archived = self._read(raw, lambda found: found.get("archived_at"))
        if not batch.output and not archived:
            raise Unknown(f"batch {batch.id} has ended, but its results are neither offered nor archived")
        # the requests themselves are never given back; the results go when the batch goes
        return [
            Holding("batch", batch.id, len(raw), raw=raw),
            Holding("output", batch.output, gone=not batch.output, deletable=False),
        ]

    def remove(self, ref: str) -> None:
        self._delete(f"{self.batches}/{segment(ref)}")

"""OpenRouter's batches: chat completions inside the create call, one model each; the results come inside the batch object itself.

Sources, read 2026-11-28: openrouter.ai/docs/guides/features/batch-api, /docs/batch-quickstart, /docs/api/api-reference/batch.
Unknown, and not built upon: an idempotency key, whether requests of an expired batch have a result, and the words of a refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson

from common.errors import Refused, Unknown
from common.nouns import Ask, Attachment, Batch, Condition, Model, Shard
from common.providers import openai_parameters, openai_requests
from common.providers.attached import MB, common_problem
from common.providers.base import Holding
from common.providers.elements import elements
from common.providers.foreign import object_at
from common.providers.http import segment
from common.providers.inline import InlineProvider
from common.providers.openai import OpenAIShaped, to_batch
from common.providers.openai_attachments import attachment_tokens
from common.providers.openai_requests import ENDPOINT, with_cap
from common.providers.openai_rows import decode

RESULTS = "results"
_SENT = openai_requests.AFTER_ID % ENDPOINT.encode()  # of a line of the OpenAI shape; here a request has no method and no url


def encode(condition: Condition, ask: Ask) -> tuple[bytes, bytes]:
    """The two halves of a request; see `Provider.encode`."""
    head, tail = openai_requests.encode(condition, ask)
    return head, b'","body":' + tail.removeprefix(_SENT)


def parameter_problem(name: str, value: object, model: Model, ask: Ask) -> str:
    """As chat completions have it, and `reasoning`, OpenRouter's own table for all models."""
    return "" if name == "reasoning" else openai_parameters.parameter_problem(name, value, model, ask)


def attachment_problem(attachment: Attachment, model: Model) -> str:
    """Pictures and PDFs are taken by their public address alone, whatever the model."""
    if attachment.data:
        return f"{attachment.name}: OpenRouter's batches take pictures and PDFs by their address only; write its https:// address"
    return common_problem(attachment, 20 * MB, 50 * MB)


def to_batch_with_results(raw: dict) -> Batch:
    """A batch object, with its results or without → Batch. Its `output` is its own id, once it may have results."""
    found = to_batch({**raw, "errors": raw.get("error")})
    has_rows = found.ended and not found.failed and (found.status == "completed" or found.succeeded + found.errored)
    return replace(found, output=found.id if has_rows else "")


class OpenRouter(InlineProvider):
    """One OpenRouter workspace: its keys see each other's batches."""

    encode = staticmethod(encode)
    decode = staticmethod(decode)
    with_cap = staticmethod(with_cap)
    knows_parameter = staticmethod(openai_parameters.knows_parameter)
    parameter_problem = staticmethod(parameter_problem)
    attachment_problem = staticmethod(attachment_problem)
    attachment_tokens = staticmethod(attachment_tokens)
    to_batch = staticmethod(to_batch_with_results)
    make_client = staticmethod(OpenAIShaped.make_client)
    batches, page, cursor, money = "batches", {"limit": 100}, "after", ()
    list_of_models, models_page = "models", {}

    @staticmethod
    def claims(line: dict) -> bool:
        """None: its results are lines of the OpenAI shape, which claims them."""
        return False

    @staticmethod
    def opening(shard: Shard, model_id: str) -> bytes:
        # its reader takes nothing that follows the requests
        before = {"endpoint": ENDPOINT, "model": model_id, "completion_window": "24h"}
        return orjson.dumps(before)[:-1] + b',"requests":['

    def status(self, batch_ids: Iterable[str]) -> Iterator[Batch]:
        # the list first, also for one: there a batch is small, by itself it carries all its results
        wanted = set(batch_ids)
        listed = [*self._listed(wanted)]
        yield from listed
        yield from self._one_by_one(sorted(wanted), answered=bool(listed))

    def cancel(self, batch_id: str) -> None:
        raise Refused(f"OpenRouter has no call that stops a batch: {batch_id} goes on to its end, and is paid", 405)

    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        def lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
            rest = bytearray()
            for element in elements(blocks, RESULTS, rest):
                yield element + b"\n"
            found = orjson.loads(rest)
            seen = self.to_batch(found)
            if not seen.ended or found.get(RESULTS) is None and seen.status == "completed":
                raise Unknown(f"batch {batch.id} has ended but offers no results yet", status=404)

        return {output: self._http.fetch(f"{self.batches}/{segment(batch.id)}", output, lines)}

    def _there(self, path: str) -> bytes | None:
        """What a GET answers, its results left out; None where the host knows no such thing."""
        rest = bytearray()
        try:
            with self._http.streamed(path) as blocks:
                for _ in elements(blocks, RESULTS, rest):
                    pass
        except Refused as error:
            if error.status not in (404, 410):
                raise
            return None
        return bytes(rest)

    def holdings(self, batch: Batch) -> list[Holding]:
        if (raw := self._there(f"{self.batches}/{segment(batch.id)}")) is None:
            return [Holding("batch", batch.id, gone=True)]
        # deleted together: the batch, the requests, which are never given back, and the results
        return [Holding("batch", batch.id, len(raw), raw=raw), Holding("output", batch.output, deletable=False)]

    @staticmethod
    def is_deleted(said: dict) -> bool:
        return object_at(said, "deletion").get("openrouter") == "deleted"

    def remove(self, ref: str) -> None:
        self._delete(f"{self.batches}/{segment(ref)}")

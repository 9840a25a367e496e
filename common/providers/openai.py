"""OpenAI Files + Batches, and every host that speaks the same shape (kluster.ai, DeepInfra, Nebius …)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from common.nouns import Batch, Model, Shard
from common.outcomes import final_word, is_unready
from common.providers import quota
from common.providers.base import Holding
from common.providers.foreign import as_count, id_of, name, natural, object_at, problems, unix, word
from common.providers.http import segment
from common.providers.openai_attachments import attachment_problem, attachment_tokens
from common.providers.openai_counting import to_count
from common.providers.openai_parameters import knows_parameter, parameter_problem
from common.providers.openai_requests import ENDPOINT, encode, with_cap
from common.providers.openai_rows import claims, decode
from common.providers.sealed import Sealed
from common.providers.shared import DAY, SdkProvider, alike, created_id, sdk

# Why a batch fails as a whole: its queue is full, or the host has lost or misread the file.
LATER = "token_limit_exceeded"
FILE_CODES, FILE_PARAMETERS = {"invalid_request", "file_not_found"}, {"file_id", "input_file_id"}
MONEY = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"}  # codes of a 429 that no waiting ends


def to_batch(raw: dict, words: Mapping[str, str] = MappingProxyType({})) -> Batch:
    """A batch object as this shape gives it → Batch. A status that we do not know has not ended.

    `words`: a host's own for the states, in small letters → those of OpenAI.

    Raises ValueError when it has no id. One that failed with files, or with a count of answers, was tried.
    """
    said = word(raw.get("status"))
    said = words.get(said.lower(), said)
    status = final_word(said)
    counts = object_at(raw, "request_counts")
    succeeded = natural(counts.get("completed", counts.get("succeeded")))
    output, errors_file = name(raw.get("output_file_id")), name(raw.get("error_file_id"))
    tried = output or errors_file or succeeded or natural(object_at(raw, "usage").get("total_tokens"))
    failed = status == "failed" and not tried
    why = problems(raw.get("errors"))
    return Batch(
        id=id_of(raw),
        status=status or said.lower(),
        ended=bool(status),
        failed=failed,
        total=natural(counts.get("total")),
        succeeded=succeeded,
        errored=natural(counts.get("failed", counts.get("errored"))),
        output=output,
        errors_file=errors_file,
        created_at=unix(raw.get("created_at")),
        expires_at=unix(raw.get("expires_at")),
        ref=name(raw.get("input_file_id")),
        tag=word(object_at(raw, "metadata").get("tag")),
        endpoint=word(raw.get("endpoint")),
        problems=why,
        refusal=_refusal(why) if failed else "",
        asked_again=natural(raw.get("asked_again")),
    )


def _refusal(problems: Sequence[Mapping[str, object]]) -> str:
    """What is to be done about a batch that failed as a whole; see `Batch.refusal`."""
    codes = {str(problem.get("code") or "") for problem in problems}
    if LATER in codes or any(quota.said(str(problem.get("message"))) for problem in problems):
        return "later"
    if problems and all(is_unready(f"{problem.get('code')}: {problem.get('message')}") for problem in problems):
        return "not ready"
    if problems and codes <= FILE_CODES and all(problem.get("param") in FILE_PARAMETERS for problem in problems):
        return "upload again"
    return "give up"


def _sizes(page: dict) -> dict[str, int]:
    """The files of a page of a list, and the bytes of each as far as they are told."""
    return {file["id"]: as_count(file.get("bytes")) or 0 for file in page["data"] or ()}


class OpenAIShaped(SdkProvider):
    """One account at one host of the OpenAI shape."""

    encode = staticmethod(encode)
    decode = staticmethod(decode)
    claims = staticmethod(claims)
    with_cap = staticmethod(with_cap)
    knows_parameter = staticmethod(knows_parameter)
    parameter_problem = staticmethod(parameter_problem)
    attachment_problem = staticmethod(attachment_problem)
    attachment_tokens = staticmethod(attachment_tokens)
    batches, page, cursor, money = "batches", {"limit": 100}, "after", MONEY
    list_of_models, models_page = "models", {}

    def to_batch(self, raw: dict) -> Batch:
        return to_batch(raw, self.host.statuses)

    @staticmethod
    def make_client(**options: object):
        client = sdk("openai").OpenAI(admin_api_key="", **options)
        client.organization = client.project = None  # the environment's are OpenAI's alone; the account's headers hold its own
        return client

    @staticmethod
    def endpoint(model: Model) -> str:
        return model.endpoint

    def upload(self, shard: Shard) -> str:
        with Sealed(shard) as file, self._http.call() as client:
            form = (shard.path.name, file, "application/jsonl")
            made = client.files.with_raw_response.create(file=form, purpose=self.host.upload_purpose).content
        return self._named(made)

    def submit(self, shard: Shard, model_id: str) -> str:
        wish = {
            "input_file_id": shard.ref,
            "endpoint": shard.endpoint or ENDPOINT,
            "completion_window": shard.window or self.host.window,
        }
        if self.host.metadata:
            wish["metadata"] = {"tag": shard.tag, "run": shard.run}
        made = self._http.post(self.batches, body=wish)
        return self._read(made, lambda found: created_id(object_at(found, self.host.wrapped) or found))

    def find(self, shard: Shard) -> Iterable[Batch]:
        # The whole list, because no clock can be trusted to say where to stop, and this is seldom asked.
        listed = [*self.listing()][::-1]
        ours = [batch for batch in listed if shard.tag == batch.tag or (batch.ref and shard.ref == batch.ref)]
        if ours or any(batch.tag for batch in listed):  # a host that shows metadata would show ours
            return sorted(ours, key=lambda batch: batch.created_at)
        endpoint = shard.endpoint or ENDPOINT
        return [
            batch
            for batch in alike(listed, shard)
            if endpoint.endswith(batch.endpoint or endpoint) and not 0 < batch.created_at < shard.intent_at - DAY
        ]

    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        files = ((batch.output, output), (batch.errors_file, errors))
        return {path: self._http.fetch(f"files/{segment(file_id)}/content", path) for file_id, path in files if file_id}

    def count_tokens(self, line: bytes, model: Model) -> int:
        return self._counted(self._http.post("responses/input_tokens", body=to_count(line)))

    def stored(self) -> tuple[int, int]:
        sizes: dict[str, int] = {}
        more: dict[str, object] = {}
        while (page := self._read(self._http.get("files", limit=10_000, **more), _sizes)).keys() - sizes.keys():
            sizes |= page
            more = {"after": [*page][-1]}
        return len(sizes), sum(sizes.values())

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

"""Checks the OpenAI routes with the real SDK: files, batches, their life, their errors."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest

from tests.basics import wait_for
from tests.batch_server.calls import chat_row, finished, jsonl, lines_of, submit, upload
from tests.service import HTTP, Service


def test_a_batch_from_upload_to_cleanup(service: Service, tmp_path: Path):
    """The whole way with a file handle: upload, create, completed, download, delete."""
    client = service.openai()
    path = tmp_path / "in.jsonl"
    path.write_bytes(jsonl([chat_row(n, temperature=0.7) for n in range(60)]))
    with path.open("rb") as handle:
        file = client.files.create(file=handle, purpose="batch")
    assert file.bytes == path.stat().st_size
    assert file.expires_at == file.created_at + 30 * 86400
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                                  metadata={"run": "x"})
    assert (batch.status, batch.request_counts.total, batch.metadata) == ("validating", 0, {"run": "x"})
    batch = finished(client, batch.id)
    assert (batch.status, batch.request_counts.completed, batch.error_file_id) == ("completed", 60, None)
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    rows = lines_of(client, batch.output_file_id)
    ids = [row["custom_id"] for row in rows]
    assert sorted(ids) == sorted(chat_row(n)["custom_id"] for n in range(60))
    assert ids != sorted(ids), "the order must be shuffled"
    body = rows[0]["response"]["body"]
    assert body["simulated"] is True and body["system_fingerprint"] == "fp_simulated" and body["id"].startswith("chatcmpl-sim-")
    assert batch.usage.input_tokens == sum(row["response"]["body"]["usage"]["prompt_tokens"] for row in rows)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_answers_are_deterministic_and_differ_by_trial(service: Service):
    """The same rows get the same answers in another batch; other trials get other scores."""
    client = service.openai()
    answers = []
    for _ in range(2):
        batch = finished(client, submit(client, [chat_row(n) for n in range(30)]).id)
        answers.append({row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"]
                        for row in lines_of(client, batch.output_file_id)})
    assert answers[0] == answers[1]
    assert len(set(answers[0].values())) > 10


@pytest.mark.parametrize(("row", "code", "param"), [
    ("{not json", "invalid_json_line", None),
    ("[1]", "invalid_json_line", None),
    ({**chat_row(1), "custom_id": None}, "missing_required_parameter", "custom_id"),
    ({**chat_row(1), "method": None}, "missing_required_parameter", "method"),
    ({**chat_row(1), "url": "/v1/embeddings"}, "invalid_url", "url"),
    ({**chat_row(1), "body": {"messages": []}}, "invalid_request", "body.model"),
    ({**chat_row(1), "body": {"model": "gpt-4.1-mini"}}, "invalid_request", "body.messages"),
    (chat_row(1, stream=True), "streaming_unsupported", "body.stream"),
    (chat_row(1, model="no-such-model"), "model_not_found", "body.model"),
    (chat_row(1, model="gpt-4o"), "mismatched_model", "body.model"),
    (chat_row(0), "duplicate_custom_id", "custom_id"),
])
def test_a_bad_line_fails_the_batch_later(service: Service, row: dict | str, code: str, param: str | None):
    """Creation answers 200; the batch turns `failed` and names code, line and parameter."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(0), row]).id)
    assert (batch.status, batch.request_counts.total) == ("failed", 0)
    assert (code, param, 2) in [(e.code, e.param, e.line) for e in batch.errors.data]


def test_an_unknown_file_fails_the_batch_later(service: Service):
    """A bad file id is no 4xx either."""
    client = service.openai()
    made = client.batches.create(input_file_id="file-nope", endpoint="/v1/chat/completions", completion_window="24h")
    error = finished(client, made.id).errors.data[0]
    assert (error.code, error.param, error.line) == ("invalid_request", "file_id", None)


@pytest.mark.parametrize(("change", "code", "param"), [
    ({"endpoint": "/v1/nothing"}, "invalid_value", "endpoint"),
    ({"completion_window": "48h"}, "invalid_value", "completion_window"),
    ({"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
    ({"metadata": {str(n): "x" for n in range(17)}}, "object_above_max_properties", "metadata"),
    ({"metadata": {"a": "x" * 513}}, "string_above_max_length", "metadata.a"),
    ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "invalid_value", "output_expires_after.seconds"),
    ({"input_file_id": None}, "missing_required_parameter", "input_file_id"),
])
def test_creation_refuses(service: Service, change: dict, code: str, param: str):
    """What is refused at once, with code and parameter."""
    body = {"input_file_id": "file-x", "endpoint": "/v1/chat/completions", "completion_window": "24h", **change}
    with pytest.raises(openai.BadRequestError) as caught:
        service.openai().post("/batches", body=body, cast_to=object)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_uploads_that_are_refused(service: Service):
    """A name without .jsonl, an empty file, an unknown purpose, no file at all."""
    client = service.openai()
    for name, content, purpose in (("in.txt", b"{}", "batch"), ("in.jsonl", b"", "batch"), ("in.jsonl", b"{}", "poetry")):
        with pytest.raises(openai.BadRequestError):
            client.files.create(file=(name, content), purpose=purpose)
    answer = HTTP.post(f"{service.base}/v1/files", data={"purpose": "batch"}, headers={"authorization": "Bearer k"})
    assert answer.status_code == 400
    headers = {"authorization": "Bearer k", "content-type": "multipart/form-data; boundary=x"}
    assert HTTP.post(f"{service.base}/v1/files", content=b"", headers=headers).status_code == 400, "must not wait for more"


def test_all_rows_failing_gives_no_output_file(service: Service):
    """completed, output_file_id null, and every row in the error file."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(n, model="o3", temperature=0.3) for n in range(9)]).id)
    assert (batch.status, batch.output_file_id, batch.request_counts.failed) == ("completed", None, 9)
    row = lines_of(client, batch.error_file_id)[0]
    assert (row["response"]["status_code"], row["error"]) == (400, None)
    assert row["response"]["body"]["error"]["code"] == "unsupported_value"


def test_cancel(start):
    """A running batch is cancelled with a part of its output; a finished one answers 409; twice is fine."""
    service = start(speed="30")
    client = service.openai()
    batch = submit(client, [chat_row(n) for n in range(200)])
    wait_for(lambda: client.batches.retrieve(batch.id).request_counts.completed > 20)
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = finished(client, batch.id)
    assert batch.status == "cancelled" and batch.cancelling_at <= batch.cancelled_at
    done = batch.request_counts.completed
    assert 20 < done < 200 and len(lines_of(client, batch.output_file_id)) == done
    assert client.batches.cancel(batch.id).status == "cancelled"


def test_cancel_of_an_ended_batch(service: Service):
    """409, and 404 for an unknown one."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(1)]).id)
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'completed'"):
        client.batches.cancel(batch.id)
    with pytest.raises(openai.NotFoundError):
        client.batches.cancel("batch_nope")


def test_counts_grow_while_running(start):
    """Counts are zero while validating, then grow."""
    service = start(speed="30")
    client = service.openai()
    batch = submit(client, [chat_row(n) for n in range(100)])
    seen = set()
    wait_for(lambda: seen.add((b := client.batches.retrieve(batch.id)).request_counts.completed) or b.status == "completed")
    assert len(seen) > 4


def test_lists_page_through(service: Service):
    """Newest first; the SDK pages with `after`; bad cursors and limits are refused."""
    client = service.openai()
    ids = [submit(client, [chat_row(1)]).id for _ in range(5)]
    assert [b.id for b in client.batches.list(limit=2)] == ids[::-1]
    page = client.batches.list(limit=2)
    assert page.has_more and page.last_id == ids[3]
    files = [f.id for f in client.files.list(limit=2, order="asc", purpose="batch")]
    assert len(files) == len(set(files)) == 5
    for query in ({"limit": 0}, {"limit": 101}, {"after": "batch_nope"}, {"limit": "x"}):
        with pytest.raises(openai.BadRequestError):
            client.get("/batches", options={"params": query}, cast_to=object)


def test_headers_and_missing_key(service: Service):
    """Every answer is marked as simulated and has a request id; no key is 401."""
    answer = HTTP.get(f"{service.base}/v1/files", headers={"authorization": "Bearer k"})
    assert answer.headers["x-simulated"] == "true" and answer.headers["x-request-id"]
    answer = HTTP.get(f"{service.base}/v1/files")
    assert answer.status_code == 401 and set(answer.json()["error"]) == {"message", "type", "param", "code"}
    answer = HTTP.get(f"{service.base}/v1/nothing")
    assert answer.status_code == 404 and "error" in answer.json()


def test_single_calls_and_models(service: Service):
    """Chat completions, responses, embeddings and models answer at once."""
    client = service.openai()
    turns = [{"role": "user", "content": "hello"}]
    assert client.chat.completions.create(model="gpt-4.1", messages=turns).choices[0].finish_reason == "stop"
    assert client.responses.create(model="gpt-4.1", input="hello").output_text
    assert len(client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format="float").data) == 2
    assert "gpt-4.1" in [m.id for m in client.models.list()]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt-5", messages=turns, temperature=0.2)
    assert caught.value.code == "unsupported_value"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=turns)


def test_files_expire_after_thirty_days(start):
    """A jump of the clock lets files pass their date."""
    service = start()
    client = service.openai()
    file_id = upload(client, [chat_row(1)])
    service.control("clock", {"advance": 31 * 86400})
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file_id)
    assert list(client.files.list()) == []


def test_any_unicode_comes_back_whole(service: Service):
    """Ids may be any text; line separators inside strings do not break lines."""
    client = service.openai()
    ids = ["\u2028\u2029", "🦊" * 20, "../../etc/passwd", "a\x7f\x85b", "NUL\x00x"]
    batch = finished(client, submit(client, [{**chat_row(1), "custom_id": i} for i in ids]).id)
    raw = client.files.content(batch.output_file_id).content
    assert sorted(json.loads(line)["custom_id"] for line in raw.split(b"\n") if line) == sorted(ids)

"""Checks answers, rows of results included, against the vendors' own API descriptions (trimmed to their structure)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.batch_server.calls import chat_row, ended, finished, message_row, submit
from tests.service import HEADERS, HTTP, Service

SCHEMAS = {name: json.loads((Path(__file__).parent / "schemas" / f"{name}.json").read_text()) for name in ("openai", "anthropic")}


def valid(body: object, api: str, name: str) -> None:
    """Raise where a body is not what the API's description says."""
    schema = {"$ref": f"#/components/schemas/{name}", **SCHEMAS[api]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(body)


def test_openai_objects_in_all_states(service: Service):
    """Files, batches of every fate, lists, deletion and errors."""
    client = service.openai()
    fates = ({}, {"expire_at": 0.5}, {"cancel_at": 0.5}, {"fail": {"code": "x", "message": "y"}}, {"all_fail": True})
    service.faults(*({"call": "batches.create", "nth": n + 1, "action": {"fate": fate}} for n, fate in enumerate(fates)))
    batches = [submit(client, [chat_row(n) for n in range(6)]) for _ in fates]
    url = service.facts["openai_base_url"]
    for batch in batches:
        valid(HTTP.get(f"{url}/batches/{batch.id}", headers=HEADERS).json(), "openai", "Batch")
        finished(client, batch.id)
        valid(HTTP.get(f"{url}/batches/{batch.id}", headers=HEADERS).json(), "openai", "Batch")
    valid(HTTP.get(f"{url}/batches", headers=HEADERS).json(), "openai", "ListBatchesResponse")
    valid(HTTP.get(f"{url}/files", headers=HEADERS).json(), "openai", "ListFilesResponse")
    file = HTTP.get(f"{url}/files/{batches[0].input_file_id}", headers=HEADERS).json()
    valid(file, "openai", "OpenAIFile")
    valid(HTTP.delete(f"{url}/files/{file['id']}", headers=HEADERS).json(), "openai", "DeleteFileResponse")
    valid(HTTP.get(f"{url}/files/nope", headers=HEADERS).json(), "openai", "ErrorResponse")
    valid(HTTP.get(f"{url}/batches/nope").json(), "openai", "ErrorResponse")


@pytest.mark.parametrize("fate", [{}, {"expire_at": 0.5}, {"cancel_at": 0.5}, {"rows": {"share": 0.5, "status": 529, "times": -1}}])
def test_anthropic_objects_and_rows(service: Service, fate: dict):
    """Message Batches of every fate and each of their result rows."""
    client = service.anthropic()
    service.faults({"call": "messages.batches.create", "action": {"fate": fate}})
    made = client.messages.batches.create(requests=[message_row(n) for n in range(8)])
    url = f"{service.base}/v1/messages/batches"
    valid(HTTP.get(f"{url}/{made.id}", headers=HEADERS).json(), "anthropic", "MessageBatch")
    ended(client, made.id)
    valid(HTTP.get(f"{url}/{made.id}", headers=HEADERS).json(), "anthropic", "MessageBatch")
    valid(HTTP.get(url, headers=HEADERS).json(), "anthropic", "ListResponse_MessageBatch_")
    rows = HTTP.get(f"{url}/{made.id}/results", headers=HEADERS).text.splitlines()
    assert len(rows) == 8
    for row in rows:
        valid(json.loads(row), "anthropic", "MessageBatchIndividualResponse")
    valid(HTTP.delete(f"{url}/{made.id}", headers=HEADERS).json(), "anthropic", "DeleteMessageBatchResponse")
    valid(HTTP.get(f"{url}/{made.id}", headers=HEADERS).json(), "anthropic", "ErrorResponse")


def test_openai_rows_are_what_the_sdk_reads(service: Service):
    """Rows of output and error files, strictly: the keys, and the body as the SDK's own type."""
    from openai.types.chat import ChatCompletion
    client = service.openai()
    service.faults({"call": "batches.create", "action": {"fate": {"rows": {"share": 0.5, "status": 500, "times": -1}}}})
    batch = finished(client, submit(client, [chat_row(n) for n in range(20)]).id)
    for line in client.files.content(batch.output_file_id).text.splitlines():
        row = json.loads(line)
        assert set(row) == {"id", "custom_id", "response", "error"} and set(row["response"]) == {"status_code", "request_id", "body"}
        ChatCompletion.model_validate(row["response"]["body"], strict=True)
    for line in client.files.content(batch.error_file_id).text.splitlines():
        valid(json.loads(line)["response"]["body"], "openai", "ErrorResponse")

"""Checks that the hosts the service plays have the quirks that their documentation tells, without any client of ours."""

from __future__ import annotations

import json

import pytest

from tests.batch_server.calls import chat_row
from tests.service import HTTP, Service

BEARER = {"authorization": "Bearer k"}


def made(service: Service, host: str, purpose: str = "batch", window: str = "24h", headers: dict = BEARER, **body: object):
    """A file with one row and a batch of it at a host: the answer to the upload, and to the creation."""
    base = service.facts[f"{host}_base_url"]
    row = chat_row(1, "a/model-1", **body)
    sent = HTTP.post(f"{base}/files", data={"purpose": purpose}, files={"file": ("a.jsonl", json.dumps(row))}, headers=headers)
    wish = {"input_file_id": sent.json().get("id"), "endpoint": "/v1/chat/completions", "completion_window": window}
    return sent, sent.status_code == 200 and HTTP.post(f"{base}/batches", json=wish, headers=headers)


def ended(service: Service, host: str, batch_id: str) -> dict:
    """A batch once it has ended."""
    while True:
        found = HTTP.get(f"{service.facts[f'{host}_base_url']}/batches/{batch_id}", headers=BEARER).json()
        if found["status"].lower() in ("completed", "failed"):
            return found


def test_together(service: Service) -> None:
    """Its purpose, its wrapping, capitals, times as text, no counts, and a list alone."""
    assert made(service, "together")[0].status_code == 400
    job = made(service, "together", "batch-api")[1].json()["job"]
    assert job["status"] == "VALIDATING" and job["created_at"].endswith("Z")
    found = ended(service, "together", job["id"])
    assert found["status"] == "COMPLETED" and not {"request_counts", "metadata"} & found.keys()
    listed = HTTP.get(f"{service.facts['together_base_url']}/batches", headers=BEARER).json()
    assert [one["id"] for one in listed] == [job["id"]]


def test_words_of_their_own(service: Service) -> None:
    """The first state, as two hosts say it."""
    assert made(service, "siliconflow")[1].json()["status"] == "in_queue"
    assert made(service, "novita")[1].json()["status"] == "VALIDATING"


WINDOWS = [("doubleword", "1h", 200), ("groq", "7d", 200), ("groq", "8d", 400), ("nebius", "1h", 400)]


@pytest.mark.parametrize(("host", "window", "status"), WINDOWS)
def test_windows(service: Service, host: str, window: str, status: int) -> None:
    """What is not sold is refused."""
    assert made(service, host, window=window)[1].status_code == status


def test_a_failed_line_without_a_response(service: Service) -> None:
    """At DeepInfra a row that failed has an error, and null for a response."""
    found = ended(service, "deepinfra", made(service, "deepinfra", temperature=9)[1].json()["id"])
    line = HTTP.get(f"{service.facts['deepinfra_base_url']}/files/{found['error_file_id']}/content", headers=BEARER).json()
    assert line["response"] is None and "temperature" in line["error"]["message"]


def test_a_key_in_its_own_header(service: Service) -> None:
    """Azure takes the key in api-key and nowhere else; a host that is not played is not there."""
    assert made(service, "azure")[0].status_code == 401
    assert made(service, "azure", headers={"api-key": "k"})[1].status_code == 200
    assert HTTP.get(f"{service.base}/hosts/nowhere/v1/batches", headers=BEARER).status_code == 404

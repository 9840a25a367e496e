"""Checks the Anthropic routes with the real SDK: Message Batches, messages, both versions and both ways to send the key."""

from __future__ import annotations

import json
from datetime import timedelta

import anthropic
import pytest

from tests.basics import wait_for
from tests.batch_server.calls import ended, message_row
from tests.service import HEADERS, HTTP, Service


def test_a_message_batch_from_creation_to_deletion(service: Service):
    """Counts stay in processing until it has ended; results_url is ours; results are shuffled; then it is deleted."""
    client = service.anthropic()
    rows = [message_row(n, temperature=0.7, system="あなたは詩人です。") for n in range(40)]
    batch = client.messages.batches.create(requests=rows)
    assert (batch.processing_status, batch.request_counts.processing, batch.results_url) == ("in_progress", 40, None)
    assert batch.expires_at - batch.created_at == timedelta(hours=24)
    batch = ended(client, batch.id)
    assert (batch.request_counts.succeeded, batch.request_counts.processing) == (40, 0)
    assert batch.results_url.startswith(service.base)
    items = list(client.messages.batches.results(batch.id))
    ids = [item.custom_id for item in items]
    assert sorted(ids) == sorted(row["custom_id"] for row in rows) and ids != sorted(ids)
    message = items[0].result.message
    assert message.id.startswith("msg_sim_") and message.model_extra["simulated"] and message.stop_reason == "end_turn"
    assert message.usage.service_tier == "batch" and message.content[0].text.startswith("Q1. 面白さ(数値): ")
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)


@pytest.mark.parametrize(("version", "model", "params", "kind"), [
    ("2023-06-01", "claude-haiku-4-5", {"temperature": 0.5}, "succeeded"),
    ("2026-10-21", "claude-haiku-4-5", {"temperature": 0.5}, "errored"),
    ("2026-10-21", "claude-haiku-4-5", {"temperature": 1}, "errored"),
    ("2026-10-21", "claude-haiku-4-5", {}, "succeeded"),
    ("2023-06-01", "claude-opus-4-8", {"temperature": 0.5}, "errored"),
    ("2023-06-01", "claude-sonnet-5-5", {"temperature": 0.5}, "errored"),
    ("2023-06-01", "claude-3-7-sonnet-20250219", {"temperature": 0.5, "top_p": 0.9}, "succeeded"),
    ("2023-06-01", "claude-haiku-4-5-20251001", {"temperature": 0.5, "top_p": 0.9}, "errored"),
    ("2023-06-01", "claude-haiku-4-5", {"temperature": 1.5}, "errored"),
    ("2023-06-01", "claude-haiku-4-5", {"max_tokens": 0}, "errored"),
    ("2023-06-01", "claude-haiku-4-5", {"max_tokens": None}, "errored"),
    ("2023-06-01", "no-such-model", {}, "errored"),
    ("2023-06-01", "claude-haiku-4-5", {"messages": [{"role": "system", "content": "x"}]}, "errored"),
])
def test_parameter_rules_by_version_and_model(service: Service, version: str, model: str, params: dict, kind: str):
    """What the API refuses only shows up in the results, as an errored row."""
    client = service.anthropic(version=version)
    batch = ended(client, client.messages.batches.create(requests=[message_row(1, model=model, **params)]).id)
    (item,) = client.messages.batches.results(batch.id)
    assert item.result.type == kind
    if kind == "errored":
        assert item.result.error.error.type in ("invalid_request_error", "not_found_error")
        assert item.result.error.request_id.startswith("req_")


@pytest.mark.parametrize("body", [
    b"", b"[]", b"{", b"{}", b'{"requests": []}', b'{"requests": {}}', b'{"requests": [1]}', b'{"requests": [{}]}',
    b'{"requests": [{"custom_id": "a b", "params": {}}]}', b'{"requests": [{"custom_id": "", "params": {}}]}',
    b'{"requests": [{"custom_id": "a"}]}', b'{"requests": [{"custom_id": "a", "params": []}]}',
    b'{"requests": [{"custom_id": "a", "params": {}}, {"custom_id": "a", "params": {}}]}',
    b'{"requests": [{"custom_id": "a", "params": {}, "x": 1}]}', b'{"requests": [{"custom_id": "a", "params": {}}], "metadata": {}}',
    b'{"requests": [{"custom_id": "a", "params": {}}]} x', b'{"requests": [{"custom_id": "a", "params": {"t": NaN}}]}',
    b'{"requests": [{"custom_id": "a", "params": {"t": "\\ud800"}}]}', b"\xff\xfe", b'{"requests": ' + b"[" * 100_000,
    b'{"requests": [{"custom_id": "' + b"a" * 65 + b'", "params": {}}]}',
])
def test_bodies_that_are_refused_at_creation(service: Service, body: bytes):
    """Shape and custom_id mistakes are 400 at once, and nothing was made."""
    answer = HTTP.post(f"{service.base}/v1/messages/batches", content=body, headers=HEADERS)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert service.control("ledger")["creates"] == []


def test_keys_and_version_headers(service: Service):
    """x-api-key and Bearer are both fine; a missing key is 401, a missing or wrong version 400."""
    url = f"{service.base}/v1/messages/batches"
    version = {"anthropic-version": "2026-10-21"}
    for headers, status in ((HEADERS, 200), ({"authorization": "Bearer k", **version}, 200), (version, 401),
                            ({"x-api-key": "k"}, 400), ({"x-api-key": "k", "anthropic-version": "2020-01-01"}, 400)):
        assert HTTP.get(url, headers=headers).status_code == status


def test_cancel_and_delete_rules(start):
    """canceling, then ended with canceled rows; deletion before the end is refused; cancelling an ended one too."""
    service = start(speed="30")
    client = service.anthropic()
    batch = client.messages.batches.create(requests=[message_row(n) for n in range(100)])
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.delete(batch.id)
    with pytest.raises(anthropic.AnthropicError):
        client.messages.batches.results(batch.id)
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    batch = ended(client, batch.id)
    assert batch.cancel_initiated_at and batch.request_counts.canceled > 0
    assert sum(batch.request_counts.model_dump().values()) == 100
    kinds = {item.result.type for item in client.messages.batches.results(batch.id)}
    assert "canceled" in kinds
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(batch.id)


def test_lists_page_both_ways(service: Service):
    """Newest first; after_id goes to older ones, before_id to newer ones."""
    client = service.anthropic()
    ids = [client.messages.batches.create(requests=[message_row(1)]).id for _ in range(5)]
    assert [b.id for b in client.messages.batches.list(limit=2)] == ids[::-1]
    page = client.messages.batches.list(limit=2, before_id=ids[1])
    assert [b.id for b in page.data] == [ids[3], ids[2]] and page.has_more
    for query in ({"limit": 0}, {"limit": 1001}, {"after_id": "nope"}):
        with pytest.raises(anthropic.BadRequestError):
            client.get("/v1/messages/batches", options={"params": query}, cast_to=object)


def test_results_go_after_29_days(start):
    """archived_at is set, the batch is still listed, its results are gone."""
    service = start()
    client = service.anthropic()
    batch = ended(client, client.messages.batches.create(requests=[message_row(1)]).id)
    service.control("clock", {"advance": 29 * 86400 + 1})
    old = client.messages.batches.retrieve(batch.id)
    assert old.archived_at and old.results_url is None
    answer = HTTP.get(batch.results_url, headers=HEADERS)
    assert answer.status_code == 404


def test_a_big_body_is_split_by_a_worker(service: Service):
    """A body beyond the small size takes the other way and ends the same."""
    client = service.anthropic()
    rows = [message_row(n, system="長い文章です。" * 200) for n in range(300)]
    batch = ended(client, client.messages.batches.create(requests=rows).id)
    assert batch.request_counts.succeeded == 300
    (create,) = service.control("ledger")["creates"]
    assert create["requests"] == 300


def test_single_messages_and_models(service: Service):
    """/v1/messages and /v1/models answer in Anthropic's shape."""
    client = service.anthropic()
    turns = [{"role": "user", "content": "hello"}]
    assert client.messages.create(model="claude-haiku-4-5", max_tokens=100, messages=turns).usage.service_tier == "standard"
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=turns, extra_body={"temperature": 0.1})
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="no-such-model", max_tokens=9, messages=turns)
    assert "claude-haiku-4-5-20251001" in [m.id for m in client.models.list()]


def test_chunked_body_and_unicode(service: Service):
    """A body without a length, cut at unlucky places, comes through whole."""
    row = message_row(1)
    row["params"]["messages"][0]["content"] = "🦊\u2028" * 500
    body = json.dumps({"requests": [row]}, ensure_ascii=False).encode()

    def pieces():
        for at in range(0, len(body), 7):
            yield body[at:at + 7]
    answer = HTTP.post(f"{service.base}/v1/messages/batches", content=pieces(), headers=HEADERS)
    assert answer.status_code == 200
    wait_for(lambda: HTTP.get(f"{service.base}/v1/messages/batches/{answer.json()['id']}", headers=HEADERS).json()["results_url"])

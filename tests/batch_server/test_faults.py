"""Checks that every fault can be had, and that the ledger tells what really happened."""

from __future__ import annotations

import json
import time

import anthropic
import httpx2
import openai
import pytest

from tests.batch_server.calls import chat_row, ended, finished, jsonl, lines_of, message_row, submit, upload
from tests.service import HTTP, Service

CREATE = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}


def test_status_before_and_after_the_effect(service: Service):
    """A 500 before makes no batch; a 500 after has made one."""
    client = service.openai()
    file_id = upload(client, [chat_row(1)])
    for when, made in (("before", 0), ("after", 1)):
        service.faults({"call": "batches.create", "action": {"status": 500, "when": when}})
        with pytest.raises(openai.InternalServerError):
            client.batches.create(input_file_id=file_id, **CREATE)
        assert len(list(client.batches.list())) == made
    ledger = service.control("ledger")
    assert len(ledger["creates"]) == 1
    assert [(a["status"], a["batch_id"] is not None) for a in ledger["attempts"]] == [(500, False), (500, True)]


def test_the_sdk_buys_twice_when_the_answer_is_dropped(service: Service):
    """With the SDK's own retries a dropped answer makes a second batch: the ledger shows both."""
    client = service.openai(retries=1)
    file_id = upload(client, [chat_row(1)])
    service.faults({"call": "batches.create", "action": {"drop": "after"}})
    client.batches.create(input_file_id=file_id, **CREATE)
    creates = service.control("ledger")["creates"]
    assert len(creates) == 2 and len({c["input_sha256"] for c in creates}) == 1


def test_drop_before(service: Service):
    """The connection is cut, nothing has happened."""
    client = service.openai()
    service.faults({"call": "files.create", "action": {"drop": "before"}})
    with pytest.raises(openai.APIConnectionError):
        upload(client, [chat_row(1)])
    assert list(client.files.list()) == []


def test_own_headers_and_body(service: Service):
    """429 with retry-after and a body of one's own."""
    body = {"error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}}
    service.faults({"call": "batches.list", "action": {"status": 429, "headers": {"retry-after": "7"}, "body": body}})
    with pytest.raises(openai.RateLimitError, match="slow down") as caught:
        service.openai().batches.list()
    assert caught.value.response.headers["retry-after"] == "7"


def test_which_occurrence(service: Service):
    """nth and times choose the calls; the counters say how often a rule fired; a profile narrows it."""
    service.faults({"call": "batches.list", "nth": 2, "times": 2, "action": {"status": 503}},
                   {"call": "*", "profile": "kluster", "times": -1, "action": {"status": 502}})
    client, answers = service.openai(), []
    for _ in range(4):
        try:
            client.batches.list()
            answers.append(200)
        except openai.APIStatusError as error:
            answers.append(error.status_code)
    assert answers == [200, 503, 503, 200]
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            service.kluster().batches.list()
    assert [rule["fired"] for rule in service.control("faults")["rules"]] == [2, 2]


def test_probability_is_seeded(service: Service):
    """The same seed gives the same calls."""
    runs = []
    for _ in range(2):
        service.faults({"call": "models.list", "probability": 0.5, "seed": 4, "action": {"status": 500}})
        runs.append([HTTP.get(f"{service.base}/v1/models", headers={"authorization": "Bearer k"}).status_code for _ in range(20)])
    assert runs[0] == runs[1] and set(runs[0]) == {200, 500}


def test_downloads_cut_in_the_middle(service: Service):
    """truncate by share and by bytes: the client sees a broken body."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(n) for n in range(50)]).id)
    whole = len(client.files.content(batch.output_file_id).content)
    for cut, most in ((0.5, whole // 2), (1000, 1000)):
        service.faults({"call": "files.content", "action": {"truncate": cut}})
        got = 0
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)), HTTP.stream(
                "GET", f"{service.base}/v1/files/{batch.output_file_id}/content", headers={"authorization": "Bearer k"}) as answer:
            for piece in answer.iter_bytes():
                got += len(piece)
        assert 0 < got <= most
    assert len(client.files.content(batch.output_file_id).content) == whole


def test_delay_and_slow(service: Service):
    """An answer comes late, and a download trickles but is whole."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(n) for n in range(5)]).id)
    whole = client.files.content(batch.output_file_id).content
    service.faults({"call": "batches.retrieve", "action": {"delay": 0.3}},
                   {"call": "files.content", "action": {"slow": len(whole) * 2}})
    begun = time.monotonic()
    client.batches.retrieve(batch.id)
    assert time.monotonic() - begun >= 0.3
    begun = time.monotonic()
    assert client.files.content(batch.output_file_id).content == whole
    assert time.monotonic() - begun >= 0.3


def test_lying_counters_and_hidden_output(service: Service):
    """The object says what is not so."""
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(1)]).id)
    service.faults({"call": "batches.retrieve", "action": {"counts": {"completed": 7, "total": 9}, "hide_output": True}})
    lie = client.batches.retrieve(batch.id)
    assert (lie.request_counts.completed, lie.request_counts.total, lie.output_file_id) == (7, 9, None)
    assert client.batches.retrieve(batch.id).output_file_id == batch.output_file_id


def test_bent_lines(service: Service):
    """Duplicate, foreign, malformed and missing lines, in both APIs."""
    bend = {"action": {"lines": {"duplicate": 2, "foreign": 1, "malformed": 1, "missing": 3}}}
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(n) for n in range(10)]).id)
    claude = service.anthropic()
    message_batch = ended(claude, claude.messages.batches.create(requests=[message_row(n) for n in range(10)]).id)
    service.faults({"call": "files.content", **bend}, {"call": "messages.batches.results", **bend})
    for raw in (client.files.content(batch.output_file_id).content,
                HTTP.get(message_batch.results_url, headers={"x-api-key": "k", "anthropic-version": "2023-06-01"}).content):
        ids, broken = [], 0
        for line in raw.splitlines():
            try:
                ids.append(json.loads(line)["custom_id"])
            except ValueError:
                broken += 1
        assert (len(ids), len(set(ids)), broken) == (10, 8, 1)
        assert "foreign-0" in ids


def test_lists_lag(service: Service):
    """A young batch is not listed yet, but can be retrieved."""
    client = service.openai()
    batch = submit(client, [chat_row(1)])
    service.faults({"call": "batches.list", "action": {"lag": 60}})
    assert list(client.batches.list()) == []
    assert client.batches.retrieve(batch.id).id == batch.id
    assert [b.id for b in client.batches.list()] == [batch.id]


def fated(service: Service, fate: dict, rows: int = 20):
    """A batch of the OpenAI API with a fate."""
    service.faults({"call": "batches.create", "action": {"fate": fate}})
    client = service.openai()
    batch = submit(client, [chat_row(n) for n in range(rows)])
    return client, batch


def test_fate_expired(service: Service):
    """expired: the finished part is in the output file, the rest is batch_expired."""
    client, batch = fated(service, {"expire_at": 0.6})
    batch = finished(client, batch.id)
    assert (batch.status, batch.expired_at, batch.request_counts.completed) == ("expired", batch.expires_at, 12)
    errors = lines_of(client, batch.error_file_id)
    assert len(lines_of(client, batch.output_file_id)) == 12 and len(errors) == 8
    assert (errors[0]["response"], errors[0]["error"]["code"]) == (None, "batch_expired")
    assert service.control(f"ledger?batch={batch.id}")["billed_rows"] == 12


def test_fate_cancelled_failed_and_all_fail(service: Service):
    """Somebody else cancels; the provider refuses the batch; every row fails."""
    client, batch = fated(service, {"cancel_at": 0.4})
    assert (finished(client, batch.id).status, len(lines_of(client, finished(client, batch.id).output_file_id))) == ("cancelled", 8)
    client, batch = fated(service, {"fail": {"code": "token_limit_exceeded", "message": "queue full"}})
    assert finished(client, batch.id).errors.data[0].code == "token_limit_exceeded"
    client, batch = fated(service, {"all_fail": True})
    batch = finished(client, batch.id)
    assert (batch.status, batch.output_file_id, batch.request_counts.failed) == ("completed", None, 20)


def test_fate_rows_heal_or_stay(service: Service):
    """A share of rows fails once and heals when sent again, or fails for ever."""
    rule = {"share": 0.5, "status": 429, "code": "insufficient_quota", "message": "no money"}
    for times, second in ((1, 0), (-1, None)):
        failed = []
        for _ in range(2):
            client, batch = fated(service, {"rows": {**rule, "times": times}}, rows=40)
            batch = finished(client, batch.id)
            failed.append({row["custom_id"] for row in lines_of(client, batch.error_file_id)})
        assert 5 < len(failed[0]) < 35
        assert len(failed[1]) == (len(failed[0]) if second is None else second)
        service.control("reset", {})


def test_fate_stuck(start):
    """A stuck batch does half and stays so, until it is cancelled or its window has passed."""
    service = start(speed="5000")
    client, batch = fated(service, {"stuck": True})
    time.sleep(0.5)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    service.control("clock", {"advance": 86400})
    assert finished(client, batch.id).status == "expired"


def test_anthropic_fates(service: Service):
    """expired, canceled and errored rows, counted and worded as the API does."""
    client = service.anthropic()
    rows = [message_row(n) for n in range(20)]
    for fate, expected in (({"expire_at": 0.5}, {"succeeded": 10, "expired": 10}), ({"cancel_at": 0.5}, {"succeeded": 10, "canceled": 10}),
                           ({"rows": {"share": 1, "status": 529, "times": -1}}, {"errored": 20})):
        service.faults({"call": "messages.batches.create", "action": {"fate": fate}})
        batch = ended(client, client.messages.batches.create(requests=rows).id)
        counts = {key: value for key, value in batch.request_counts.model_dump().items() if value}
        kinds = [item.result.type for item in client.messages.batches.results(batch.id)]
        assert counts == expected == {kind: kinds.count(kind) for kind in set(kinds)}


def test_anthropic_faults(service: Service):
    """529, a results stream that breaks, and a dropped answer after the batch was made."""
    client = service.anthropic()
    service.faults({"call": "messages.batches.list", "action": {"status": 529}},
                   {"call": "messages.batches.create", "action": {"drop": "after"}},
                   {"call": "messages.batches.results", "action": {"truncate": 0.5}})
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.batches.list()
    assert caught.value.status_code == 529 and caught.value.body["error"]["type"] == "overloaded_error"
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.batches.create(requests=[message_row(n) for n in range(9)])
    (made,) = client.messages.batches.list()
    ended(client, made.id)
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError, ValueError)):
        list(client.messages.batches.results(made.id))


def test_a_file_vanishes(service: Service):
    """A file is gone without anybody having deleted it."""
    client = service.openai()
    file_id = upload(client, [chat_row(1)])
    service.control(f"files/{file_id}/vanish", {})
    batch = client.batches.create(input_file_id=file_id, **CREATE)
    assert finished(client, batch.id).errors.data[0].param == "file_id"


@pytest.mark.parametrize("rules", [{}, [1], [{"call": "nothing", "action": {}}], [{"call": "*", "action": {"explode": 1}}],
                                   [{"call": "*", "action": {"drop": "maybe"}}], [{"call": "*", "nth": "x", "action": {}}],
                                   [{"call": "*", "action": {"status": 99}}], [{"call": "*", "action": {"lines": 3}}]])
def test_bad_plans_are_refused(service: Service, rules: object):
    """A plan with a mistake is refused as a whole, in words."""
    answer = HTTP.post(f"{service.base}/_control/faults", json=rules)
    assert answer.status_code == 400 and answer.json()["error"]["message"].startswith("faults")


def test_a_plan_from_a_file(start, tmp_path):
    """--faults FILE is in force from the first call."""
    plan = tmp_path / "faults.json"
    plan.write_text(json.dumps([{"call": "files.create", "action": {"status": 503}}]))
    client = start("--faults", str(plan)).openai()
    with pytest.raises(openai.InternalServerError):
        client.files.create(file=("in.jsonl", jsonl([chat_row(1)])), purpose="batch")
    assert upload(client, [chat_row(1)])

"""Checks what other people's request tests need: objects under given ids, streamed single calls, token counts, bare bytes."""

from __future__ import annotations

import anthropic
import openai
import pytest

from tests.batch_server.calls import PROMPT, chat_row, ended, jsonl
from tests.service import HTTP, Service


def test_seeded_objects_are_like_all_others(service: Service):
    """Retrieved, listed, read, cancelled and deleted under their own ids; laid out anew as often as one likes."""
    plan = {"files": [{"id": "file_id", "content": '{"foo": "bar"}', "purpose": "assistants"}],
            "batches": [{"id": "batch_id", "status": "in_progress"}, {"id": "done", "lines": [{"a": 1}, {"a": 2}]},
                        {"id": "message_batch_id", "profile": "anthropic", "lines": [{"custom_id": "x", "result": {"type": "expired"}}]}]}
    client, claude = service.openai(), service.anthropic()
    for _ in range(2):
        assert service.control("seed", plan) == {"files": 1, "batches": 3}
        assert client.files.content("file_id").text == '{"foo": "bar"}'
        assert client.batches.retrieve("batch_id").status == "in_progress"
        assert client.batches.cancel("batch_id").status in ("cancelling", "cancelled")
        batch = client.batches.retrieve("done")
        assert client.files.content(batch.output_file_id).content == b'{"a":1}\n{"a":2}\n' and batch.request_counts.completed == 2
        assert [item.result.type for item in claude.messages.batches.results("message_batch_id")] == ["expired"]
        assert {b.id for b in client.batches.list()} == {"batch_id", "done"}
        assert client.files.delete("file_id").deleted
        assert claude.messages.batches.delete("message_batch_id").id == "message_batch_id"
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve("message_batch_id")


@pytest.mark.parametrize("plan", [
    [], {"x": []}, {"files": 3}, {"files": [{}]}, {"files": [{"id": "../../etc/x"}]}, {"batches": [{"id": "a", "status": "odd"}]},
    {"batches": [{"id": "a/b"}]}, {"batches": [{"id": "a", "colour": 1}]}, {"batches": [{"id": "a", "lines": 3}]},
    {"files": [{"id": "a", "profile": "acme"}]}])
def test_what_cannot_be_seeded(service: Service, plan: object):
    """400, and never a path made of an id."""
    answer = HTTP.post(f"{service.base}/_control/seed", json=plan)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_streams_hold_the_same_words(service: Service):
    """Chat, responses, completions and messages: the SDKs put the pieces together again."""
    client, claude = service.openai(), service.anthropic()
    body = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": PROMPT}]}
    whole = client.chat.completions.create(**body).choices[0].message.content
    chunks = list(client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole
    assert chunks[-1].usage.total_tokens and chunks[-2].choices[0].finish_reason == "stop"
    with client.responses.stream(model="gpt-4.1-mini", input=PROMPT) as stream:
        assert stream.get_final_response().output_text == client.responses.create(model="gpt-4.1-mini", input=PROMPT).output_text
    pieces = client.completions.create(model="gpt-4.1-mini", prompt=PROMPT, stream=True)
    assert "".join(c.choices[0].text for c in pieces) == client.completions.create(model="gpt-4.1-mini", prompt=PROMPT).choices[0].text
    ask = {"model": "claude-haiku-4-5", "max_tokens": 500, "messages": body["messages"]}
    with claude.messages.stream(**ask) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == claude.messages.create(**ask).content[0].text and message.stop_reason == "end_turn"
    assert claude.messages.count_tokens(model="claude-haiku-4-5", messages=body["messages"]).input_tokens == message.usage.input_tokens


def test_bare_bytes_have_no_file_ending(service: Service):
    """SDKs send bare bytes under the name "upload"; another ending than .jsonl is refused."""
    client = service.openai()
    assert client.files.create(file=jsonl([chat_row(1)]), purpose="batch").filename == "upload"
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("upload.json", jsonl([chat_row(1)])), purpose="batch")


def test_a_deleted_message_batch_leaves_no_bytes(service: Service):
    """Input, results and index are gone; the ledger still knows the batch."""
    claude = service.anthropic()
    made = claude.messages.batches.create(requests=[{"custom_id": "a", "params": {
        "model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}}])
    ended(claude, made.id)
    claude.messages.batches.delete(made.id)
    left = [path.name for path in (service.state / "blobs").iterdir()]
    assert left == [f"billed-{made.id}"]
    assert service.control(f"ledger?batch={made.id}")["deleted"]

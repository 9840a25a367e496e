"""Checks the kluster.ai profile: the same routes with its own quirks and limits."""

from __future__ import annotations

from tests.batch_server.calls import chat_row, finished, lines_of, submit
from tests.service import HEADERS, HTTP, Service


def test_quirks(service: Service):
    """String times, metadata {}, pages in lists, several models per file, no `error` in lines, no status in files."""
    client = service.kluster()
    rows = [chat_row(1, model="deepseek-ai/DeepSeek-R1"), chat_row(2, model="meta-llama/Llama-4-Scout-17B-16E-Instruct")]
    batch = finished(client, submit(client, rows).id)
    raw = HTTP.get(f"{service.facts['kluster_base_url']}/batches", headers=HEADERS).json()
    assert raw["count"] == raw["page"] == 1 and raw["items_per_page"] == 2**63 - 1
    assert isinstance(raw["data"][0]["created_at"], str) and raw["data"][0]["metadata"] == {}
    lines = lines_of(client, batch.output_file_id)
    assert len(lines) == 2 and "error" not in lines[0] and "prompt_logprobs" in lines[0]["response"]["body"]
    file = HTTP.get(f"{service.facts['kluster_base_url']}/files/{batch.input_file_id}", headers=HEADERS).json()
    assert "status" not in file and isinstance(file["created_at"], str)


def test_windows_and_separate_accounts(service: Service):
    """48h and 72h are fine; OpenAI's side knows nothing of these batches."""
    client = service.kluster()
    file_id = submit(client, [chat_row(1)]).input_file_id
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="72h")
    assert int(batch.expires_at) - int(batch.created_at) == 72 * 3600
    assert list(service.openai().batches.list()) == []


def test_trial_plan(start):
    """A trial account may send 1,000 rows, not 1,001."""
    service = start("--kluster-plan", "trial")
    client = service.kluster()
    batch = finished(client, submit(client, [chat_row(n) for n in range(1001)]).id)
    assert batch.status == "failed" and batch.errors.data[0].code == "too_many_tasks"
    assert finished(client, submit(client, [chat_row(n) for n in range(1000)]).id).status == "completed"

"""Owns what these tests say to a service, through the real SDKs: rows, uploads, batches, and waiting for their ends."""

from __future__ import annotations

import json

from anthropic import Anthropic
from openai import OpenAI

from tests.basics import wait_for

PROMPT = ("次の物語を読んで答えてください。\n\nむかし、あるところに、ひとりの木こりがいました。\n\n"
          "Q1. 面白さ(数値): [0-100]\nQ1. 面白さ(理由): [理由]\nQ2. 驚き(数値): [0-100]\nQ2. 驚き(理由): [理由]")


def chat_row(number: int, model: str = "gpt-4.1-mini", **body: object) -> dict:
    """One line of an OpenAI input file."""
    messages = [{"role": "system", "content": "あなたは文学研究者です。"}, {"role": "user", "content": PROMPT}]
    return {"custom_id": f"p1_{model}_n{number:02d}_t1", "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": model, "messages": messages, "max_tokens": 1024, **body}}


def message_row(number: int, model: str = "claude-haiku-4-5", **params: object) -> dict:
    """One request of a Message Batch."""
    return {"custom_id": f"p1_haiku_n{number:02d}_t1",
            "params": {"model": model, "max_tokens": 1024, "messages": [{"role": "user", "content": PROMPT}], **params}}


def jsonl(rows: list) -> bytes:
    """Rows as an input file, raw UTF-8."""
    return "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows).encode()


def upload(client: OpenAI, rows: list) -> str:
    """Upload rows; returns the file id."""
    return client.files.create(file=("in.jsonl", jsonl(rows)), purpose="batch").id


def submit(client: OpenAI, rows: list, **more: object):
    """Upload rows and make a batch of them."""
    return client.batches.create(input_file_id=upload(client, rows), endpoint="/v1/chat/completions", completion_window="24h", **more)


def finished(client: OpenAI, batch_id: str, seconds: float = 15.0):
    """The batch once it has ended."""
    final = ("completed", "failed", "expired", "cancelled")
    return wait_for(lambda: (b := client.batches.retrieve(batch_id)).status in final and b, seconds)


def ended(client: Anthropic, batch_id: str, seconds: float = 15.0):
    """The Message Batch once it has ended."""
    return wait_for(lambda: (b := client.messages.batches.retrieve(batch_id)).processing_status == "ended" and b, seconds)


def lines_of(client: OpenAI, file_id: str | None) -> list[dict]:
    """The lines of an output or error file."""
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()] if file_id else []

"""Owns the real service processes that these tests talk to, and the real SDK clients that talk to them."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.support import ROOT, wait_for

STEADY = ("--odd-share", "0", "--cut-share", "0", "--heal-share", "0")
PROMPT = ("次の物語を読んで答えてください。\n\nむかし、あるところに、ひとりの木こりがいました。\n\n"
          "Q1. 面白さ(数値): [0-100]\nQ1. 面白さ(理由): [理由]\nQ2. 驚き(数値): [0-100]\nQ2. 驚き(理由): [理由]")


HTTP = httpx2.Client(timeout=20)  # one for all: making a client costs more than most of these tests
atexit.register(HTTP.close)


@dataclass
class Service:
    """A service process under test."""

    state: Path
    arguments: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None
    facts: dict = field(default_factory=dict)

    def start(self) -> Service:
        """Start the process and wait until it listens."""
        (self.state / "service.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.batch_server", "--port", "0", "--state", str(self.state), "--quiet", *self.arguments],
            cwd=ROOT, env={**os.environ, **self.env}, stderr=subprocess.PIPE)
        wait_for(lambda: (self.state / "service.json").exists(), 10)
        self.facts = json.loads((self.state / "service.json").read_text())
        return self

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self._reap()

    def stop(self) -> str:
        """Stop cleanly; returns what was written to stderr."""
        self.process.terminate()
        return self._reap()

    def _reap(self) -> str:
        errors = self.process.communicate(timeout=20)[1].decode()
        self.process = None
        return errors

    @property
    def base(self) -> str:
        """The address of the service."""
        return self.facts["base_url"]

    def openai(self, key: str = "local", retries: int = 0) -> OpenAI:
        """The real SDK."""
        return OpenAI(base_url=self.facts["openai_base_url"], api_key=key, max_retries=retries, timeout=20)

    def kluster(self) -> OpenAI:
        """The real OpenAI SDK on the kluster.ai profile."""
        return OpenAI(base_url=self.facts["kluster_base_url"], api_key="local", max_retries=0, timeout=20)

    def anthropic(self, key: str = "local", version: str = "2023-06-01", retries: int = 0) -> Anthropic:
        """The real SDK."""
        return Anthropic(base_url=self.base, api_key=key, max_retries=retries, timeout=20,
                         default_headers={"anthropic-version": version})

    def control(self, path: str, body: object = None) -> dict:
        """A control route: GET, or POST when there is a body."""
        url = f"{self.base}/_control/{path}"
        answer = HTTP.get(url) if body is None else HTTP.post(url, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, *rules: dict) -> None:
        """Put a plan of faults in force."""
        self.control("faults", list(rules))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services of one's own; all are stopped at the end of the test, and none may have had a bug."""
    started: list[Service] = []

    def one(*arguments: str, state: Path | None = None, env: dict | None = None, steady: bool = True,
            speed: str = "20000") -> Service:
        folder = state or tmp_path / f"state{len(started)}"
        folder.mkdir(exist_ok=True)
        extra = (*(STEADY if steady else ()), "--speed", speed)
        service = Service(folder, (*extra, *arguments), env or {})
        started.append(service)
        return service.start()

    yield one
    errors = [service.stop() for service in started if service.process]
    if "Traceback" in "".join(errors):
        pytest.fail("".join(errors), pytrace=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests that need nothing special."""
    service = Service(tmp_path_factory.mktemp("shared"), (*STEADY, "--speed", "20000")).start()
    yield service
    assert "Traceback" not in service.stop()


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    """The shared service, empty and without faults."""
    shared.control("reset", {})
    yield shared


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

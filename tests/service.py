"""Owns the one way in which tests start, ask, break and stop a local batch service: a process of its own, over HTTP."""

from __future__ import annotations

import atexit
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from tests import forked
from tests.basics import wait_for

if TYPE_CHECKING:  # SDKs are imported where one is asked for: the process that only hands out tests does without
    from anthropic import Anthropic
    from openai import OpenAI

STEADY = ("--odd-share", "0", "--cut-share", "0", "--heal-share", "0", "--refuse-share", "0")
SECRET = "7f3a9c0b1d5e"  # in every key, so that a key in an output is seen
KEYS = {
    "OPENAI_API_KEY": f"sk-{SECRET}",
    "ANTHROPIC_API_KEY": f"sk-ant-{SECRET}",
    "KLUSTERAI_API_KEY": SECRET,
    "OPENROUTER_API_KEY": f"sk-or-{SECRET}",
}
HEADERS = {"authorization": "Bearer k", "x-api-key": "k", "anthropic-version": "2023-06-01"}  # of a look without any client
MARK = re.compile(r"-[0-9a-f]{8}$")  # in which ids that are sent to the Anthropic shape end
HTTP = httpx2.Client(timeout=20)  # one for all: making a client costs more than most of these tests
atexit.register(HTTP.close)


@dataclass
class Service:
    """A service process. What it knows lives in `state`: after kill() or stop(), start() goes on with it."""

    state: Path
    options: tuple[str, ...] = STEADY
    env: dict[str, str] = field(default_factory=dict)
    process: BaseProcess | None = None
    facts: dict = field(default_factory=dict)  # service.json: port, pid, addresses
    clients: list[OpenAI | Anthropic] = field(default_factory=list)  # made since it was empty; closed with it

    # ---- the process

    def start(self) -> Service:
        """Start the process and wait until it listens."""
        facts = self.state / "service.json"
        facts.unlink(missing_ok=True)
        self.state.mkdir(parents=True, exist_ok=True)
        options = ["--quiet", "--port", "0", "--state", str(self.state), *self.options]
        self.process = forked.service(options, {**os.environ, **self.env}, self._errors)
        wait_for(lambda: facts.exists() or self.process.exitcode is not None)
        assert facts.exists(), f"the local batch service did not start: {self._errors.read_text()}"
        self.facts = json.loads(facts.read_text())
        return self

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self._reap()

    def stop(self) -> str:
        """Stop cleanly; returns what was written to stderr in all its lives."""
        self.process.terminate()
        self._reap()
        return self._errors.read_text()

    def __enter__(self) -> Service:
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop, if it still runs; a service that had a bug fails the test that ends here."""
        self._close_clients()
        errors = self.stop() if self.process else self._errors.read_text()
        assert "Traceback" not in errors, errors

    @property
    def _errors(self) -> Path:
        return self.state / "stderr.txt"

    def _kept(self, client):
        self.clients.append(client)
        return client

    def _close_clients(self) -> None:
        """Let go of their connections: one that is merely forgotten is collected during some other test, which then fails."""
        while self.clients:
            self.clients.pop().close()

    def _reap(self) -> None:
        self.process.join(20)
        self.process.close()
        self.process = None

    # ---- its control routes, and what its books say

    def control(self, path: str, body: object = None) -> dict:
        """A control route: GET, or POST when there is a body."""
        url = f"{self.base}/_control/{path}"
        answer = HTTP.get(url) if body is None else HTTP.post(url, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self) -> None:
        """No file, no batch, no fault."""
        self._close_clients()
        self.control("reset", {})

    def faults(self, *rules: dict) -> None:
        """Put a plan of faults in force, instead of the one before."""
        self.control("faults", list(rules))

    def fault(self, call: str, action: dict, times: int = -1) -> None:
        """Let one call go wrong from now on."""
        self.faults({"call": call, "action": action, "times": times})

    def fired(self, rule: int = 0) -> int:
        """How often a rule of the plan of faults has struck."""
        return self.control("faults")["rules"][rule]["fired"]

    def attempts(self) -> list[dict]:
        """Every call that asked for a batch."""
        return self.control("ledger")["attempts"]

    def creates(self) -> list[dict]:
        """Every batch that was made."""
        return self.control("ledger")["creates"]

    def billed(self) -> Counter:
        """How often each request was answered and billed; a mark at the end of its id is that of one attempt, so not counted."""
        count: Counter = Counter()
        for create in self.creates():
            if create["billed_rows"]:
                count.update(MARK.sub("", row["custom_id"]) for row in self.control(f"ledger?batch={create['batch_id']}")["rows"])
        return count

    # ---- who talks to it

    @property
    def base(self) -> str:
        """The address of the service."""
        return self.facts["base_url"]

    @property
    def addresses(self) -> dict[str, str]:
        """The environment that leads our commands here, keys apart."""
        hosts = {"OPENAI": "openai", "ANTHROPIC": "anthropic", "KLUSTERAI": "kluster", "OPENROUTER": "openrouter"}
        return {f"{name}_BASE_URL": self.facts[f"{host}_base_url"] for name, host in hosts.items()}

    def openai(self, key: str = "local", retries: int = 0) -> OpenAI:
        """The real SDK."""
        from openai import OpenAI

        return self._kept(OpenAI(base_url=self.facts["openai_base_url"], api_key=key, max_retries=retries, timeout=20))

    def kluster(self) -> OpenAI:
        """The real OpenAI SDK on the kluster.ai profile."""
        from openai import OpenAI

        return self._kept(OpenAI(base_url=self.facts["kluster_base_url"], api_key="local", max_retries=0, timeout=20))

    def anthropic(self, key: str = "local", version: str = "2023-06-01", retries: int = 0) -> Anthropic:
        """The real SDK."""
        from anthropic import Anthropic

        headers = {"anthropic-version": version}
        return self._kept(Anthropic(base_url=self.base, api_key=key, max_retries=retries, timeout=20, default_headers=headers))

    def get(self, path: str, kind: str = "openai") -> httpx2.Response:
        """A plain HTTP look at an account, without any client's code."""
        return HTTP.get(self.facts[f"{kind}_base_url"] + ("/v1" if kind == "anthropic" else "") + path, headers=HEADERS)

    def batches(self, kind: str = "openai") -> list[dict]:
        """All batches of the account."""
        return self.get("/messages/batches" if kind == "anthropic" else "/batches", kind).json()["data"]

    def files(self, kind: str = "openai") -> dict[str, bytes]:
        """All files of the account: id → content."""
        return {f["id"]: self.get(f"/files/{f['id']}/content", kind).content for f in self.get("/files", kind).json()["data"]}

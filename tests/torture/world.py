"""A service, a results folder and a way to run commands against both; and the judge of what came of it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent.parent
PROFILES = {
    "openai": ("openai_example", "openai", ["--batch", "--model", "gpt-4.1", "gpt-4.1-mini", "gpt-4o"]),
    "anthropic": ("claude_example", "claude", ["--batch", "--model", "claude-haiku-4-5", "claude-sonnet-4-6"]),
    "kluster": ("deepseek_batch_example", "deepseek", ["--model", "deepseekv3", "deepseekv3-0324", "deepseekr1"]),
}
QUICK = ["--poll", "0.02", "--grace", "0.25", "--patience", "8", "--no-texts"]
STEADY = ["--cut-share", "0", "--odd-share", "0"]
csv.field_size_limit(1 << 30)


class Zygote:
    """A process that forks commands on demand."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.torture.zygote"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, **job: object) -> dict:
        """Run one job; see zygote.py."""
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Let it end."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@dataclass
class World:
    """One service process, and a results folder that is new for each trial."""

    folder: Path
    heal_share: float = 0.15
    speed: float = 1e6
    options: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.results = self.folder / "results"
        self._state = self.folder / "service"
        self._state.mkdir(parents=True, exist_ok=True)
        self.zygote = Zygote()
        self.start()

    def start(self) -> None:
        """Start the service and wait until it listens."""
        (self._state / "service.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "tools.batch_server", "--quiet", "--port", "0", "--state", str(self._state)]
        command += ["--speed", str(self.speed), "--heal-share", str(self.heal_share), *STEADY, *self.options]
        self._service = subprocess.Popen(command, cwd=ROOT)
        end = time.monotonic() + 20
        while not (self._state / "service.json").exists():
            if time.monotonic() > end or self._service.poll() is not None:
                raise RuntimeError("the local batch service did not start")
            time.sleep(0.01)
        self.urls = json.loads((self._state / "service.json").read_text())
        self._http = requests.Session()

    def close(self) -> None:
        """Stop everything."""
        self._http.close()
        self.zygote.close()
        self._service.terminate()
        self._service.wait(20)

    def reset(self) -> None:
        """A new trial: no batch, no fault, no results."""
        self.control("reset", {})
        shutil.rmtree(self.results, ignore_errors=True)

    def control(self, path: str, body: object = None) -> dict:
        """A control route of the service."""
        url = f"{self.urls['base_url']}/_control/{path}"
        answer = self._http.get(url, timeout=20) if body is None else self._http.post(url, json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def environment(self) -> dict[str, str]:
        """What points the scripts at the service."""
        return {
            "OPENAI_BASE_URL": self.urls["openai_base_url"],
            "ANTHROPIC_BASE_URL": self.urls["anthropic_base_url"],
            "KLUSTERAI_BASE_URL": self.urls["kluster_base_url"],
            "OPENAI_API_KEY": "sk-test",
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "KLUSTERAI_API_KEY": "test",
            "RESULTS_DIR": str(self.results),
            "MAX_COST_USD": "100000",
            "ANTHROPIC_RPM": "1000000",
        }

    def run(self, profile: str, *more: str, **job: object) -> dict:
        """Run a profile's command once; see zygote.py for what comes back."""
        script, _, argv = PROFILES[profile]
        env = {**self.environment(), **job.pop("env", {})}
        argv = job.pop("argv", None) or [*argv, *QUICK, *more]
        return self.zygote.run(script=script, argv=argv, env=env, **job)

    def tool(self, module: str, *argv: str) -> dict:
        """Run a tool as `python -m module`; {"code", "out", "err"}."""
        command = [sys.executable, "-m", module, *argv]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **self.environment()}, capture_output=True, text=True, timeout=60
        )
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}

    def run_to_the_end(self, profile: str, *more: str, most: int = 6, **job: object) -> list[dict]:
        """Run the same command until it says that it has finished (exit 0), at most so many times."""
        ends = []
        for _ in range(most):
            ends.append(self.run(profile, *more, **job))
            if ends[-1]["code"] == 0:
                break
        return ends

    def table(self, profile: str) -> dict[str, dict]:
        """The rows of the only run's results.csv by custom_id; raises ValueError when there is none, or an id twice."""
        folder = self.results / PROFILES[profile][1]
        tables = list(folder.glob("*/results.csv"))
        if len(tables) != 1:
            raise ValueError(f"{len(tables)} tables")
        rows: dict[str, dict] = {}
        with open(tables[0], encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if row["custom_id"] in rows:
                    raise ValueError(f"{row['custom_id']} has two rows")
                rows[row["custom_id"]] = row
        return rows

    def billed(self) -> Counter:
        """How often each custom_id was answered and billed, by the service's own ledger."""
        count: Counter = Counter()
        for create in self.control("ledger")["creates"]:
            if create["billed_rows"]:
                count.update(row["custom_id"] for row in self.control(f"ledger?batch={create['batch_id']}")["rows"])
        return count

    def judge(self, profile: str, reference: dict[str, str]) -> list[str]:
        """What is wrong after a trial, by the ledger and the table; an empty list is an acquittal.

        `reference`: custom_id → answer of an undisturbed run (the rehearsal's answers depend on the request only).
        """
        wrong = []
        twice = {name: n for name, n in self.billed().items() if n > 1}
        if twice:
            wrong.append(f"{len(twice)} rows paid more than once, e.g. {next(iter(twice.items()))}")
        try:
            rows = self.table(profile)
        except ValueError as error:
            return [*wrong, f"no proper table: {error}"]
        lost = [name for name in reference if name not in rows or rows[name]["outcome"] != "succeeded"]
        if lost:
            wrong.append(f"{len(lost)} rows lost, e.g. {lost[0]}: {rows.get(lost[0], {}).get('outcome')}")
        strange = [name for name in rows if name not in reference]
        false = [
            name
            for name, row in rows.items()
            if name in reference and row["outcome"] == "succeeded" and row["answer"] != reference[name]
        ]
        if strange or false:
            wrong.append(f"{len(strange)} rows that were never asked, {len(false)} rows with another one's answer")
        return wrong

    def reference(self, profile: str, *more: str) -> tuple[dict[str, str], int]:
        """An undisturbed run: its answers by custom_id, and how many boundaries it passed."""
        self.reset()
        done = self.run(profile, *more)
        if done["code"] != 0:
            raise RuntimeError(f"the undisturbed run ended with {done['code']}: {done['err']}")
        return {name: row["answer"] for name, row in self.table(profile).items()}, done["boundaries"]

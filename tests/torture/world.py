"""A service, a results folder and a way to run commands against both; and the judge of what came of it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tests.basics import ROOT, SCRIPTS
from tests.service import KEYS, Service

# profile: script, which is also the folder of its results, and what it is asked
PROFILES = {
    "openai": ("openai", ["--batch", "--model", "gpt-4.1", "gpt-4.1-mini", "gpt-4o"]),
    "anthropic": ("claude", ["--batch", "--model", "claude-haiku-4-5", "claude-sonnet-4-6"]),
    "kluster": ("deepseek", ["--model", "deepseekv3", "deepseekv3-0324", "deepseekr1"]),
    "openrouter": ("openrouter", ["--batch", "--model", "gemini-3.8-flash", "mistral-small-2603"]),
}
QUICK = ["--poll", "0.02", "--grace", "0.25", "--patience", "8", "--no-texts"]
NOT_SABOTAGED = 98  # the exit code of a command whose safeguard could not be taken away; that would prove nothing
STRANGERS = "theirs-"  # what the ids of other people's requests begin with
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
        if line := self._process.stdout.readline():
            end = json.loads(line)
            if end["code"] == NOT_SABOTAGED:
                raise LookupError(end["err"])
            return end
        raise RuntimeError(f"the process that forks commands has ended with {self._process.wait(10)}; why stands in its stderr")

    def close(self) -> None:
        """Let it end."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@dataclass
class World:
    """A service, who runs commands against it, and a results folder that is new for each trial."""

    folder: Path
    service: Service
    zygote: Zygote

    def __post_init__(self) -> None:
        self.results = self.folder / "results"

    def reset(self) -> None:
        """A new trial: no batch, no fault, no results."""
        self.service.reset()
        shutil.rmtree(self.results, ignore_errors=True)

    def control(self, path: str, body: object = None) -> dict:
        """A control route of the service."""
        return self.service.control(path, body)

    def environment(self) -> dict[str, str]:
        """What points the scripts at the service and this folder."""
        own = {"RESULTS_DIR": str(self.results), "MAX_COST_USD": "100000", "ANTHROPIC_RPM": "1000000"}
        return {**self.service.addresses, **KEYS, **own}

    def run(self, profile: str, *more: str, by: Zygote | None = None, **job: object) -> dict:
        """Run a profile's command once, by another process than ours if given; see zygote.py for what comes back."""
        script, argv = PROFILES[profile]
        env = {**self.environment(), **job.pop("env", {})}
        argv = job.pop("argv", None) or [*argv, *QUICK, *more]
        return (by or self.zygote).run(script=SCRIPTS.get(script, f"tools.{script}.run"), argv=argv, env=env, **job)

    def tool(self, module: str, *argv: str) -> dict:
        """Run a tool as `python -m module`; see zygote.py for what comes back."""
        return self.zygote.run(python=True, argv=["-m", module, *argv], env=self.environment())

    def run_to_the_end(self, profile: str, *more: str, most: int = 6, **job: object) -> list[dict]:
        """Run the same command until it says that it has finished (exit 0), at most so many times."""
        ends = []
        for _ in range(most):
            ends.append(self.run(profile, *more, **job))
            if ends[-1]["code"] == 0:
                break
        return ends

    def table(self, profile: str, results: Path | None = None, run: str = "*") -> dict[str, dict]:
        """The rows of the only run's results.csv by custom_id; raises ValueError when there is none, or an id twice."""
        folder = (results or self.results) / PROFILES[profile][0]
        tables = list(folder.glob(f"{run}/results.csv"))
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
        """How often each request id, without the mark of an attempt, was answered and billed, by the service's own ledger."""
        return self.service.billed()

    def overpaid(self, known: Collection[str], times: int = 1) -> list[str]:
        """What was bought too often, by the ledger: each of our requests may be answered `times` times in all."""
        count = Counter({sent: paid for sent, paid in self.billed().items() if not sent.startswith(STRANGERS)})
        twice = {name: paid for name, paid in count.items() if paid > times}
        if twice or count.total() > times * len(known):  # the sum too, because a sent id may be one that nobody knows again
            first = next(iter(twice.items()), "the sum")
            return [f"{len(twice)} rows paid more than once ({count.total()} answers for {times * len(known)}), e.g. {first}"]
        return []

    def judge(self, profile: str, reference: dict[str, str]) -> list[str]:
        """What is wrong after a trial, by the ledger and the table; an empty list is an acquittal.

        `reference`: custom_id → answer of an undisturbed run (the rehearsal's answers depend on the request only).
        """
        return [*self.overpaid(reference), *self.misread(profile, reference)]

    def misread(self, profile: str, reference: dict[str, str], results: Path | None = None, run: str = "*") -> list[str]:
        """What is wrong with a run's table."""
        wrong = []
        try:
            rows = self.table(profile, results, run)
        except ValueError as error:
            return [f"no proper table: {error}"]
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

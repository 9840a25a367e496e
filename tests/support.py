"""Owns commands that tests run in real processes against a batch service, how they ended, and a small experiment to run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.basics import ROOT, SCRIPTS, wait_for
from tests.service import KEYS, SECRET
from tests.torture.world import World

TIMEOUT = 30  # seconds; no command here takes three
QUICK = ("--poll", "0.02", "--grace", "0.25", "--patience", "8")
# the providers' own addresses
REAL = dict.fromkeys(("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "KLUSTERAI_BASE_URL", "OPENROUTER_BASE_URL"), "")
NO_KEY = dict.fromkeys(KEYS, "")
FINAL = {"completed", "failed", "expired", "cancelled", "ended"}  # of batches, in the words of all APIs
STUDY = {
    "name": '"small"',
    "trials": "2",
    "max_tokens": "64",
    "prompt": '{system = "You are {persona.name}.", user = "Read {text}"}',
    "persona": '[{id = "1", name = "a reader", temperature = 0.7}]',
    "text": '[{id = "t1", file = "t1.txt"}]',
}


@dataclass(frozen=True)
class End:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that a person saw."""
        return self.out + self.err

    @property
    def json(self) -> dict:
        """The one object of --json; fails when stdout holds anything else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error; fails when there are none or several."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert self.err.splitlines()[-1] == line, self.err
        return line


class Commands:
    """The four scripts against one service, with a results folder of the test's own. No end may show a key or a traceback."""

    def __init__(self, world: World, results: Path) -> None:
        self.world, self.results = world, results
        self.env = {**world.environment(), "RESULTS_DIR": str(results), "MAX_COST_USD": "10"}

    def __call__(self, script: str, *argv: object, env: dict[str, str] | None = None, quick: bool = True) -> End:
        """Run a script to its end, in a process forked from one that has all imports."""
        arguments = [*(QUICK if quick else ()), *map(str, argv)]  # what a test says comes last, and wins
        done = self.world.zygote.run(script=SCRIPTS[script], argv=arguments, env={**self.env, **(env or {})}, timeout=TIMEOUT)
        return self._seen(End(done["code"], done["out"], done["err"]))

    def tool(self, name: str, *argv: object, env: dict[str, str] | None = None) -> End:
        """Run `common.cli.<name>` in the same way."""
        job = {"tool": name, "argv": [*map(str, argv)], "env": {**self.env, **(env or {})}}
        done = self.world.zygote.run(**job, timeout=TIMEOUT)
        return self._seen(End(done["code"], done["out"], done["err"]))

    def make(self, target: str, *argv: object, env: dict[str, str] | None = None) -> End:
        """Run what stands behind a make target in the same way."""
        job = {"make": target, "argv": [*map(str, argv)], "env": {**self.env, **(env or {})}}
        done = self.world.zygote.run(**job, timeout=TIMEOUT)
        return self._seen(End(done["code"], done["out"], done["err"]))

    def typed(self, line: str, env: dict[str, str] | None = None) -> End:
        """Run a line `python …` exactly as it stands, without the start of a Python of its own."""
        done = self.world.zygote.run(**self._line(line, env), timeout=TIMEOUT)
        return self._seen(End(done["code"], done["out"], done["err"]))

    def shell(self, line: str, env: dict[str, str] | None = None) -> End:
        """Run a documented line as a person types it, `python` being this one."""
        done = subprocess.run(self._words(line), cwd=ROOT, env=self._whole(env), capture_output=True, text=True, timeout=TIMEOUT)
        return self._seen(End(done.returncode, done.stdout, done.stderr))

    def start(self, line: str, env: dict[str, str] | None = None) -> Started:
        """Start a line `python …` in the same way as `typed` without waiting for its end."""
        done = self.world.zygote.run(**self._line(line, env), start=True)
        return Started(self, done["pid"], Path(done["out"]))

    def _line(self, line: str, env: dict[str, str] | None) -> dict:
        python, *argv = shlex.split(line)
        assert python == "python", line
        return {"python": True, "argv": argv, "env": {**self.env, **(env or {})}}

    @staticmethod
    def _words(line: str) -> list[str]:
        return [sys.executable if word == "python" else word for word in shlex.split(line)]

    def _whole(self, env: dict[str, str] | None) -> dict[str, str]:
        return {**os.environ, **self.env, **(env or {})}

    @staticmethod
    def _seen(end: End) -> End:
        assert "Traceback" not in end.said, end.said
        assert SECRET not in end.said, "a key was printed"
        return end

    def attempts(self) -> list[dict]:
        """Every call that asked the service for a batch."""
        return self.world.service.attempts()

    def creates(self) -> list[dict]:
        """Every batch that the service made."""
        return self.world.service.creates()

    def requests(self) -> int:
        """How many requests the service was given in all."""
        return sum(create["requests"] for create in self.creates())


class Started:
    """A command at work."""

    def __init__(self, commands: Commands, pid: int, out: Path) -> None:
        self._commands, self._pid, self._out = commands, pid, out

    def signalled(self, number: int) -> End:
        """Send a signal and wait for the end."""
        os.kill(self._pid, number)
        return self.ended()

    def line(self) -> str:
        """Wait for the first line that it prints."""
        return wait_for(lambda: re.match(".*\n", self._out.read_text()))[0]

    def ended(self) -> End:
        """Wait for the end."""
        done = self._commands.world.zygote.run(wait=self._pid, timeout=20)
        return self._commands._seen(End(done["code"], done["out"], done["err"]))


def later(commands: Commands) -> None:
    """Let simulated time pass until every batch has ended."""

    def ended() -> bool:
        commands.world.control("clock", {"advance": 100})
        return all(create["status"] in FINAL for create in commands.creates())

    wait_for(ended)

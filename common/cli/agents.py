"""What an agent can do here, each by the command that a person would type, with --json: plan, start within a cap, look, read, count."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import orjson

from common import settings
from common.cli.exits import INPUT, REFUSED
from common.cli.folder import results_folder
from common.errors import BatchError, InputError, Refused
from common.runs import allotments
from common.runs.journal import Journal
from common.text import one_line, usd, without_controls

NOT_SET = (
    "start is refused: no person has said what an agent may spend. Ask the person to set MCP_MAX_COST_USD (USD for all that agents start) "
    "in the file .env beside the scripts; a rehearsal (simulated = true) costs nothing and needs no cap"
)
PATIENCE = "--patience=60"
LIMIT = 100.0  # seconds of a command: an agent's program waits no longer, and a study that waits for room in a queue takes hours
STOPPED = "stopped after {:.0f} s. Nothing is lost: what is sent goes on at the provider; the same call, or collect, goes on from there"
MOST, LONGEST = 100, 2_000  # entries of a list and characters of a text that an agent is told at once


def plan(
    experiment: str, models: list[str], trials: int | None = None, limit: int | None = None, simulated: bool = False
) -> dict:  # fmt: skip
    """Plan an experiment (a folder with an experiment.toml) for models of any provider: counts, prices, cost at most. Sends nothing.

    `trials` instead of the experiment's; `limit`: at most so many requests in all; `simulated`: a rehearsal on this machine, whose
    answers are invented. A plan that is never sent stays in the results folder until a person types `make forget`.
    """
    return _told("tools/study.py", *_asked(experiment, models, trials, limit, simulated))


def start(
    experiment: str, models: list[str], max_cost: float, trials: int | None = None, limit: int | None = None, simulated: bool = False
) -> dict:  # fmt: skip
    """Send an experiment to the batch APIs of its models, and return; `status` and `collect` look later. This costs money.

    `max_cost` (USD) can only lower the cap that a person has set. What was asked before is not asked or paid again, so to repeat a
    call whose answer was lost is safe. `simulated`: a rehearsal, which costs nothing.
    """
    asked = _asked(experiment, models, trials, limit, simulated)
    send = ("--batch", "--no-wait", PATIENCE)
    if simulated:
        return _told("tools/study.py", *asked, *send)
    results = results_folder()
    if (whole := settings.agents_max_cost()) is None:
        raise InputError(NOT_SET)
    if not max_cost >= 0:
        raise InputError(f"max_cost is {max_cost}; expected an amount in USD such as 5")
    keys = [f"{run['provider']}/{run['run']}" for run in _told("tools/study.py", *asked)["runs"]]
    with allotments.alone(results), closing(Journal(results)) as journal:
        cap = min(max_cost, settings.max_cost(None), _left(journal, keys, whole))
        allotments.allot(journal, keys, cap)
        return {"cap_usd": cap, **_told("tools/study.py", *asked, *send, f"--max-cost={cap!r}")}


def _left(journal: Journal, keys: Sequence[str], whole: float) -> float:
    """USD that a start of these runs may cost. Raises InputError where nothing is left."""
    taken = allotments.allotted(journal, keys)
    if taken >= whole:
        raise InputError(
            f"start is refused: what agents have started may cost {usd(taken)}, and MCP_MAX_COST_USD is {usd(whole)}; "
            "wait until runs have ended, or ask the person to raise it"
        )
    return whole - taken


def status(run: str) -> dict:
    """Where a run (or a batch id) stands; collects what has ended, sends nothing. Batches take minutes to hours: ask seldom."""
    return _told("-m", "tools.status", _word(run), "--json", PATIENCE)


def collect() -> dict:
    """One look at every open run: collects what has ended, sends what still waits, within the caps with which the runs were sent."""
    results_folder()
    if settings.agents_max_cost() is None:
        raise InputError(NOT_SET.replace("start", "collect", 1).partition(";")[0] + "; status looks and collects without sending")
    return _told("tools/collect.py", "--json")


def runs() -> dict:
    """All runs that have begun: rows by outcome, tokens, cost, time of each model."""
    return _told("-m", "tools.metrics", "--json")


def costs(by: list[str] | None = None, simulated: bool = False) -> dict:
    """What was paid, saved and wasted, and what is in flight, summed `by` day, month, run, study, provider, model, experiment, persona,
    text or a factor's name (default: month and model). `simulated`: what rehearsals would have cost instead."""
    names = ["--by", *map(_word, by)] if by else []
    return _told("tools/cost_report.py", "--json", *names, *["--simulated"] * simulated)


# ---- a command


def _asked(experiment: str, models: Sequence[str], trials: int | None, limit: int | None, simulated: bool) -> list[str]:
    """The options of a study. What an agent names stands behind = or begins with /, so that none of it is taken for an option."""
    numbers = {"--trials": trials, "--limit": limit}
    return [
        str(settings.ROOT / experiment), "--json", *(f"--model={name}" for name in models),
        *(f"{name}={value}" for name, value in numbers.items() if value is not None), *["--local"] * simulated,
    ]  # fmt: skip


def _word(text: str) -> str:
    if not text or text.startswith("-"):
        raise InputError(f"{one_line(text, 80)!r}: expected a name")
    return text


def _told(*command: str) -> dict:
    """What a command says with --json, and what it said beside that. Raises BatchError with its own line when it was refused."""
    words = [command[0], *command[1:2]] if command[0] == "-m" else [str(settings.ROOT / command[0])]
    env = {**os.environ, "RESULTS_DIR": str(results_folder())}
    try:
        process = subprocess.Popen(
            [sys.executable, *words, *command[len(words):]], cwd=settings.ROOT, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except ValueError:  # a NUL, or half of a surrogate pair
        raise InputError("a name holds a character that no command can be told") from None
    out, err, in_time = _ended(process)
    said, code = err.splitlines(), process.returncode
    if not in_time and not out.strip():
        return {"exit_code": code, "stopped": STOPPED.format(LIMIT), "said": fit(said)}
    if code in (INPUT, REFUSED) or not out.strip():
        errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        kind = {INPUT: InputError, REFUSED: Refused}.get(code, BatchError)
        raise kind(one_line("; ".join(errors) or f"{Path(words[-1]).name} said nothing", 1500))
    return {**fit(orjson.loads(out)), "exit_code": code, "said": fit(said)}


def _ended(process: subprocess.Popen) -> tuple[str, str, bool]:
    """(stdout, stderr, whether it ended by itself in time); else it is told to stop, as by Ctrl-C."""
    with process:
        try:
            return *process.communicate(timeout=LIMIT), True
        except subprocess.TimeoutExpired:
            process.terminate()
            return *process.communicate(), False


def fit(value: object) -> object:
    """A value of JSON as an agent is told it: no control characters, long lists and texts cut, and that is said."""
    if isinstance(value, str):
        text = without_controls(value.encode("utf-8", "replace")).decode()
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"
    if isinstance(value, dict):
        return {fit(key): fit(one) for key, one in value.items()}
    if isinstance(value, list):
        return [fit(one) for one in value[:MOST]] + [f"… and {len(value) - MOST:,} more"] * (len(value) > MOST)
    return value

"""Money: two real processes at once spend from the caps of their runs and of the month, are killed, and hear no usage of some answers."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from common import catalog
from common.nouns import IN_FLIGHT
from common.runs.journal import Journal
from tests.runs import spenders
from tests.torture.kills import Verdict
from tests.torture.matrix import fate, rules_of
from tests.torture.trials import Play, Trial
from tests.torture.world import PROFILES, QUICK, World, Zygote

USAGE = {"openai": ("response.body.usage", "files.content"), "anthropic": ("result.message.usage", "messages.batches.results")}
BESIDE = {"openai": "anthropic", "anthropic": "kluster"}  # who spends from the same month
KINDS = ("another provider", "the same provider", "a pilot", "a look")
ROUNDS = 14
SPEED = 3000.0  # simulated seconds a second: batches are out for a while, so that two processes have some out at the same time
SLACK = 1e-6  # USD
ROUNDED = 1e-5  # USD; a receipt has six places


def in_memory(first: int, count: int) -> Verdict:
    """So many random trials from a seed on, without processes."""
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="spenders-") as place:
        for seed in range(first, first + count):
            wrong = spenders.trial(folder := Path(place) / str(seed), seed)
            shutil.rmtree(folder)
            verdict.trials += 1
            verdict.failed += bool(wrong)
            verdict.failures += [f"seed {seed}: {text}" for text in wrong[:3]]
    return verdict


def trials(profile: str) -> list[Trial]:
    """Each kind of second process, some times over; chance differs by name."""
    return [Trial(f"{kind}, {n}", _spending(kind)) for n in range(6) for kind in KINDS]


def _spending(kind: str) -> Callable[[Play, dict[str, str]], None]:
    def act(play: Play, reference: dict[str, str]) -> None:
        commands = _commands(play, kind)
        most = [_ceiling(play, command, by) for command, by in zip(commands, (play.world.zygote, play.other))]
        run_cap, month, first = max(most), play.dice.uniform(max(most), sum(most)), play.dice.choice((0, 1))
        _trouble(play)
        for turn in range(ROUNDS):
            kills = [play.dice.randint(1, 120) if first <= turn < 4 and play.dice.random() < 0.4 else 0 for _ in commands]
            with _watched(play, run_cap, month):
                codes = _at_once(play, commands, kills, run_cap, month)
            play.wrong += billed_above(play.world, run_cap, month)
            if not any(codes):
                break
            if turn > 2:
                run_cap, month = run_cap * 1.3, month * 1.3
        else:
            play.wrong.append(f"never finished: {[end['err'][-300:] for end in play.ends[-2:]]}")
        play.wrong += settled(play.world)

    return act


def _commands(play: Play, kind: str) -> list[dict]:
    """What the two processes type."""

    def of(profile: str, *more: str) -> dict:
        return {"profile": profile, "argv": [*PROFILES[profile][1], *QUICK, *play.argv, *more]}

    mine = of(play.profile, "--run", "mine")
    match kind:
        case "another provider":
            return [mine, of(BESIDE[play.profile], "--run", "theirs")]
        case "the same provider":
            return [mine, of(play.profile, "--run", "theirs")]
        case "a pilot":
            return [of(play.profile), of(play.profile, "--limit", "9")]
    return [mine, {"tool": "collect", "argv": QUICK[:-1]}]


def _ceiling(play: Play, command: dict, by: Zygote) -> float:
    """USD that a command could cost at most, by its plan."""
    if "tool" in command:
        return 0.0
    end = play.note(play.world.run(command["profile"], argv=[*command["argv"], "--dry-run", "--json"], by=by))
    return json.loads(end["out"])["max_cost_usd"]


def _trouble(play: Play) -> None:
    """Rows that fail once and are asked again, creations whose answer is lost, answers without a usage."""
    pairs = [("create", fate(rows={"share": 0.3, "status": 500, "times": 1}, times=-1))] if play.dice.random() < 0.7 else []
    pairs += [("create", {"nth": 2, "action": {"drop": "after"}})] if play.dice.random() < 0.5 else []
    rules = rules_of(pairs, play.profile)
    if play.dice.random() < 0.6:
        field, call = USAGE[play.profile]
        rules.append({"call": call, "times": -1, "action": {"without": [field], "rows": play.dice.choice((1, 3, 100))}})
    play.world.control("faults", rules)


def _at_once(play: Play, commands: list[dict], kills: list[int], run_cap: float, month: float) -> list[int]:
    """Both commands at the same time; their exit codes."""
    ends: list[dict] = [{}, {}]
    env = {"MAX_COST_USD": str(run_cap), "MONTHLY_CAP_USD": str(month)}

    def one(n: int) -> None:
        job = {**commands[n], "env": {**play.world.environment(), **env}, "without": list(play.without), "kill_at": kills[n]}
        by = (play.world.zygote, play.other)[n]
        ends[n] = by.run(**job) if "tool" in job else play.world.run(job.pop("profile"), by=by, **job)

    threads = [threading.Thread(target=one, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [play.note(end)["code"] for end in ends]


# ---- the judge


@contextmanager
def _watched(play: Play, run_cap: float, month: float) -> Iterator[None]:
    """Meanwhile the journal is read again and again: nothing may be above a cap at any moment."""
    done, found = threading.Event(), []

    def watch() -> None:
        with closing(Journal(play.world.results)) as journal:
            while not done.wait(0.01):
                sums = {run.key: journal.committed(run.key) for run in journal.runs()}
                found.extend(f"{key}: {usd} noted, the cap is {run_cap}" for key, usd in sums.items() if usd > run_cap + SLACK)
                usd = journal.month(time.time(), False).total
                if usd > month + SLACK and usd - _guessed(journal) > month + SLACK:
                    found.append(f"the month: {usd} noted, the cap is {month}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        play.wrong += found[:2]


def _guessed(journal: Journal) -> float:
    """USD reserved for batches that may be another run's lost ones, which a run was found to have without an intent of its own.

    Such a batch counts for both until its rows show whose it is: more is noted than can be billed.
    """
    flying = (shard for run in journal.runs() for shard in journal.shards(run, *IN_FLIGHT))
    return sum(shard.reserve for shard in flying if not shard.intent_at)


def bills(world: World) -> dict[str, float]:
    """USD by batch id, by the service's ledger and the catalog's prices."""
    found = {}
    for create in world.service.creates():
        rows = world.control(f"ledger?batch={create['batch_id']}")["rows"] if create["billed_rows"] else []
        found[create["batch_id"]] = sum(_price(create["profile"], row) for row in rows)
    return found


def _price(host: str, row: dict) -> float:
    model = catalog.find(row["custom_id"].split("_")[1], host)
    paid = row["input_tokens"] * model.input + row["output_tokens"] * model.output
    return paid * (1 - model.batch_discount) / 1e6


def billed_above(world: World, run_cap: float, month: float) -> list[str]:
    """What the ledger has billed beyond a cap: in all, and of each run."""
    found, wrong = bills(world), []
    if (whole := sum(found.values())) > month + SLACK:
        wrong.append(f"{whole} billed, the month's cap is {month}")
    with closing(Journal(world.results)) as journal:
        for run in journal.runs():
            if (of_run := sum(found.get(shard.batch_id, 0.0) for shard in journal.shards(run))) > run_cap + SLACK:
                wrong.append(f"{of_run} billed for {run.key}, its cap is {run_cap}")
    return wrong


def settled(world: World) -> list[str]:
    """What is wrong at the end: something still reserved, a receipt that is not its rows' sum, or bills that nobody has noted."""
    wrong, whole, found = [], 0.0, bills(world)
    with closing(Journal(world.results)) as journal:
        if journal.month(time.time(), False).out:
            wrong.append("a reservation is not settled")
        counted = sum(journal.committed(run.key) for run in journal.runs())
        for run in journal.runs():
            receipt = json.loads((run.folder / "summary.json").read_bytes())["cost_usd"]
            with open(run.folder / "results.csv", encoding="utf-8-sig", newline="") as file:
                costs = [row["cost_usd"] for row in csv.DictReader(file)]
            if ("" in costs) != (receipt is None):
                wrong.append(f"{run.key}: the receipt says {receipt}, {costs.count('')} rows have no cost")
            elif receipt is not None and abs(sum(map(float, costs)) - receipt) > ROUNDED:
                wrong.append(f"{run.key}: the receipt says {receipt}, its rows {sum(map(float, costs))}")
            whole = whole + receipt if None not in (whole, receipt) else None
    billed = sum(found.values())
    if billed > counted + SLACK or (whole is not None and abs(billed - whole) > ROUNDED):
        wrong.append(f"{billed} billed, {counted} counted, {whole} told")
    return wrong

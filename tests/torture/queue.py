"""A study that is larger than the host's queue: it completes by itself, never overfills the queue, and hardly waits in vain."""

from __future__ import annotations

import math
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.torture.kills import Verdict
from tests.torture.world import World, Zygote

LIMIT, TOKENS, SPEED = 900_000, 5_000_000, 10.0  # a batch takes 45 simulated seconds: at this speed four and a half
TEXTS, TRIALS, LENGTH = 100, 10, 5200  # words; of these words the service makes 0.96 tokens each, OpenAI's vocabulary 1
WORDS = ["water", "river", "stone", "people", "winter", "house"]
ASK = ["--batch", "--model", "gpt-4.1", "--poll", "0.1", "--grace", "1", "--no-texts"]
LATE = 1.1  # times the ideal: as many waves as the queue forces, each as long as a batch


def trials() -> list[tuple[str, int, str]]:
    """(name, runs at once, what a person has said of the limit)"""
    return [("one run", 1, str(LIMIT)), ("two runs at once", 2, str(LIMIT)), ("a limit that nobody told", 1, "")]


def campaign(world: World, other: Zygote, name: str) -> Verdict:
    """One trial; its figures are said."""
    ((_, runs, known),) = [trial for trial in trials() if trial[0] == name]
    world.reset()
    folder = _study(world.folder / "queue", TEXTS // runs)
    job = {"env": {"QUEUE_TOKENS_GPT_4_1": known, "MAX_COST_USD": "1000"}, "timeout": 400}
    with ThreadPoolExecutor(runs) as pool:
        argv = [[*ASK, "--experiment", str(folder), "--run", f"run{n}"] for n in range(runs)]
        ends = [pool.submit(world.run, "openai", argv=one, by=by, **job) for one, by in zip(argv, (world.zygote, other), strict=False)]
        codes = [end.result()["code"] for end in ends]
    return _judged(world, name, codes)


def _judged(world: World, name: str, codes: list[int]) -> Verdict:
    books = world.control("ledger")
    done = [one for one in books["creates"] if one["status"] == "completed"]
    refused = len(books["creates"]) - len(done)
    asked, most = sum(one["prompt_tokens"] for one in done), books["most_enqueued"][0]["tokens"]
    lasts = [(one["times"]["completed"] - one["created_at"]) / SPEED for one in done]
    took = max(one["time"] + last for one, last in zip(done, lasts, strict=True)) - min(one["time"] for one in done)
    ideal = math.ceil(asked / LIMIT) * sum(lasts) / len(lasts)
    print(f"queue, {name}: {asked:,} tokens in {len(done)} batches, {refused} refused, at most {most:,} enqueued, "
          f"{took:.1f} s where {ideal:.1f} s are ideal ({took / ideal - 1:+.1%})", flush=True)  # fmt: skip
    wrong = [f"{name}: exit codes {codes}"] * any(codes) + [f"{name}: {most:,} enqueued"] * (most > LIMIT)
    wrong += [f"{name}: {took:.1f} s, ideal {ideal:.1f} s"] * (took > LATE * ideal) + [f"{name}: {asked:,} tokens"] * (asked < TOKENS)
    twice = [one for one, times in world.billed().items() if times > len(codes)]
    wrong += [f"{name}: {len(twice)} paid too often"] * bool(twice)
    return Verdict(trials=1, failed=len(wrong[:1]), failures=wrong)


def _study(folder: Path, texts: int) -> Path:
    """Texts of a good 5,000 tokens each, as the service counts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chance, names = random.Random(1), [f"t{n}" for n in range(texts)]
    for name in names:
        (folder / f"{name}.txt").write_text(" ".join(chance.choices(WORDS, k=LENGTH)))
    rows = ", ".join(f'{{id = "{name}", file = "{name}.txt"}}' for name in names)
    (folder / "experiment.toml").write_text(
        f'name = "queue"\ntrials = {TRIALS}\nmax_tokens = 300\nprompt = {{system = "You read.", user = "Read {{text}}"}}\n'
        f'persona = [{{id = "1", name = "a", temperature = 0.7}}]\ntext = [{rows}]\n'
    )
    return folder

"""Owns the rows about a study that grows: what is asked, looked up among the answers that the results folder has already."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson

from bench import inputs
from bench.measure import Sample, median, must, python
from bench.rows import Bench, Row, Target
from common.nouns import State
from common.runs.journal import Journal

ANSWER = "Q1. Joy(value): 60\nQ1. Joy(reason): because it is so and not otherwise, as everybody knows.\n" * 4


def looked_up(bench: Bench) -> list[Row]:
    """As many requests as the folder has answers to: none of them equal, and all of them."""
    rows = bench.size(1_000_000, 20_000)
    asked = inputs.data_set(bench.place("asked"), rows)
    results = bench.place("answered")
    _plan(asked, results, rows, 0)
    _answer(results)
    new, same = (inputs.data_set(bench.place(name), rows) for name in ("new", "same"))
    _changed(new, "一語で", "ひとことで")
    _changed(same, 'name = "rows"', 'name = "same"')
    first = _plan(new, results, rows, 0, "--run", "first", "--reuse")
    counts = iter(range(1_000))
    samples = bench.race(
        none=lambda: _plan(new, results, rows, 0, "--run", f"none{next(counts)}", "--reuse"),
        all=lambda: _plan(same, results, rows, rows, "--run", f"all{next(counts)}", "--reuse"),
        plan=lambda: _plan(new, results, rows, 0, "--run", f"plan{next(counts)}"),
    )
    said = f"the index, made once: {first.cpu:.1f} cpu s with the plan"
    for name in ("asked", "answered", "new", "same"):
        bench.place(name)
    target = Target("≤ 2 × the plan alone, ≤ 100 MB", 2, 100)
    return [
        Row(f"{rows:,} requests against {rows:,} answers, {what}", samples[which], target, samples["plan"], "the plan alone", note)
        for which, what, note in (("none", "none equal", said), ("all", "all taken over", f"{median(samples['all'], 'wall'):.0f} s"))
    ]


def _plan(experiment: Path, results: Path, requests: int, taken: int, *options: str) -> Sample:
    sample = python("openai_example.py", "--dry-run", "--json", "--experiment", experiment, "--model", "gpt-4.1",
                    "--results", results, *options)  # fmt: skip
    plan = json.loads(sample.out)
    must((plan["requests"], plan["taken_over"]) == (requests, taken), f"{plan['requests']} planned, {plan['taken_over']} taken over")
    return sample


def _changed(experiment: Path, old: str, new: str) -> None:
    toml = experiment / "experiment.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _answer(results: Path) -> None:
    """Answers to all that is planned, as if they had been collected."""
    body = {"object": "chat.completion", "created": 1_790_000_000, "model": "gpt-4.1-2025-04-14",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER, "refusal": None}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 700, "completion_tokens": 150, "total_tokens": 850}}  # fmt: skip
    with closing(Journal(results)) as journal:
        for shard in (shard for run in journal.runs() for shard in journal.shards(run)):
            path = results / "openai/batch_results" / f"batch_{shard.n}_output.jsonl"
            path.parent.mkdir(exist_ok=True)
            sha256 = hashlib.sha256()
            with open(shard.path.with_suffix(".ids"), encoding="utf-8") as ids, open(path, "wb") as file:
                for row in ids:
                    response = {"status_code": 200, "request_id": "r", "body": {"id": "chatcmpl-1", **body}}
                    line = {"id": "batch_req_1", "custom_id": row.split("\t")[0], "response": response, "error": None}
                    raw = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
                    sha256.update(raw)
                    file.write(raw)
            done = replace(shard, state=State.COLLECTED)
            journal.record(done, "collected", batch_id=f"batch_{shard.n}", files={path.name: sha256.hexdigest()},
                           tally={"succeeded": shard.count}, collected_at=time.time())  # fmt: skip

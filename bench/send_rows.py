"""Owns the rows about the way through a batch API: submit and collect, one large create, and watching many batches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench import inputs, peers
from bench.measure import ROOT, Sample, median, must, python
from bench.plan_rows import LIMITS, study
from bench.rows import Bench, Row, Target
from bench.service import Service, service

LOOK = 10.0  # times one look, for twenty: two thirds of it is the start of twenty processes
FREE = ("--max-cost", "1e9", "--poll", "0.1")


def collected(
    bench: Bench, experiment: Path, requests: int, options: Sequence[object] | None = None, planned: bool = False
) -> Sample:
    """Submit and collect a study on a fresh service; every request must have its checked row, bought once.

    `options` are those that make it of so many requests, where it is not `study`'s. `planned`: by a command of its own
    before, whose counting of tokens takes more memory than all that follows.
    """
    options = study(bench, requests) if options is None else options
    results = bench.place("sent")
    with service(bench.folder) as here:
        what = ("--json", "--no-texts", "--experiment", experiment, "--model", "gpt-4.1", "--results", results, *FREE, *options)
        if planned:
            python("openai_example.py", "--dry-run", *what, env=here.env)
        sample = python("openai_example.py", "--batch", *what, env=here.env)
        ledger = here.ask("/_control/ledger")
    summary = json.loads(sample.out[sample.out.index("\n{") + 1 if not sample.out.startswith("{") else 0 :])
    must(summary["adds_up"] and summary["outcomes"] == {"succeeded": requests}, f"rows: {summary['outcomes']}")
    must(ledger["billed"]["billed_rows"] == requests, f"{ledger['billed']['billed_rows']} rows were bought")
    checked = sum(summary["answers_checked"].values())
    must(checked == requests, f"{checked} answers were checked")
    return sample


def _bare(bench: Bench, experiment: Path, requests: int) -> Sample:
    with service(bench.folder) as here:
        sample = python(LIMITS, "batch", here.openai, experiment, -(-requests // 12), requests, bench.folder / "bare.csv")
    must(int(sample.out) == requests, f"the bare script collected {sample.out}")
    return sample


def _loading(sdk: str, client: str) -> Sample:
    """What a command takes only to have its SDK and the vocabulary by which prompts are counted."""
    code = f"from common.providers.shared import sdk; sdk('{sdk}').{client}(api_key='x')"
    return python("-c", f"{code}; from common.catalog.vocabulary import encoder; encoder()", env={"PYTHONPATH": str(ROOT)})


def _beyond_loading(
    work: str, samples: dict[str, list[Sample]], times: float, limit_is: str, others: dict[str, Sequence[Sample]] | None = None
) -> Row:
    """A row that is judged without what is loaded once a command, however much it sends."""
    loading = median(samples["loading"])
    ratio = (median(samples["ours"]) - loading) / median(samples["limit"])
    target = Target(f"≤ {times} × limit without loading, ≤ 120 MB", rss=120, own=ratio <= times)
    note = f"SDK and vocabulary alone: {loading:.2f} s; without them {ratio:.2f} × the limit"
    return Row(work, samples["ours"], target, samples["limit"], limit_is, note, peers=others or {})


def submit_and_collect(bench: Bench) -> list[Row]:
    """50,000 requests from the experiment to checked rows, over loopback."""
    requests = bench.size(50_000, 1_000)
    experiment = inputs.study(bench.place("study"))
    samples = bench.race(
        ours=lambda: collected(bench, experiment, requests), limit=lambda: _bare(bench, experiment, requests),
        loading=lambda: _loading("openai", "OpenAI"),
    )  # fmt: skip
    others = peers.measured(bench, experiment, requests) if bench.peers else {}
    bench.place("sent")
    return [_beyond_loading(f"submit and collect {requests:,} requests", samples, 1.5, "orjson + http.client script, nothing kept", others)]


def anthropic(bench: Bench) -> list[Row]:
    """100,000 requests in one create call."""
    requests = bench.size(100_000, 2_000)
    experiment = inputs.study(bench.place("study"), 480)

    def ours() -> Sample:
        results = bench.place("sent")
        with service(bench.folder) as here:
            sample = python("claude_example.py", "--batch", "--no-wait", "--json", "--experiment", experiment, "--model",
                            "claude-haiku-4-5", "--results", results, *FREE, *study(bench, requests), env=here.env, codes=(0,))  # fmt: skip
            _one_create(here, requests)
        return sample

    def bare() -> Sample:
        with service(bench.folder) as here:
            sample = python(LIMITS, "create", here.anthropic, experiment, -(-requests // 12), requests)
            _one_create(here, requests)
        return sample

    samples = bench.race(ours=ours, limit=bare, loading=lambda: _loading("anthropic", "Anthropic"))
    size = sum(p.stat().st_size for p in (bench.folder / "sent").glob("*/*/shards/*.jsonl")) / 1e6
    bench.place("sent")
    work = f"Anthropic: {requests:,} requests in one create ({size:,.0f} MB), from the experiment"
    return [_beyond_loading(work, samples, 1.3, "orjson + POST")]


def _one_create(here: Service, requests: int) -> None:
    creates = here.ask("/_control/ledger")["creates"]
    must([c["requests"] for c in creates] == [requests], f"the service accepted {[c['requests'] for c in creates]}")


def watching(bench: Bench) -> list[Row]:
    """500 batches in flight: how many calls one look takes, and what a second of watching costs."""
    batches = bench.size(500, 20)
    experiment = inputs.study(bench.place("study"), 60)
    results = bench.place("sent")
    what = ("--experiment", experiment, "--model", "gpt-4.1", "--results", results, "--max-cost", "1e9",
            *study(bench, batches * 2), "--parallel", batches, "--no-texts", "--json")  # fmt: skip
    with service(bench.folder, speed=0.001) as here:
        calls = bench.folder / "calls.log"

        def drive(*options: object, **more) -> Sample:
            calls.write_text("")
            env = {**here.env, "BENCH_REQUESTS": "2", "BENCH_CALLS": str(calls)}
            return python("-m", "bench.small_batches", *what, *options, env=env, **more)

        drive("--batch", "--no-wait", "--poll", "1", codes=(0,))
        made = len(here.ask("/_control/ledger")["creates"])
        must(made == batches, f"{made} batches were made, {batches} planned")
        run = next((results / "openai").glob("study-*")).name
        looks = [drive("--status", run, codes=(1,)) for _ in range(bench.runs)]
        per_look = len(calls.read_text().splitlines())
        short, long = 4, bench.size(24, 8)
        watch = {}
        for seconds in (short, long):
            watch[seconds] = drive("--batch", "--poll", "1", codes=(130,), interrupt_after=seconds).cpu
            count = len(calls.read_text().splitlines())
    share = (watch[long] - watch[short]) / (long - short)
    pages = -(-batches // 100)
    shutil.rmtree(results)
    note = f"{per_look} calls a look ({pages} pages of the list); {count} calls and {share:.3f} cpu s per second of watching at `--poll 1`"
    good = per_look <= pages and share < 0.1
    return [Row(f"watching {batches} batches: one `--status`", looks, Target("as few calls as pages, CPU near zero", own=good), note=note)]


def looks(bench: Bench) -> list[Row]:
    """A run of 20 batches that are collected one after another, each by a look of its own, against all of them in one look."""
    batches, size = bench.size(20, 5), bench.size(2_500, 40)
    experiment = inputs.study(bench.place("study"), 300)
    results, copy = bench.place("sent"), bench.folder / "sent at once"
    what = ("--experiment", experiment, "--model", "gpt-4.1", *FREE, *study(bench, batches * size), "--parallel", batches, "--json")
    with service(bench.folder) as here:
        env = {**here.env, "BENCH_REQUESTS": str(size)}
        python("-m", "bench.small_batches", "--batch", "--no-wait", "--results", results, *what, env=env)
        run = next((results / "openai").glob("study-*")).name
        facts = python("openai_example.py", "--json", "--list", "--results", results, env=here.env)
        made = [batch["batch_id"] for batch in json.loads(facts.out)["batches"]]
        must(len(made) == batches, f"{len(made)} batches were made, {batches} planned")
        shutil.copytree(results, copy, dirs_exist_ok=True)
        look = ("openai_example.py", "--json", "--no-texts", "--status")
        at_once = python(*look, run, "--results", copy, env=here.env)
        each = [python(*look, batch_id, "--results", results, env=here.env) for batch_id in made]
    tables = [inputs.sha256(folder / "openai" / run / "results.csv") for folder in (results, copy)]
    must(tables[0] == tables[1], "the table is another one when it is made in parts")
    shutil.rmtree(results)
    shutil.rmtree(copy)
    note = f"the first look {each[0].cpu:.2f} cpu s, the last {each[-1].cpu:.2f}"
    ours = Sample(sum(one.cpu for one in each), sum(one.wall for one in each), max(one.rss for one in each), 0, "")
    target = Target(f"≤ {LOOK} × all in one look", LOOK)
    work = f"{batches} batches × {size:,} requests, one collected by each look"
    return [Row(work, [ours], target, [at_once], "all in one look", note=note)]


def curve(bench: Bench) -> list[Row]:
    """Points for the picture. No rows."""
    experiment = inputs.study(bench.place("study"), 300)
    for requests in (1_000, 10_000, 100_000, 1_000_000)[: 2 if bench.quick else 4]:
        bench.point("submit and collect", requests, [collected(bench, experiment, requests)])
    bench.place("sent")
    return []

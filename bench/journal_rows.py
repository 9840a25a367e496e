"""Owns the rows about starting: a journal with 10,000 shards, --help, and the smallest dry run."""

from __future__ import annotations

from bench import inputs
from bench.measure import ROOT, Sample, must, python
from bench.plan_rows import study
from bench.rows import Bench, Row, Target

# as if all but some had been collected: their raw files are not there, the journal's rows are
COLLECT = """
import sys, time
from pathlib import Path
from common.runs.journal import Journal
results, share = Path(sys.argv[1]), int(sys.argv[2])
journal = Journal(results)
run, = journal.runs("openai")
journal._db.execute("PRAGMA synchronous=OFF")
for shard in journal.shards(run):
    if shard.n % share:
        journal.record(shard, "collected", state="collected", batch_id=f"batch_{shard.n}", collected_at=time.time(), tally={"succeeded": 1})
"""


def shards(bench: Bench) -> list[Row]:
    """Start, --status and resume with 10,000 shards in the journal."""
    count = bench.size(10_000, 200)
    experiment = inputs.study(bench.place("study"), 60)
    results = bench.place("many_shards")
    what = ("-m", "bench.small_batches", "--experiment", experiment, "--model", "gpt-4.1", "--results", results, "--max-cost", "1e9",
            "--no-texts", *study(bench, count))  # fmt: skip

    def drive(*options: object, key: str = "sk-bench", **more) -> Sample:
        nowhere = {"BENCH_REQUESTS": "1", "OPENAI_API_KEY": key, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
        return python(*what, *options, env=nowhere, **more)

    drive("--dry-run", "--json")
    python("-c", COLLECT, results, count + 1, env={"PYTHONPATH": str(ROOT)})
    run = next((results / "openai").glob("study-*")).name
    drive("--batch", codes=(1,))  # derives the table, once
    samples = bench.race(
        start=lambda: drive("--list", key=""),
        plan=lambda: drive("--dry-run"),
        status=lambda: drive("--status", run),
        resume=lambda: drive("--batch", codes=(1,)),
    )
    must(f"{count:,} collected" in samples["plan"][0].out.replace(str(count), f"{count:,}"), samples["plan"][0].out[-500:])
    must(samples["status"][0].out.count("batch_") >= count, "--status does not show all batches")
    bench.place("many_shards")
    said = {"start": "`--list`", "plan": "`--dry-run` again", "status": "`--status RUN`", "resume": "resume (`--batch` again)"}
    return [Row(f"journal of {count:,} shards: {said[name]}", found, Target("≤ 1 s", cpu=1.0)) for name, found in samples.items()]


def start(bench: Bench) -> list[Row]:
    """--help and the smallest dry run, against Python's own start."""
    results = bench.place("start")
    samples = bench.race(
        help=lambda: python("openai_example.py", "--help"),
        dry=lambda: python("openai_example.py", "--dry-run", "--model", "gpt-4.1", "--results", results),
        loaded=lambda: python("-X", "importtime", "openai_example.py", "--dry-run", "--model", "gpt-4.1", "--results", results),
        limit=lambda: python("-c", "pass"),
    )
    heavy = [name for name in ("openai", "anthropic", "httpx2", "arro3") if f"| {name}\n" in samples["loaded"][0].out]
    note = f"imports {', '.join(heavy)}" if heavy else "imports no SDK"
    bare = samples["limit"], "`python -c pass`"
    return [
        Row("`--help`", samples["help"], Target("≤ 0.15 s cpu", cpu=0.15), *bare),
        Row("`--dry-run` of the literary study", samples["dry"], Target("no SDK", own=not heavy), *bare, note),
    ]

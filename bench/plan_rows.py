"""Owns the rows about planning: --dry-run of a study and of a data set, against moving the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from bench import inputs
from bench.measure import ROOT, Sample, median, must, python
from bench.rows import Bench, Row, Target

LIMITS = ROOT / "bench/limits.py"


def dry_run(bench: Bench, experiment: Path, requests: int, *options: object) -> Sample:
    """One dry run into an empty folder, its shards checked."""
    results = bench.place("plan")
    sample = python("openai_example.py", "--dry-run", "--json", "--experiment", experiment, "--model", "gpt-4.1",
                    "--results", results, *options)  # fmt: skip
    plan = json.loads(sample.out)
    must(plan["requests"] == requests and not plan["sent"], f"{plan['requests']} requests planned, {requests} asked for")
    for shard in plan["shards"]:
        path = Path(shard["path"])
        must(path.stat().st_size == shard["bytes"] and inputs.sha256(path) == shard["sha256"], f"{path} is not what was said of it")
    return sample


def study(bench: Bench, requests: int) -> list[str]:
    """The options that make a study of so many requests."""
    return ["--trials", str(-(-requests // 12)), "--limit", str(requests)]


def _copied(bench: Bench) -> Sample:
    shards = sorted((bench.folder / "plan").glob("*/*/shards/*.jsonl"))
    return python(LIMITS, "copy", *shards, bench.place("copied"))


def studies(bench: Bench) -> list[Row]:
    """50,000 and 1,000,000 requests of 4 personas × 3 texts × trials."""
    experiment = inputs.study(bench.place("study"))
    found = []
    for requests in (bench.size(50_000, 2_000), bench.size(1_000_000, 20_000)):
        large = requests == bench.size(1_000_000, 20_000)
        samples = bench.race(
            ours=lambda n=requests: dry_run(bench, experiment, n, *study(bench, n)),
            limit=lambda: _copied(bench),
        )
        size = sum(p.stat().st_size for p in (bench.folder / "plan").glob("*/*/shards/*.jsonl")) / 1e6
        row = Row(
            f"`--dry-run` of {requests:,} requests ({size:,.0f} MB)", samples["ours"],
            Target("linear, RSS as for 1,000" if large else "≤ 3 × limit, ≤ 60 MB", 3, 60), samples["limit"],
            "read, write, sha256, fsync of the same bytes",
        )  # fmt: skip
        if large:
            small = found[0]
            times = 20 if not bench.quick else 10
            factor, bytes_alone = row.cpu / small.cpu / times, median(row.limit) / median(small.limit) / times
            own = factor < 1.15 and row.rss - small.rss < 8
            note = f"{factor:.2f} × linear from 50,000; moving the bytes alone: {bytes_alone:.2f} ×"
            row = Row(row.work, row.ours, Target(row.target.said, own=own), row.limit, row.limit_is, note)
        found.append(row)
    bench.place("plan")
    bench.place("copied")
    return found


def data_sets(bench: Bench) -> list[Row]:
    """A CSV file of distinct rows as texts."""
    rows = bench.size(1_000_000, 20_000)
    experiment = inputs.data_set(bench.place("data"), rows)
    small = inputs.data_set(bench.place("data_small"), rows // 10)
    table = experiment / "rows.csv"
    samples = bench.race(
        ours=lambda: dry_run(bench, experiment, rows),
        small=lambda: dry_run(bench, small, rows // 10),
        limit=lambda: python(LIMITS, "build", table, bench.folder / "built.jsonl"),
    )
    ours = samples["ours"]
    row = Row(f"CSV data set of {rows:,} rows as texts", ours, Target("≥ 100,000 rows/s/core, linear, flat"), samples["limit"],
              "csv + orjson loop")  # fmt: skip
    start = min(s.cpu for s in samples["small"]) - row.cpu / 10
    rate = rows / (row.cpu - max(start, 0))
    grown = row.rss - max(s.rss for s in samples["small"]) / 1e6
    note = f"{rate:,.0f} rows/s/core; {grown:+.0f} MB from a tenth of the rows"
    bench.place("plan")
    (bench.folder / "built.jsonl").unlink()
    return [Row(row.work, ours, Target(row.target.said, own=rate >= 100_000 and grown < 8), row.limit, row.limit_is, note)]


def curve(bench: Bench) -> list[Row]:
    """Points for the picture: 1,000 to 1,000,000 requests. No rows."""
    experiment = inputs.study(bench.place("study"))
    for requests in (1_000, 10_000, 100_000, 1_000_000)[: 2 if bench.quick else 4]:
        bench.point("dry run", requests, [dry_run(bench, experiment, requests, *study(bench, requests))])
    bench.place("plan")
    return []

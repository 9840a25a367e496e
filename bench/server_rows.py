"""Owns the rows about the local batch service itself: its rate, its memory under 200 MB files, and 50 clients at once."""

from __future__ import annotations

import json
from pathlib import Path

from bench import inputs
from bench.measure import MB, Sample, must, python
from bench.plan_rows import LIMITS, dry_run, study
from bench.rows import Bench, Row, Target
from bench.service import Service, service

CLIENT = str(LIMITS.with_name("client.py"))


def _shard(bench: Bench, characters: int, requests: int) -> Path:
    experiment = inputs.study(bench.place("study"), characters)
    dry_run(bench, experiment, requests, *study(bench, requests))
    path = next((bench.folder / "plan").glob("*/*/shards/*1.jsonl"))
    return path.rename(bench.place("uploads") / path.name)


def _used(here: Service, client: Sample, before: float) -> Sample:
    """What the service took: its CPU seconds by its processes, the client's wall time, its largest process's peak."""
    return client._replace(cpu=here.cpu() - before, rss=max(here.peaks().values()))


def rate(bench: Bench) -> list[Row]:
    """Upload, rehearsal and download of one full batch: requests per second of wall time, and the service's memory."""
    requests = bench.size(50_000, 2_000)
    found: dict[str, list[Sample]] = {"large": [], "small": []}
    idle, size = [], 0.0
    for _ in range(bench.runs):
        for name, characters in (("large", 1_100), ("small", 100)):
            path = _shard(bench, characters, requests)
            size = max(size, path.stat().st_size / MB)
            with service(bench.folder) as here:
                idle.append(max(here.peaks().values()))
                before = here.cpu()
                client = python(CLIENT, here.openai, path)
                must(json.loads(client.out)["rows"] == [requests], client.out)
                found[name].append(_used(here, client, before))
    bench.place("uploads")
    bench.place("plan")
    rows = []
    for name, what in (("small", "short prompts"), ("large", f"{size:,.0f} MB up and down")):
        per_second = requests / min(s.wall for s in found[name])
        grown = (max(s.rss for s in found[name]) - min(idle)) / MB
        note = f"{per_second:,.0f} requests/s; {grown:+.0f} MB over idle in its largest process"
        goal = Target("≥ 20,000/s", own=per_second >= 20_000) if name == "small" else Target("flat RSS", own=grown < 64)
        rows.append(Row(f"service: {requests:,} requests end to end, {what}", found[name], goal, note=note, of="wall"))
    return rows


def clients(bench: Bench) -> list[Row]:
    """50 clients at once, each with a batch of its own."""
    many, requests = bench.size(50, 10), 1_000
    path = _shard(bench, 100, requests)
    found = []
    for _ in range(bench.runs):
        with service(bench.folder) as here:
            before = here.cpu()
            client = python(CLIENT, here.openai, path, many)
            rows = json.loads(client.out)["rows"]
            must(rows == [requests] * many, f"{len(rows)} clients were served: {client.out[:300]}")
            found.append(_used(here, client, before))
    bench.place("uploads")
    bench.place("plan")
    total = many * requests
    note = f"{total / min(s.wall for s in found):,.0f} requests/s together; all {total:,} rows came back"
    return [Row(f"service: {many} clients at once, {requests:,} requests each", found, Target("all served"), note=note, of="wall")]

"""Owns the rows about the converter: raw output to a table or to texts, one file or many."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from bench import inputs
from bench.measure import Sample, interleaved, median, must, python
from bench.plan_rows import LIMITS
from bench.rows import Bench, Row, Target

CONVERTER = "tools/openai/batch_result_converter.py"
COUNT_PARQUET = "import arro3.io as a, sys; print(sum(b.num_rows for b in a.read_parquet(sys.argv[1])))"


def converted(
    bench: Bench, files: list[Path], form: str, experiment: Path, rows: int, jobs: int = 1, into: str = "converted",
    beginning: bytes = b"study,",
) -> Sample:  # fmt: skip
    """One conversion into an empty folder, its rows counted, which begin with the name of the experiment."""
    out = bench.place(into)
    sample = python(CONVERTER, *files, "--format", form, "--out", out, "--experiment", experiment, "--jobs", jobs, "--json")
    told = json.loads(sample.out)["files"]
    made = sum(_rows(Path(one["target"]), form, beginning) for one in told)
    said = sum(one["rows"] for one in told)
    clean = sum(one["validation"].get("success", 0) for one in told)
    must(said == made == clean == rows, f"{rows} lines in, {said} rows said, {made} rows there, {clean} answers read")
    return sample


def _rows(target: Path, form: str, beginning: bytes) -> int:
    if form == "text":
        return sum(1 for entry in os.scandir(target) if entry.stat().st_size > 500)
    if form == "parquet":
        return int(python("-c", COUNT_PARQUET, target).out)
    with open(target, "rb") as lines:  # each answer stands in quotes over eight lines
        return sum(line.startswith(beginning) for line in lines)


def one_file(bench: Bench) -> list[Row]:
    """50,000 lines to each format."""
    lines = bench.size(50_000, 1_000)
    experiment = inputs.study(bench.place("study"))
    file = inputs.raw_output(bench.place("raw") / "batch_1_output.jsonl", lines)
    out = bench.folder
    samples = bench.race(
        csv=lambda: converted(bench, [file], "csv", experiment, lines),
        parse=lambda: python(LIMITS, "parse", file),
        parquet=lambda: converted(bench, [file], "parquet", experiment, lines),
        table=lambda: python(LIMITS, "table", file, out / "bare.csv"),
    )
    texts = _texts(bench, file, experiment, lines)
    bench.place("converted")
    loop = f"orjson + csv loop without scores (parsing alone: {median(samples['parse']):.2f})"
    size = file.stat().st_size / 1e6
    goal = "≤ 2 × orjson loop, flat"
    work = f"converter: {lines:,} lines ({size:,.0f} MB) → "
    return [
        Row(work + "CSV", samples["csv"], Target(goal, 2, 100), samples["table"], loop),
        Row(work + "Parquet", samples["parquet"], Target(goal, 2, 120), samples["table"], loop, "arro3's import included"),
        Row(work + "texts", texts["ours"], Target("≤ 1.3 × limit", 1.3), texts["limit"], "orjson, and the same files written"),
    ]


def _texts(bench: Bench, file: Path, experiment: Path, lines: int) -> dict[str, list[Sample]]:
    # Each run into a folder that was never there, and none emptied in between: before ext4 takes an inode it looks at
    # all those that were deleted within the last minutes, which is seconds of system time for whoever comes next.
    folders = [f"texts_{n}" for n in range(2 * bench.runs)]
    fresh = iter(folders)
    samples = bench.race(
        ours=lambda: converted(bench, [file], "text", experiment, lines, into=next(fresh)),
        limit=lambda: python(LIMITS, "texts", file, bench.folder / next(fresh)),
    )
    for name in folders:
        shutil.rmtree(bench.folder / name)
    return samples


def many_files(bench: Bench) -> list[Row]:
    """10,000,000 lines in files of 50,000 (scaled down unless --full, then once), on one core and on all."""
    whole, each = 10_000_000, bench.size(50_000, 1_000)
    lines = whole if bench.full else bench.size(200_000, 4_000)
    experiment = inputs.study(bench.place("study"))
    first = inputs.raw_output(bench.place("raw") / "batch_0_output.jsonl", each)
    files = [first]
    for n in range(1, lines // each):
        files.append(first.with_name(f"batch_{n}_output.jsonl"))
        os.link(first, files[-1])  # the same content under many names: the disk need not hold 18 GB
    cores = os.cpu_count() or 1
    samples = interleaved(
        1 if bench.full else bench.runs,
        one=lambda: converted(bench, [first], "csv", experiment, each),
        ours=lambda: converted(bench, files, "csv", experiment, lines, cores),
        limit=lambda: converted(bench, files, "csv", experiment, lines),
    )
    bench.place("converted")
    per_file = median(samples["limit"]) / median(samples["one"]) / len(files)
    faster = median(samples["limit"], "wall") / median(samples["ours"], "wall")
    grown = (max(s.rss for s in samples["limit"]) - max(s.rss for s in samples["one"])) / 1e6
    note = f"{per_file:.2f} × linear; {faster:.2f} × as fast on {cores} cores; {grown:+.0f} MB from one file"
    scale = "" if lines == whole else f" (1/{whole // lines} of 10,000,000)"
    good = per_file < 1.1 and grown < 16 and (faster > 0.75 * cores or bench.quick)
    return [
        Row(f"converter: {lines:,} lines{scale} in {len(files)} files, `--jobs {cores}`", samples["ours"],
            Target("linear, flat, all cores", own=good), samples["limit"], "itself on one core", note, "wall")
    ]  # fmt: skip


def curve(bench: Bench) -> list[Row]:
    """Points for the picture. No rows."""
    experiment = inputs.study(bench.place("study"))
    for lines in (1_000, 10_000, 100_000, 1_000_000)[: 2 if bench.quick else 4]:
        raw, each = bench.place("raw"), min(lines, 50_000)  # as long as a batch can be
        files = [inputs.raw_output(raw / f"batch_{n}_output.jsonl", each) for n in range(lines // each)]
        bench.point("convert", lines, [converted(bench, files, "csv", experiment, lines)])
    bench.place("converted")
    bench.place("raw")
    return []

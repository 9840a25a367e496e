"""Owns the rows about typed answers as JSON: planned, sent and read, against the same questions answered as text."""

from __future__ import annotations

from pathlib import Path

from bench import inputs
from bench.convert_rows import converted
from bench.measure import MB, Sample, median
from bench.plan_rows import dry_run
from bench.rows import Bench, Row, Target
from bench.send_rows import collected

GOAL = "≤ 1.3 × as text, flat"
FORMS = ("json", "text")


def typed(bench: Bench) -> list[Row]:
    """A data set whose rows are asked a choice, an integer, a number and yes or no."""
    return [_planned(bench), _sent(bench), _read(bench)]


def _row(work: str, samples: dict[str, list[Sample]], small: Sample) -> Row:
    """One row; flat when ten times the rows take no more than a full batch's ids."""
    ours = samples["json"]
    grown = (max(one.rss for one in ours) - small.rss) / MB
    good = median(ours) <= 1.3 * median(samples["text"]) and grown < 16
    note = f"{grown:+.0f} MB from a tenth of the rows"
    return Row(work, ours, Target(GOAL, own=good), samples["text"], "itself with answers as text", note)


def _planned(bench: Bench) -> Row:
    rows = bench.size(1_000_000, 10_000)
    made = {form: inputs.typed_set(bench.place(form), rows, form) for form in FORMS}
    samples = bench.race(json=lambda: dry_run(bench, made["json"], rows), text=lambda: dry_run(bench, made["text"], rows))
    small = dry_run(bench, inputs.typed_set(bench.place("small"), rows // 10, "json"), rows // 10)
    bench.place("plan")
    return _row(f"typed answers: CSV data set of {rows:,} rows planned, answers as JSON", samples, small)


def _sent(bench: Bench) -> Row:
    rows = bench.size(100_000, 1_000)
    made = {form: inputs.typed_set(bench.place(form), rows, form) for form in FORMS}
    samples = bench.race(json=lambda: collected(bench, made["json"], rows, ()), text=lambda: collected(bench, made["text"], rows, ()))
    small = collected(bench, inputs.typed_set(bench.place("small"), rows // 10, "json"), rows // 10, ())
    bench.place("sent")
    return _row(f"typed answers: {rows:,} rows planned, submitted, collected and checked, answers as JSON", samples, small)


def _read(bench: Bench) -> Row:
    rows = 1_000_000 if bench.full else bench.size(200_000, 2_000)
    made = {form: inputs.typed_set(bench.place(form), 1, form) for form in FORMS}
    files = {form: _files(bench.place(f"raw_{form}"), rows, form) for form in FORMS}
    samples = bench.race(
        json=lambda: converted(bench, files["json"], "csv", made["json"], rows, beginning=b"typed,"),
        text=lambda: converted(bench, files["text"], "csv", made["text"], rows, beginning=b"typed,"),
    )
    few = _files(bench.place("raw_few"), rows // 10, "json")
    small = converted(bench, few, "csv", made["json"], rows // 10, beginning=b"typed,")
    bench.place("converted")
    return _row(f"typed answers: {rows:,} lines in {len(files['json'])} files → CSV, answers as JSON", samples, small)


def _files(folder: Path, rows: int, form: str) -> list[Path]:
    each = min(rows, 50_000)  # as long as a batch can be
    return [inputs.typed_output(folder / f"batch_{n}_output.jsonl", n, min(each, rows - n), form) for n in range(0, rows, each)]

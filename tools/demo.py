"""make demo: the four scripts on the default experiment, against the local batch service, told on one screen."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import unicodedata
from collections import defaultdict
from pathlib import Path

from common.cli import tool
from common.cli.exits import UNFINISHED
from common.cli.text import SIMULATED, failures, table
from common.errors import BatchError
from common.outcomes import SUCCEEDED
from common.providers import local
from common.runs.overview import unclean
from common.settings import ROOT
from common.text import one_line, size, usd

SCRIPTS = (
    ["openai_example.py", "--batch"],
    ["claude_example.py", "--batch"],
    ["deepseek_batch_example.py"],
    ["llama_batch_example.py"],
)
CONVERTER = "tools/openai/batch_result_converter.py"
SHOWN = ("gpt-4.1", "deepseekr1")  # whose first answers are shown
WIDTH = 79  # columns of a terminal that is 80 wide


class Failed(BatchError):
    """A command of the demo did not end well. `code` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def main(results: Path) -> int:
    """Run everything; returns the first exit code that is not 0."""
    begun = time.monotonic()
    try:
        with local.account("openai", results):  # one service for all four
            summaries = [run_to_its_end([*script, "--local"], results) for script in SCRIPTS]
        _convert(summaries[0], results)
        report = _report(summaries, results)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return failed.code
    for summary in summaries:
        for line in _answers(results / summary["provider"] / summary["run"] / "results.csv"):
            print(line)
    print("what each model would cost, and the mean of its answers to each question:")
    print(_means(summaries, report))
    print(SIMULATED)
    print(f"{time.monotonic() - begun:.0f} s; tables, texts and raw files: {_near(results)}; now open {_near(Path(report['report']))}")
    return 0


def run_to_its_end(script: list[str], results: Path) -> dict:
    """Run a script to its end and say in a line what came of it; returns its summary. Raises Failed.

    Where its run lies there from before and cannot go on (cancelled, broken, in work), it is asked afresh under a name of its own.
    """
    try:
        return _ended(script, results)
    except Failed:
        if not any(results.glob("*/*/run.json")):
            raise
    return _ended([*script, "--run", f"demo-{time.strftime('%Y%m%d-%H%M%S')}"], results)


def _ended(script: list[str], results: Path) -> dict:
    summary, seconds = _said([*script, "--results", str(results), "--json"], f"python {' '.join(script)}")
    print(f"{summary['planned']} requests, {len(summary['batches'])} batches, {seconds:.1f} s")
    if wrong := unclean(summary):
        raise Failed(f"error: {wrong} rows have no clean answer ({failures(summary['outcomes'])})", UNFINISHED)
    return summary


def _convert(summary: dict, results: Path) -> None:
    batch_id = next(batch["batch_id"] for batch in summary["batches"] if batch["batch_id"])
    file = results / "openai" / "batch_results" / f"{batch_id}_output.jsonl"
    report, seconds = _said([CONVERTER, str(file), "--json"], f"python {CONVERTER} …")
    print(f"{report['files'][0]['rows']} text files, {seconds:.1f} s")


def _report(summaries: list[dict], results: Path) -> dict:
    runs = [f"{summary['provider']}/{summary['run']}" for summary in summaries]
    report, seconds = _said(["-m", "tools.report", *runs, "--results", str(results), "--json"], "python -m tools.report …")
    print(f"a page of {size(Path(report['report']).stat().st_size)}, {seconds:.1f} s")
    return report


def _means(summaries: list[dict], report: dict) -> str:
    """How much each model answered, what that cost, and its mean answer to each question."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    with open(report["table"], encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            of = sums[row["model"], f"{row['question']} {row['name']}"]
            of[0], of[1] = of[0] + int(row["n"]), of[1] + int(row["n"]) * float(row["mean"])
    questions = list(dict.fromkeys(question for _, question in sums))
    rows = []
    for summary in summaries:
        for model, outcomes in summary["by_model"].items():
            means = (f"{total / n:.1f}" for n, total in (sums[model, question] for question in questions))
            rows.append((model, outcomes.get(SUCCEEDED, 0), usd(summary["cost_by_model"][model]), *means))
    return table(("model", "answers", "as if", *questions), rows)


def _said(command: list[str], shown: str) -> tuple[dict, float]:
    """What a command said with --json, and the seconds it took. Raises Failed when it said nothing."""
    print(f"{shown:<48}", end="", flush=True)
    begun = time.monotonic()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    try:
        return json.loads(done.stdout), time.monotonic() - begun
    except ValueError:
        print("failed", flush=True)
        said = done.stderr.strip().splitlines() or ["error: it said nothing"]
        raise Failed(said[-1], done.returncode or UNFINISHED) from None


def _answers(path: Path) -> list[str]:
    """The first answer of each model that is shown: a line that says whose it is, and one of the answer."""
    found: dict[str, tuple[str, str]] = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["model"] in SHOWN and row["model"] not in found:
                whose = f"{row['model']} as {row['persona_name']} on {row['text_title']}:"
                found[row["model"]] = one_line(whose), f"  {one_line(row['answer'])}"
    return [_cut(line) for lines in found.values() for line in lines]


def _cut(line: str) -> str:
    """As much of a line as a terminal shows in WIDTH columns."""
    columns = 0
    for n, letter in enumerate(line):
        columns += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if columns > WIDTH:
            return line[:n] + "…"
    return line


def _near(path: Path) -> str:
    """A path as short as it can be typed here."""
    return min(str(path), os.path.relpath(path), key=len)


if __name__ == "__main__":
    sys.exit(tool.run(main, "make demo"))

"""make metrics: time, success, errors, tokens and money of runs, as a table, as JSON, or as a file for Prometheus."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from common.cli.exits import OK
from common.cli.folder import looked_at, results_folder
from common.cli.named import runs_named
from common.cli.text import SIMULATED, Voice
from common.errors import InputError
from common.reports import prometheus
from common.reports.figures import figures
from common.text import duration, usd

HEADER = ("run", "model", "rows", "clean", "errors", "per clean answer", "cost", "median batch", "time")


def command(args: argparse.Namespace) -> int:
    """Tell the figures of some or all runs; returns the exit code. Raises InputError before anything is written."""
    if args.out and (args.out.suffix != ".prom" or not args.out.parent.is_dir()):
        raise InputError(f"{args.out}: expected a file that ends in .prom, in a folder that exists")
    voice = Voice(args.json)
    with looked_at(results_folder(args.results)) as journal:
        found = [figures(journal, run) for run in runs_named(journal, args.runs or ["all"])]
        voice.say(*journal.garbled.values())
    if args.out:
        prometheus.write(found, args.out)
        voice.say(f"written: {args.out}")
    if args.json:
        voice.json({"runs": found})
    elif not args.out:
        voice.print_table(HEADER, [row for run in found for row in _rows(run)])
        voice.say(*[SIMULATED] * any(run["simulated"] for run in found))
    return OK


def _rows(run: dict) -> Iterator[tuple]:
    batch, simulated = run["batch_seconds"]["median"], run["simulated"]
    for model, found in run["by_model"].items():
        yield (
            f"{run['provider']}/{run['run']}", model, f"{sum(found['rows'].values()):,}", _share(found["success_rate"]),
            ", ".join(f"{name} {_share(share)}" for name, share in found["error_rate"].items()) or "none",
            usd(found["cost_per_clean_answer_usd"], simulated), usd(found["cost_usd"], simulated),
            "" if batch is None else duration(batch), duration(run["seconds"]),
        )  # fmt: skip


def _share(rate: float | None) -> str:
    """A share of rows; 100 % means all of them."""
    return "" if rate is None else "100 %" if rate == 1 else f"{min(rate, 0.999):.1%}".replace("%", " %")

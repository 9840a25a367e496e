"""The options of the four scripts."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Script:
    """What an entry script declares: its file name, results folder, host and model group."""

    name: str
    folder: str
    host: str
    group: tuple[str, ...]
    needs_batch: bool


def parser(script: Script) -> argparse.ArgumentParser:
    """All options of a script."""
    p = argparse.ArgumentParser(
        prog=f"python {script.name}",
        description="Run an experiment through a batch API at batch price; the same command again goes on where it stopped.",
        epilog="Exit codes: 0 every request has an answer; 1 not finished, or rows failed for good; 2 your input; "
        "3 the provider refused (key, quota); 130 detached.",
        allow_abbrev=False,
    )
    do = p.add_argument_group("what to do")
    do.add_argument(
        "--batch",
        action="store_true",
        help="submit, watch and collect" + ("" if script.needs_batch else " (the default here)"),
    )
    do.add_argument(
        "--dry-run", action="store_true", help="check, write the shards, show counts and price; send nothing"
    )
    do.add_argument("--no-wait", action="store_true", help="submit and return; the same command collects later")
    do.add_argument("--status", metavar="ID", help="a batch id or a run: where it stands; collects what has ended")
    do.add_argument("--cancel", metavar="ID", help="a batch id or a run: stop it; finished rows are kept")
    do.add_argument(
        "--list", action="store_true", help="all runs of this provider, and the account's batches if a key is there"
    )
    do.add_argument("--retry-failed", metavar="RUN", help="send every row of a run without a clean answer once more")
    what = p.add_argument_group("what to ask")
    what.add_argument(
        "--model",
        nargs="+",
        action="extend",
        metavar="ALIAS",
        default=[],
        help=f"default: those alive of {', '.join(script.group)}",
    )
    what.add_argument(
        "--experiment",
        type=Path,
        default=ROOT / "experiments/literary",
        metavar="PATH",
        help="a folder with an experiment.toml (default: experiments/literary)",
    )
    what.add_argument("--trials", type=count, metavar="N", help="trials of each condition instead of the experiment's")
    what.add_argument(
        "--limit", type=count, metavar="N", help="at most N requests in all, shared evenly among the models"
    )
    what.add_argument("--persona", nargs="+", action="extend", metavar="ID", help="only these personas")
    what.add_argument("--text", nargs="+", action="extend", metavar="ID", help="only these texts")
    what.add_argument("--run", type=_run_name, metavar="NAME", help="a name of your own; a new one repeats the experiment afresh")
    how = p.add_argument_group("how")
    how.add_argument(
        "--local", action="store_true", help="rehearse on the local batch service: no key, no cost, simulated answers"
    )
    how.add_argument("--max-cost", type=_amount, metavar="USD", help="spending cap of the run (MAX_COST_USD, else 10)")
    how.add_argument("--parallel", type=count, default=8, metavar="N", help="batches in flight at once (default 8)")
    how.add_argument(
        "--poll",
        type=seconds,
        metavar="S",
        help="first interval between two looks (default 15; 0.2 on this machine); grows to 20 times that",
    )
    how.add_argument(
        "--retries",
        type=_number,
        default=3,
        metavar="N",
        help="how often a row that failed for a passing reason is sent again (default 3)",
    )
    how.add_argument(
        "--grace",
        type=seconds,
        metavar="S",
        help="how long a batch whose creation went unanswered is looked for (default 60)",
    )
    how.add_argument(
        "--patience",
        type=seconds,
        default=3600.0,
        metavar="S",
        help="how long an unreachable provider is waited for (default 3600)",
    )
    how.add_argument(
        "--skip-invalid", action="store_true", help="leave out requests that cannot be sent and go on with the others"
    )
    how.add_argument("--allow-retired", action="store_true", help="send to a model that is known to be retired")
    how.add_argument(
        "--allow-unknown-price", action="store_true", help="send although no price is known, so no cap can hold"
    )
    how.add_argument(
        "--texts", action=argparse.BooleanOptionalAction, default=True, help="one text file per answer beside the table"
    )
    how.add_argument("--results", metavar="DIR", help="where results go (RESULTS_DIR, else results/)")
    how.add_argument(
        "--speed",
        type=seconds,
        metavar="X",
        help="with --local: simulated seconds per second (default 3600)",
    )
    how.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return p


def count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def _run_name(text: str) -> str:
    """A name that is one folder, and not that of the raw files."""
    if not re.fullmatch(r"\w[\w.-]{0,79}", text) or text.endswith(".") or text.lower() == "batch_results":
        raise argparse.ArgumentTypeError(f"{text!r}: expected a name of letters, digits and . _ - (at most 80)")
    return text


def _number(text: str) -> int:
    return 0 if text == "0" else count(text)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or more")
    return value


def seconds(text: str) -> float:
    if (value := _amount(text)) == 0:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value

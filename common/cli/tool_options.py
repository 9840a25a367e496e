"""The options of the tools and of what stands behind make."""

from __future__ import annotations

import argparse
from pathlib import Path

from common.cli.options import HOST, JSON, LOCAL, RESULTS, Parser, add, flag, option, patience
from common.cli.scripts import Tool
from common.cli.values import count, port, run_name, seconds
from common.results.formats import FORMATS, TABLES


def cleanup_options(tool: Tool) -> argparse.ArgumentParser:
    """All options of a clean-up."""
    p = Parser(
        prog=f"python {tool.cleanup}",
        description="Save, verify and then delete ended batches at the provider. Nothing that is not safely on disk is deleted.",
        epilog="Exit codes: 0 done; 1 something was left because it failed; 2 your input; 3 the provider refused (key); 130 interrupted.",
        wanted=f"which batches? type: python {tool.cleanup} --batch-id ID, or --all; --dry-run only shows them",
    )
    add(
        p.add_mutually_exclusive_group(required=True),
        option("--batch-id", "this batch", metavar="ID"),
        flag("--all", "every ended batch that this results folder's journal knows"),
    )
    add(
        p,
        flag("--everything-in-account", "with --all: also batches that were not made here"),
        option("--limit", "with --all: only the N oldest that can be deleted", type=count, metavar="N"),
        flag("--cancel-running", "stop batches that still run, collect them, then delete them too"),
        flag("--dry-run", "show what would be deleted; save and delete nothing"),
        flag("--yes", "do not ask"),
        LOCAL, HOST, RESULTS, patience(60.0), JSON,
    )  # fmt: skip
    return p


def converter_options(tool: Tool) -> argparse.ArgumentParser:
    """All options of a converter."""
    p = Parser(
        prog=f"python {tool.converter}",
        description=f"Convert raw {tool.folder} batch output files to texts or to one table each.",
        epilog="Exit codes: 0 converted; 1 no row at all, or one of several not; 2 your input; 130 interrupted.",
        wanted=f"which file? type: python {tool.converter} results/{tool.runs[0]}/batch_results/BATCH_ID_output.jsonl",
    )
    add(
        p,
        option("files", "raw output, as <batch_id>_output.jsonl", nargs="+", type=Path, metavar="FILE"),
        option("--format", "one text file per request, or a table", choices=[*FORMATS], default="text"),
        option("--out", "where to write (default: the run's folder, else beside FILE)", type=Path, metavar="DIR"),
        option("--experiment", "whose questions the answers are checked against", type=Path, metavar="PATH"),
        option("--jobs", "convert N files at once (default 1)", type=count, default=1, metavar="N"),
        JSON,
    )
    return p


TARGETS = {
    "status": "Where a batch or a run stands, whichever script made it; without an ID, all runs, after each host was asked. "
    "Without an ID nothing is collected, sent or noted.",
    "report": "All runs of the results folder in one table; with names, their answers as one page to open in a browser.",
    "browse": "All answers of runs as a page of this machine's browser: filter, search, sort, side by side; nothing is sent or changed.",
    "dashboard": "A page on this machine that shows where all runs stand and keeps itself fresh; it only reads the journal.",
    "audit": "Verify every run of the results folder against journal and checksums; exit code 1 when something is wrong.",
    "adopt": "Rebuild what the journal does not know from run folders and the host's list; sends nothing, keeps what is newer.",
    "rescore": "Score the answers of runs again by changed questions, from their raw files; nothing is sent, the old tables stay.",
    "export": "One table over runs and providers, attempts merged, with a codebook of its columns; nothing is sent.",
    "forget": "Remove plans that were never sent, and finished runs after a backup; what is out, owed or waiting is refused.",
    "backup": "Pack what is new of journal, raw files and runs into an archive under results/backups, read again before it counts.",
    "restore": "Put back what an archive of make backup has and the results folder lacks; what is newer here stays.",
    "disk": "What takes how much room in the results folder and at the providers, what is free, and what could go.",
    "tidy": "Pack raw files older than KEEP_RAW_DAYS; save, then delete at the providers batches collected before KEEP_REMOTE_DAYS.",
    "costs": "What was paid, wasted and saved, and what is in flight, by day, run, model, persona or any factor; checked with the journal.",
    "share": "Pack one run with its raw files into one archive to give away, without keys or account, read again before it counts.",
    "new": "Write a commented starter experiment into a folder of its own, and say what to type next.",
    "metrics": "Time, success and error rates, tokens and money of runs: a table, JSON, or a text file for Prometheus.",
    "notify-test": "Send a test message to each channel in NOTIFY_URLS and NOTIFY_URL, and say which took it; 1 when one did not.",
    "import": "Take an archive of make share into the results folder, as a record for which nothing is sent.",
}
WITH_WORDS = ("rescore", "export")  # those that are typed with words behind them
# where a target's file is called otherwise
MODULES = {"import": "import_run", "costs": "cost_report", "notify-test": "notify_test"}
FILES = (*WITH_WORDS, "costs")  # those that are typed as files

_OUT = option("--out", "where archives go: a folder, or an address such as s3://… (default: backups/ in the results folder)", metavar="DIR")

_RUNS = option("runs", "a run, or provider/run, or all", nargs="+", metavar="RUN")
_OPTIONS = {
    "status": (
        option("--watch", "show all runs anew every S seconds (default 10), until nothing is open or Ctrl-C",
               type=seconds, nargs="?", const=10.0, metavar="S"),
        flag("--offline", "ask no host: all runs as the journal has them"),
        flag("--all", "also the runs that ended long ago"),
        option("id", "a batch id or a run", nargs="?", metavar="ID"),
        option("more", "options of the script that made it", nargs=argparse.REMAINDER, metavar="…"),
    ),
    "report": (
        option("runs", "runs, as name or provider/name, a study's name, or all; none: a table of all runs", nargs="*", metavar="RUN"),
        option("--out", "the page's file (default: report.html in the results folder)", type=Path, metavar="FILE"),
        RESULTS, JSON,
    ),
    "browse": (
        option("runs", "runs, as name or provider/name, a study's name, or all", nargs="+", metavar="RUN"),
        option("--port", "the page's port, for links that stay (default: a free one)", type=port, default=0, metavar="N"),
        RESULTS,
    ),
    "dashboard": (
        option("--port", "where it listens (default 8791; 0: any that is free)", type=port, metavar="N"),
        option("--host", "an address of this machine that others can reach; needs DASHBOARD_PASSWORD", metavar="ADDRESS"),
        RESULTS,
    ),
    "rescore": (
        _RUNS,
        option("--experiment", "whose questions score (default: the run's own, as it is now)", type=Path, metavar="PATH"),
        RESULTS, JSON,
    ),
    "export": (
        _RUNS,
        option("--format", "the form of the table (default csv)", choices=TABLES, default="csv"),
        flag("--long", "one row per question instead of one per request"),
        option("--out", "the new folder to write, or an address as s3://… (default: exports/<time> in the results folder)", metavar="DIR"),
        RESULTS, JSON,
    ),
    "forget": (
        option("run", "runs, as name or provider/name", nargs="+", metavar="RUN"),
        flag("--yes", "do it; without, only show what would be removed"),
        RESULTS,
    ),
    "backup": (_OUT, flag("--full", "all in this one archive, not only what earlier ones do not have")),
    "restore": (option("file", "an archive that make backup has made: a path, or an address such as s3://…", nargs="?", metavar="FILE"),),
    "disk": (flag("--offline", "do not ask the providers"), RESULTS, JSON),
    "tidy": (flag("--yes", "do it; without, only show what would be done"), RESULTS),
    "costs": (
        option(
            "--by", "sum by these: day, month, run, study, provider, model, experiment (from the journal); persona, text, trial, "
            "outcome or a factor's name (from the rows, which takes as long as reading them). Default: month model",
            nargs="+", default=["month", "model"], metavar="NAME",
        ),
        flag("--simulated", "what the rehearsals would have cost, instead of what was paid"),
        option("--csv", "write the table as CSV to FILE, or without FILE to the screen", nargs="?", const="-", metavar="FILE"),
        RESULTS, JSON,
    ),
    "share": (
        option("run", "a run, as make status names it", nargs="?", metavar="RUN"),
        option("--out", "where the archive goes: a folder or an address (default: shared/ in the results folder)", metavar="DIR"),
    ),
    "new": (
        option("name", "what the experiment is to be called", nargs="?", metavar="NAME"),
        option("--out", "where its folder goes (default: experiments/)", type=Path, metavar="DIR"),
    ),
    "metrics": (
        option("runs", "runs, as name or provider/name; none: all that have begun", nargs="*", metavar="RUN"),
        option("--out", "write a text file for Prometheus, which ends in .prom", type=Path, metavar="FILE"),
        RESULTS, JSON,
    ),
    "import": (
        option("file", "an archive that make share has made", nargs="?", type=Path, metavar="FILE"),
        option("--as", "the run's name here (default: the one that it has)", dest="name", type=run_name, metavar="NAME"),
    ),
}  # fmt: skip


def target(name: str) -> argparse.ArgumentParser:
    """The options of a make target; RESULTS_DIR says where results are."""
    module = MODULES.get(name, name)
    prog = f"python tools/{module}.py" if name in FILES else f"python -m tools.{module}"
    p = Parser(prog, TARGETS[name], wanted=f"which runs? type: make {name} RUN=NAME; make status lists the runs")
    add(p, *_OPTIONS.get(name, ()))
    return p

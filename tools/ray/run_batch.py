"""Shards of a run, or any files of OpenAI's batch lines, asked of your own model servers as a Ray Data job.

    python tools/ray/run_batch.py llama/literary-55f57a --endpoint http://10.0.0.5:8000/v1 http://10.0.0.6:8000/v1 --ray auto
    python tools/ray/run_batch.py shard-00001.jsonl --endpoint http://127.0.0.1:8000/v1

The same command again goes on where it stopped.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common.cli import door
from common.cli.options import JSON, RESULTS, Parser, add, count, flag, option, seconds

TYPED = "python tools/ray/run_batch.py"


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = Parser(
        prog=TYPED,
        description="Ask shards of your own model servers, on many machines. A request may be asked twice when a machine dies, so paid "
        "hosts are refused; each row is written once.",
        epilog="Exit codes: 0 every row has an answer; 1 not finished (the same command goes on), or rows failed; 2 your input; "
        "130 interrupted.",
    )
    add(
        p,
        option("what", "a planned run (name or provider/name), or files of OpenAI's batch lines", nargs="+", metavar="STUDY|SHARD"),
        option("--endpoint", "addresses of your own servers; requests are spread over them", nargs="+", required=True, metavar="URL"),
        flag("--own", "endpoints at names or public addresses are yours too: nobody bills their requests"),
        option("--slots", "questions in the air at once at each endpoint (default 64)", type=count, default=64, metavar="N"),
        option("--timeout", "seconds that one answer may take (default 300)", type=seconds, default=300.0, metavar="S"),
        option("--tries", "how often a request is asked that fails in passing (default 6)", type=count, default=6, metavar="N"),
        option("--stall", "give up after so many seconds without a row (default 900)", type=seconds, default=900.0, metavar="S"),
        option("--ray", "the cluster: auto (one that runs here) or HOST:PORT; without it, this machine alone", metavar="ADDRESS"),
        option("--out", "where outputs go (default: ray/ in the results folder, or in that of the files)", type=Path, metavar="DIR"),
        RESULTS, JSON,
    )  # fmt: skip
    return p


def main() -> int:
    """The exit code."""
    door.enter()
    from common.cli.exits import again, guarded
    from tools.ray.driver import command

    arguments = sys.argv[1:]
    go_on = again(TYPED, arguments)
    kept = "Rows that have come are kept"
    return guarded(lambda: command(parser().parse_args(arguments)), go_on, f"interrupted: {kept.lower()}", kept)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not through Ray's threads, which may hang; what it started here ends with this process

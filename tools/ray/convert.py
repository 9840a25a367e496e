"""Raw output files that lie on several machines or in a bucket → one table each, converted where they are.

    python tools/ray/convert.py s3://bucket/raw/*_output.jsonl --out s3://bucket/tables --ray auto
    python tools/ray/convert.py node:10.0.0.5:/data/*_output.jsonl node:10.0.0.6:/data/*_output.jsonl --out s3://bucket/tables --ray auto

On one machine tools/openai/batch_result_converter.py --jobs N is quicker.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common.cli import door
from common.cli.options import JSON, Parser, add, option

TYPED = "python tools/ray/convert.py"


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = Parser(
        prog=TYPED,
        description="Convert raw output files of any host to one table each, a file a task, on the machines of a Ray cluster.",
        epilog="Exit codes: 0 converted; 1 no row at all, or one of several files not; 2 your input; 130 interrupted.",
    )
    add(
        p,
        option("files", "files, addresses that fsspec reads (s3://…, with * if you like), or node:IP:PATH on one machine of the cluster",
               nargs="+", metavar="FILE"),
        option("--format", "the form of each table (default parquet)", choices=("csv", "parquet", "jsonl"), default="parquet"),
        option("--out", "where tables go: an address that fsspec writes, or a folder that all machines see", required=True, metavar="DIR"),
        option("--provider", "whose files they are (default openai, in whose shape own servers answer)",
               choices=("openai", "claude", "kluster"), default="openai"),
        option("--experiment", "whose questions the answers are checked against", type=Path, metavar="PATH"),
        option("--ray", "the cluster: auto (one that runs here) or HOST:PORT; without it, this machine alone", metavar="ADDRESS"),
        JSON,
    )  # fmt: skip
    return p


def main() -> int:
    """The exit code."""
    door.enter()
    from common.cli.exits import again, guarded
    from tools.ray.converting import command

    arguments = sys.argv[1:]
    whole = "No table is left half written"
    return guarded(lambda: command(parser().parse_args(arguments)), again(TYPED, arguments), f"interrupted: {whole.lower()}", whole)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not through Ray's threads; what it started here ends with this process

"""Owns the command line: python -m bench [--only NAME…] [--quick | --full] [--write] [--peers]"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from bench import convert_rows, grow_rows, journal_rows, page, plan_rows, send_rows, server_rows, typed_rows
from bench.measure import ROOT, Wrong
from bench.rows import Bench

WORK = {
    "start": journal_rows.start,
    "convert": convert_rows.one_file,  # before "journal" deletes 20,000 files: see _texts there
    "journal": journal_rows.shards,
    "plan": plan_rows.studies,
    "data": plan_rows.data_sets,
    "grow": grow_rows.looked_up,
    "many": convert_rows.many_files,
    "send": send_rows.submit_and_collect,
    "typed": typed_rows.typed,
    "anthropic": send_rows.anthropic,
    "watch": send_rows.watching,
    "looks": send_rows.looks,
    "rate": server_rows.rate,
    "clients": server_rows.clients,
}
CURVES = {"plan": plan_rows.curve, "send": send_rows.curve, "convert": convert_rows.curve}


def main() -> int:
    """Measure and print the table; returns 1 when something came out wrong. A target that is missed is no error."""
    args = _parser().parse_args()
    rows, wrong = [], []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=args.folder) as folder:
        bench = Bench(Path(folder), args.quick, args.full, args.peers, 1 if args.quick else args.runs)
        work = [(name, WORK[name]) for name in args.only or WORK]
        if args.curves or args.write:
            work += [(f"curve of {name}", call) for name, call in CURVES.items()]
        for name, call in work:
            begun = time.monotonic()
            try:
                found = call(bench)
                rows += found
                print("\n".join(page.line(row) for row in found), file=sys.stderr, flush=True)
            except Wrong as error:
                wrong.append(f"{name}: {error}")
                print(f"WRONG: {wrong[-1]}", file=sys.stderr, flush=True)
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        if args.write and not wrong:
            page.write(ROOT / "docs", rows, bench)
    print(page.table(rows))
    if bench.curves:
        print("\n" + page.numbers(bench))
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m bench", description="Measure speed and memory against the physical limit.")
    p.add_argument("--only", nargs="+", choices=list(WORK), metavar="NAME", help=f"only these rows: {', '.join(WORK)}")
    size = p.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, once: only to see that everything works")
    size.add_argument("--full", action="store_true", help="the converter's 10,000,000 lines in full")
    p.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each entry (default 3)")
    p.add_argument("--curves", action="store_true", help="also 1,000 to 1,000,000 requests, once each")
    p.add_argument("--write", action="store_true", help="write docs/performance.md and its picture (with --curves)")
    p.add_argument("--peers", action="store_true", help="also other clients, each installed in an environment of its own")
    p.add_argument("--folder", default=os.environ.get("TMPDIR"), metavar="DIR", help="where to work: 20 GB (default: the temp folder)")
    return p


if __name__ == "__main__":
    raise SystemExit(main())

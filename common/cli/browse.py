"""make browse: the answers of runs as a page that this machine's own browser shows until Ctrl-C."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing

from common.cli.exits import OK
from common.cli.export import source_of
from common.cli.folder import looked_at, results_folder
from common.cli.named import runs_meant
from common.cli.progress import Patient
from common.cli.text import SIMULATED
from common.reports.browse import app
from common.reports.browse_made import index_of
from common.reports.browse_query import Index
from common.reports.local_page import address, listen, serve
from common.text import size


def command(args: argparse.Namespace) -> int:
    """Show the page until it is stopped; returns the exit code. Raises InputError before it is shown."""
    results = results_folder(args.results)
    with closing(listen(args.port)) as listener:
        with looked_at(results) as journal, ExitStack() as stack:
            sources = [source_of(journal, run, stack) for run in runs_meant(journal, args.runs)]
            path = index_of(sources, results, Patient("browse: "))
        with closing(Index(path)) as index:
            if index.note["simulated"]:
                print(SIMULATED)
            print(f"{index.note['rows']:,} answers; index: {path} ({size(path.stat().st_size)}, may be deleted)")
            print(f"open {address(listener)} (this machine only; Ctrl-C stops it)", flush=True)
            serve(app(index), listener)
    return OK

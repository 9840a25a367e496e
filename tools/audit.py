"""make audit: verify every run of the results folder against journal and checksums; exit 1 when something is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

from common import catalog
from common.cli import tool
from common.maintenance.audit import audit
from common.providers import connect
from common.providers.account import Account


def main(results: Path) -> int:
    """Audit all runs; returns the exit code."""
    with tool.journal_of(results) as journal:
        runs, wrong = journal.runs(), 0
        for run in runs:
            provider = connect(Account(catalog.hosts()[run.host], run.address))
            findings = list(audit(journal, run, provider))
            wrong += bool(findings)
            print(f"{run.provider}/{run.name}: {run.planned:,} requests, {'ok' if not findings else 'NOT as the journal says'}")
            for finding in findings:
                print(f"  {finding}")
    print(f"{len(runs)} runs, {wrong} with findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(tool.run(main, "make audit"))

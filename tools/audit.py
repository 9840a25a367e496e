"""make audit: verify every run of the results folder against journal and checksums; exit 1 when something is wrong."""

from __future__ import annotations

import sys

from common import catalog, settings
from common.cli.exits import guarded
from common.maintenance.audit import audit
from common.providers import connect
from common.providers.account import Account
from common.runs.journal import Journal


def main() -> int:
    """Audit all runs; returns the exit code."""
    settings.load_env()
    journal, wrong = Journal(settings.results_folder(None)), 0
    for run in journal.runs():
        provider = connect(Account(catalog.hosts()[run.host], run.address))
        findings = list(audit(journal, run, provider))
        wrong += bool(findings)
        print(f"{run.provider}/{run.name}: {run.planned:,} requests, {'ok' if not findings else 'NOT as the journal says'}")
        for finding in findings:
            print(f"  {finding}")
    print(f"{len(journal.runs())} runs, {wrong} with findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(guarded(main, "make audit", "stopped"))

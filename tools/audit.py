"""make audit: verify every run of the results folder against journal and checksums; exit 1 when something is wrong."""

from __future__ import annotations

import sys

from common import catalog, settings
from common.audit import audit
from common.cli_session import provider_of
from common.exits import guarded
from common.journal import Journal
from common.settings import Account


def main() -> int:
    """Audit all runs; returns the exit code."""
    settings.load_env()
    journal, wrong = Journal(settings.results_folder(None)), 0
    for run in journal.runs():
        provider = provider_of(Account(catalog.hosts()[run.host], run.address))
        findings = list(audit(journal, run, provider))
        wrong += bool(findings)
        print(f"{run.provider}/{run.name}: {run.planned:,} requests, {'ok' if not findings else 'NOT as the journal says'}")
        for finding in findings:
            print(f"  {finding}")
    print(f"{len(journal.runs())} runs, {wrong} with findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(guarded(main, "make audit", "stopped"))

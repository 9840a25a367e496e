"""make report: all runs of the results folder in one table."""

from __future__ import annotations

from common import report, settings
from common.journal import Journal

if __name__ == "__main__":
    settings.load_env()
    print(report.all_runs(Journal(settings.results_folder(None))))

"""make report: all runs of the results folder in one table."""

from __future__ import annotations

from common import settings
from common.cli.text import all_runs
from common.runs.journal import Journal

if __name__ == "__main__":
    settings.load_env()
    print(all_runs(Journal(settings.results_folder(None))))

"""make report: all runs of the results folder in one table."""

from __future__ import annotations

import sys
from pathlib import Path

from common.cli import tool
from common.cli.text import all_runs


def main(results: Path) -> int:
    """Print the table; returns the exit code."""
    with tool.journal_of(results) as journal:
        print(all_runs(journal))
    return 0


if __name__ == "__main__":
    sys.exit(tool.run(main, "make report"))

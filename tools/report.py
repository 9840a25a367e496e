"""make report: all runs of the results folder in one table; with RUN= their answers as one page, report.html."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("report"))

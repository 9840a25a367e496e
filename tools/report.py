"""make report: all runs of the results folder in one table."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("report"))

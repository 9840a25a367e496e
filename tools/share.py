"""make share RUN=…: a run, its raw files and its rows of the journal into one archive under results/shared, read again before it counts."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("share"))

"""make backup: journal, raw files and runs into one archive under results/backups, read again before it counts."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("backup"))

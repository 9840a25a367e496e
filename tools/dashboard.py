"""make dashboard: a page on this machine that shows where all runs stand, and keeps itself fresh."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("dashboard"))

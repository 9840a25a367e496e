"""make browse: all answers of runs as a page of this machine's own browser."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("browse"))

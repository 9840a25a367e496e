"""make forget RUN=… [YES=1]: remove plans that were never sent, and finished runs after a backup; refuses what is not over."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("forget"))

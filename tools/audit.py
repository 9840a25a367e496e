"""make audit: verify every run of the results folder against journal and checksums; exit 1 when something is wrong."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("audit"))

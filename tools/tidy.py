"""make tidy: old raw files packed, old batches at the providers saved and deleted, as KEEP_RAW_DAYS and KEEP_REMOTE_DAYS say."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("tidy"))

"""make notify-test: send a test message to each channel in NOTIFY_URLS and NOTIFY_URL, and say which took it."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("notify-test"))

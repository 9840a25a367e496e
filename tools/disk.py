"""make disk: what takes how much room in the results folder and at the providers, and what could go."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("disk"))

"""make metrics: how well runs go, in figures, for people, as JSON or for Prometheus."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("metrics"))

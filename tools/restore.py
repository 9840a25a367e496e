"""make restore: what an archive of make backup has and the results folder lacks, put back; what is newer here stays."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("restore"))

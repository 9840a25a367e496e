"""make adopt: rebuild what the journal does not know from the run folders and the host's list; exit 1 when something stays open."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("adopt"))

"""make status [ID=…]: where a batch or run stands, whichever script made it; without an ID, all runs."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("status"))

"""make import FILE=… [AS=NAME]: an archive of make share into the results folder, as a record for which nothing is sent."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("import"))

"""make new NAME=tea: a commented starter experiment in a folder of its own; nothing that is there is overwritten."""

import sys

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("new"))

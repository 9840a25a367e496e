"""One look at every open run of every provider: collect what has ended, go on with what waits, say what is left. For cron.

    python tools/collect.py [--max-cost 20]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.collect())

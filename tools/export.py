"""One table over runs and providers, attempts merged, with a codebook of its columns.

python tools/export.py all
python tools/export.py literary-55f57a claude/literary-8ffb0e --format xlsx --long --out exports/literary
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("export"))

"""Answers scored again by changed questions, from the raw files; no key, no network, the old tables stay beside.

python tools/rescore.py literary-55f57a
python tools/rescore.py all --experiment experiments/literary
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("rescore"))

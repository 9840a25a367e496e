"""Ask one experiment of models at several providers: each model goes to its host, under one plan, one price and one cap.

    python tools/study.py experiments/literary --model gpt-4.1 claude-haiku-4-5 deepseekv3 [--batch]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.study())

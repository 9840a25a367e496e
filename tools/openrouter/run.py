"""OpenRouter alone; what tools/study.py sends there is looked at, stopped and asked again by this command, too.

    python tools/openrouter/run.py --model gemini-3.8-flash mistral-small-2603 [--batch]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common import cli

SCRIPT = cli.SCRIPTS["openrouter"]

if __name__ == "__main__":
    sys.exit(cli.main(SCRIPT))

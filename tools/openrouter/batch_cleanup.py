"""Back up ended OpenRouter batches, verify the copies, then delete what the API lets go.

    python tools/openrouter/batch_cleanup.py --batch-id <batch_id>
    python tools/openrouter/batch_cleanup.py --all [--limit 50] [--dry-run] [--yes]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.cleanup("openrouter"))

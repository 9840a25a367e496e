"""Raw OpenRouter batch output → text files, CSV, Parquet or JSONL.

    python tools/openrouter/batch_result_converter.py results/openrouter/batch_results/<batch_id>_output.jsonl
    python tools/openrouter/batch_result_converter.py FILE… --format csv --out DIR --experiment experiments/literary
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.converter("openrouter"))

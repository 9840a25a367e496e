"""make costs: what was paid, wasted and saved in a results folder, and what is in flight, checked with its journal.

python tools/cost_report.py
python tools/cost_report.py --by month run --csv costs.csv
python tools/cost_report.py --by persona tone --json
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import cli

if __name__ == "__main__":
    sys.exit(cli.make("costs"))

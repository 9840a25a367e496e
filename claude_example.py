"""Run an experiment through Anthropic's Message Batches API.

    python claude_example.py --batch [--model claude37s claude35s]
    python claude_example.py --status <batch_id>
"""

from common import cli

SCRIPT = cli.SCRIPTS["claude"]

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

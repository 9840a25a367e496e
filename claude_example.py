"""Run an experiment through Anthropic's Message Batches API.

    python claude_example.py --batch [--model claude37s claude35s]
    python claude_example.py --status <batch_id>
"""

from common import cli

SCRIPT = cli.Script(
    name="claude_example.py",
    folder="claude",
    host="anthropic",
    group=("claude37s", "claude35s", "claude35h", "claude30h", "claude-haiku-4-5", "claude-sonnet-4-6"),
    needs_batch=True,
)

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

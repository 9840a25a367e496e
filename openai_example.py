"""Run an experiment through the OpenAI Batch API.

    python openai_example.py --batch [--model gpt-4.1 gpt-4.1-mini]
    python openai_example.py --status <batch_id>
    python openai_example.py --cancel <batch_id>
"""

from common import cli

SCRIPT = cli.SCRIPTS["openai"]

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

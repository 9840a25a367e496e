"""Run an experiment through DeepSeek models at kluster.ai, or at any host that speaks its API.

    python deepseek_batch_example.py [--model deepseekr1 deepseekv3]
    python deepseek_batch_example.py --status <batch_id>
"""

from common import cli

SCRIPT = cli.SCRIPTS["deepseek"]

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

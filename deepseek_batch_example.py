"""Run an experiment through DeepSeek models at the host of open weights whose key is set, or --host NAME (make hosts).

    python deepseek_batch_example.py [--host deepinfra] [--model deepseekr1 deepseekv3]
    python deepseek_batch_example.py --status <batch_id>
"""

from common import cli

SCRIPT = cli.SCRIPTS["deepseek"]

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

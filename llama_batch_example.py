"""Run an experiment through Llama models at kluster.ai, or at any host that speaks its API.

    python llama_batch_example.py [--model llama4-maveric llama4-scout]
    python llama_batch_example.py --status <batch_id>
"""

from common import cli

SCRIPT = cli.SCRIPTS["llama"]

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

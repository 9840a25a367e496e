"""Run an experiment through Llama models at the host of open weights whose key is set, or --host NAME (make hosts).

    python llama_batch_example.py [--host deepinfra] [--model llama4-maveric llama4-scout]
    python llama_batch_example.py --status <batch_id>
"""

from common import cli

SCRIPT = cli.SCRIPTS["llama"]

if __name__ == "__main__":
    raise SystemExit(cli.main(SCRIPT))

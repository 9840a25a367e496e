"""Checks standard processing: row by row at the full price through a service of its own, by the real commands."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.basics import wait_for
from tests.cli.scripts import INPUT, OK, REFUSED, only_run, table
from tests.endpoint import ANSWER, Endpoint
from tests.service import KEYS
from tests.support import Commands

ASK = ("--model", "gpt-4.1", "--no-texts")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A model server that answers eight at once and refuses each tenth call."""
    server = Endpoint(most=8, refuse_every=10)
    yield server
    server.close()


@pytest.fixture
def live(run: Commands, endpoint: Endpoint) -> Commands:
    """Commands whose OpenAI and Anthropic are that endpoint."""
    run.env |= {"OPENAI_BASE_URL": endpoint.url, "ANTHROPIC_BASE_URL": endpoint.url.removesuffix("/v1")}
    return run


def service_of(results: Path) -> dict:
    """Where the service of the only host is, and its process."""
    (found,) = results.glob("standard_service/*/service.json")
    return orjson.loads(found.read_bytes())


def test_each_row_is_answered_once_at_the_full_price(live: Commands, endpoint: Endpoint, study) -> None:
    """The plan says both prices, the receipt the list price; the key is nowhere; a batch of the same takes the answers over."""
    asked = ("--experiment", study(trials="30"), *ASK)
    plan = live("openai", "--live", "--dry-run", *asked)
    assert "row by row at the full price" in plan.out and "the same in batches: at most" in plan.out and endpoint.calls == 0
    assert not (live.results / "standard_service").exists()
    done = live("openai", "--live", "--slots", "8", *asked)
    assert done.code == OK and "30 planned = 30 succeeded" in done.out and ", the list price" in done.out, done.said
    assert endpoint.answered.total() == 30 and endpoint.refused and endpoint.peak <= 8
    rows = table(only_run(live.results, "openai"))
    assert {row["simulated"] for row in rows} == {"false"}
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(30 * (100 * 2.0 + 10 * 8.0) / 1e6)
    key = KEYS["OPENAI_API_KEY"].encode()
    assert endpoint.headers[0]["authorization"].encode() == b"Bearer " + key
    assert not [path for path in live.results.rglob("*") if path.is_file() and key in path.read_bytes()]
    plan = live("openai", "--batch", "--dry-run", *asked).out
    assert "30 answered already, 0 to send" in plan
    wrong = live("openai", "--status", only_run_named(live, done.out))
    assert wrong.code == INPUT and "add --live" in wrong.error


def only_run_named(live: Commands, said: str) -> str:
    """The name of the run that a command has told of."""
    return next(line for line in said.splitlines() if line.startswith("openai ")).split()[1]


def test_a_killed_service_and_a_killed_command_ask_no_more_than_was_in_the_air(live: Commands, endpoint: Endpoint, study) -> None:
    """kill -9 of the service, then of the command: all is answered, and what may have been paid twice is counted, at its most."""
    endpoint.pace, endpoint.refuse_every = 0.03, 0
    line = f"python openai_example.py --live --slots 4 --poll 0.05 --experiment {study(trials='60')} {' '.join(ASK)}"
    first = live.start(line)
    wait_for(lambda: endpoint.answered.total() > 10)
    os.kill(service_of(live.results)["pid"], signal.SIGKILL)
    wait_for(lambda: endpoint.answered.total() > 30)  # the command has started the service anew
    first.signalled(signal.SIGKILL)
    done = live.typed(line)
    assert done.code == OK and "60 planned = 60 succeeded" in done.out, done.said
    again = endpoint.answered.total() - 60
    assert 0 <= again <= 8 and endpoint.peak <= 8
    (told,) = [line for line in done.out.splitlines() if "may have been paid twice" in line]
    assert again <= int(told.split()[2]) <= 8
    assert "paid: $0.0168 to $0.0" in done.out


def test_claude_and_own_models(live: Commands, endpoint: Endpoint, study) -> None:
    """Anthropic's shape, with its key; and an own server, which needs none, at no price."""
    folder = study(trials="3")
    done = live("claude", "--live", "--experiment", folder, "--model", "claude-haiku-4-5", "--no-texts")
    assert done.code == OK and "3 succeeded" in done.out and endpoint.headers[0]["x-api-key"], done.said
    own = ("--host", "local", "--base-url", endpoint.url, "--model", "my-llama", "--no-texts")
    done = live("llama", "--experiment", folder, *own)
    assert done.code == OK and "3 succeeded" in done.out and "paid: $0.0000" in done.out, done.said
    refused = live("llama", "--experiment", folder, *own, "--base-url", "https://models.example.com/v1")
    assert refused.code == INPUT and "price of my-llama is unknown" in refused.error


def test_a_wrong_key_is_turned_away_before_any_row(live: Commands, endpoint: Endpoint) -> None:
    """Once, and not by each row."""
    end = live("openai", "--live", *ASK, env={"OPENAI_API_KEY": "sk-wrong"})
    assert end.code == REFUSED and "no such key" in end.error and endpoint.calls == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--live", "--batch"), "say opposite things"),
        (("--live", "--no-wait"), "leave out --no-wait"),
        (("--base-url", "http://127.0.0.1:1/v1"), "--base-url goes with --host local"),
        (("--host", "local"), "expected an address such as http://127.0.0.1:8000/v1"),
    ],
)
def test_what_does_not_go_together(live: Commands, words: tuple[str, ...], said: str) -> None:
    """Said in one line; nothing is asked."""
    end = live("openai", *words, env={"LOCAL_BASE_URL": ""})
    assert end.code == INPUT and said in end.error


def vllm(shard: Path, out: Path, most: int) -> None:
    """What `vllm run-batch -i shard -o out` writes (0.11): answers, then one that was too long, for the first `most` requests."""
    lines = []
    for n, line in enumerate(shard.read_text().splitlines()[:most], 1):
        asked = orjson.loads(line)
        message = {"role": "assistant", "content": ANSWER, "refusal": None, "tool_calls": [], "reasoning": None}
        usage = {"prompt_tokens": 31, "total_tokens": 40, "completion_tokens": 9, "prompt_tokens_details": None}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1790000000, "model": "my-llama", "usage": usage,
                "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "token_ids": None}],
                "prompt_logprobs": None, "kv_transfer_params": None}  # fmt: skip
        too_long = {"error": {"message": "maximum context length is 2048", "type": "BadRequestError", "param": None, "code": 400}}
        response, error = {"status_code": 200, "request_id": f"vllm-batch-{n}", "body": body}, None
        if n == most:
            response, error = {"status_code": 400, "request_id": f"vllm-batch-{n}", "body": None}, too_long
        lines.append(orjson.dumps({"id": f"vllm-{n}", "custom_id": asked["custom_id"], "response": response, "error": error}))
    out.write_bytes(b"\n".join(lines) + b"\n")


def test_answers_of_vllm_run_batch_go_into_the_run(live: Commands, endpoint: Endpoint, study, tmp_path: Path) -> None:
    """A shard is what vLLM reads, its output what we read: what it lacks is asked at the endpoint, and nothing else."""
    own = ("--host", "local", "--base-url", endpoint.url, "--model", "my-llama", "--no-texts", "--experiment", study(trials="9"))
    assert live("llama", *own, "--dry-run").code == OK
    folder, out = only_run(live.results, "llama"), tmp_path / "out.jsonl"
    vllm(folder / "shards/shard-00001.jsonl", out, 6)
    done = live("llama", *own, "--answers", out)
    assert "6 answers taken; 0 are not of this run" in done.out and "5 succeeded" in done.out and endpoint.calls == 0, done.said
    again = live("llama", *own, "--answers", out)
    assert "0 answers taken; 6 are not of this run, or are here already" in again.out
    done = live("llama", *own)
    assert "9 planned = 8 succeeded + 1 invalid_request" in done.out and endpoint.answered.total() == 3, done.said


def test_a_file_is_not_held_against_what_is_asked_again(live: Commands, endpoint: Endpoint, study, tmp_path: Path) -> None:
    """A row that failed for a passing reason is planned again; the same file given twice does not make it fail twice."""
    own = ("--host", "local", "--base-url", endpoint.url, "--model", "my-llama", "--no-texts", "--experiment", study())
    assert live("llama", *own, "--dry-run").code == OK
    folder, out = only_run(live.results, "llama"), tmp_path / "out.jsonl"
    vllm(folder / "shards/shard-00001.jsonl", out, 2)
    out.write_bytes(out.read_bytes().replace(b":400", b":503").replace(b"BadRequestError", b"server_error"))
    assert "2 answers taken" in live("llama", *own, "--answers", out).out
    assert "0 answers taken" in live("llama", *own, "--answers", out).out
    done = live("llama", *own)
    assert "2 planned = 2 succeeded" in done.out and endpoint.answered.total() == 1, done.said

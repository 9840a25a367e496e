"""What a plan expects to cost: unknown until some were asked, then as those were; and prompt tokens as the provider counts them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from common.nouns import Model, Usage
from common.providers.openai_counting import to_count
from common.results.scan import Used
from tests.cli.scripts import INPUT, MODEL, OK, REFUSED, only_run, table
from tests.support import NO_KEY, REAL, Commands
from tests.torture.world import World

UNKNOWN = "expected: unknown until some were asked"
TURNS = (
    '{system = "You are {persona.name}.", message = [{role = "user", content = "Hello"}, {role = "assistant", content = "Hello."}], '
    'user = "Read {text}"}'
)


@pytest.fixture
def run(calm: World, tmp_path: Path) -> Commands:
    """Commands against a service that answers every row at once."""
    calm.reset()
    return Commands(calm, tmp_path / "results")


def planned(run: Commands, script: str, experiment: object, *more: object, **how: object) -> dict:
    """The one cost of a plan of one model."""
    (cost,) = run(script, "--experiment", experiment, "--model", MODEL[script], "--dry-run", "--json", *more, **how).json["costs"]
    return cost


@pytest.mark.parametrize("script", ["openai", "claude"])
def test_as_the_answers_before(run: Commands, study: Callable, script: str) -> None:
    """A sample tells the length of answers, and corrects an estimate of prompt tokens; what is reserved stays as it was."""
    experiment, command = study(trials="60"), (script, "--experiment", study(trials="60"), "--model", MODEL[script])
    before = run(*command, "--dry-run", env=NO_KEY).out
    assert f"{UNKNOWN}; --sample 50 asks so many of them first" in before and "unknown" in before
    first = planned(run, script, experiment)
    assert (first["expected_usd"], first["expected_without_batch_usd"], first["earlier_answers"]) == (None, None, 0)
    assert first["max_without_batch_usd"] == pytest.approx(2 * first["max_usd"])
    assert run(*command, "--sample", 12, "--batch", "--max-cost", 1).code == OK
    rows = [row for folder in run.results.glob(f"{script}/small-*") if (folder / "results.csv").exists() for row in table(folder)]
    assert len(rows) == 12
    then = planned(run, script, experiment, "--run", "whole")
    assert (then["to_send"], then["taken_over"], then["earlier_answers"], then["max_usd"]) == (60, 0, 12, first["max_usd"])
    assert then["output_tokens"] == pytest.approx(sum(int(row["output_tokens"]) for row in rows) / 12, abs=0.1)
    assert then["expected_without_batch_usd"] == pytest.approx(2 * then["expected_usd"]) and then["expected_usd"] < then["max_usd"]
    if script == "claude":
        assert then["prompt_tokens_counted"] == "corrected by use"
        assert then["prompt_tokens"] == pytest.approx(60 * sum(int(row["input_tokens"]) for row in rows) / 12, abs=1)
        assert then["expected_usd"] == pytest.approx(60 * sum(float(row["cost_usd"]) for row in rows) / 12, rel=1e-3)
    else:
        assert (then["prompt_tokens_counted"], then["prompt_tokens"]) == ("exact", first["prompt_tokens"])
    shown = run(*command, "--dry-run").out
    assert "12 earlier answers had " in shown and "48 of 60" in shown and UNKNOWN not in shown
    other = planned(run, script, study(trials="60", name='"other"'), "--fresh")
    assert (other["expected_usd"], other["prompt_tokens_counted"]) == (None, then["prompt_tokens_counted"])
    elsewhere = planned(run, script, study(trials="60"), env={**NO_KEY, **REAL})  # what another address has answered
    assert (elsewhere["expected_usd"], elsewhere["prompt_tokens"]) == (None, first["prompt_tokens"])


def test_several_providers_in_one_table(run: Commands, study: Callable) -> None:
    """A line per model and their sum, at 80 columns; some known, some not; the same in JSON."""
    models = ("gpt-4.1", "claude-haiku-4-5", "deepseekv3")
    assert run("openai", "--experiment", study(), "--model", "gpt-4.1", "--batch").code == OK
    command = ("study", study(trials="70"), "--model", *models)
    shown = run.tool(*command).out
    lines = shown[: shown.index("openai: run ")].splitlines()
    assert [line.split("  ")[0] for line in lines[-4:]] == [*models, "all"] and max(map(len, lines[-6:])) <= 80
    assert "68 of 70" in shown and "expected: unknown for claude-haiku-4-5, deepseekv3 until some were asked; the script" in shown
    plan = run.tool(*command, "--json").json
    assert [one["expected_usd"] is None for one in plan["costs"]] == [False, True, True] and plan["expected_cost_usd"] is None
    assert plan["max_cost_usd"] == pytest.approx(sum(one["max_usd"] for one in plan["costs"]))
    assert plan["costs"] == [cost for one in plan["runs"] for cost in one["costs"]]


@pytest.mark.parametrize("script", ["openai", "claude"])
def test_the_provider_counts(run: Commands, study: Callable, script: str) -> None:
    """Each condition once, again after a "too many requests"; as it counts when it answers. Nothing is sent, and no bound is moved."""
    texts = {f"{n}.txt": f"{'A longer text. ' * n}" for n in range(1, 4)}
    more = {"text": "[" + ", ".join(f'{{id = "t{n}", file = "{n}.txt"}}' for n in range(1, 4)) + "]"}
    experiment = study(texts, **more, prompt=TURNS)
    run.world.service.fault("messages" if script == "claude" else "chat.completions", {"status": 429, "headers": {"retry-after": "0"}}, 1)
    end = run(script, "--experiment", experiment, "--model", MODEL[script], "--dry-run", "--exact-tokens")
    assert f"has counted 3 different prompts for {MODEL[script]}" in end.out and " counted " in end.out, end.said
    assert (run.world.service.fired(), run.attempts()) == (1, [])
    counted, plain = planned(run, script, experiment, "--exact-tokens"), planned(run, script, experiment)
    assert counted["prompt_tokens_counted"] == "counted by the provider" and counted["max_usd"] == plain["max_usd"]
    assert run(script, "--experiment", experiment, "--model", MODEL[script], "--batch").code == OK
    assert counted["prompt_tokens"] == sum(int(row["input_tokens"]) for row in table(only_run(run.results, script)))


def test_of_many_prompts_a_part_is_counted(run: Commands, study: Callable) -> None:
    """At most 200 calls; the others are like them."""
    data = "\n".join(["id,body", *(f"r{n},{'word ' * (n % 40)}{n}" for n in range(450))])
    experiment = study({"d.csv": data}, text=None, data='{file = "d.csv", id = "id"}', prompt='{user = "Read {body}"}', trials="2")
    end = run("claude", "--experiment", experiment, "--model", MODEL["claude"], "--dry-run", "--exact-tokens")
    assert "has counted 150 of 450 prompts" in end.out, end.said


def test_who_does_not_count(run: Commands, study: Callable) -> None:
    """A host without such an endpoint: said, and the estimate stays. Without a key, or with a wrong one: an error."""
    command = ("--experiment", study(), "--dry-run", "--exact-tokens", "--model")
    end = run("deepseek", *command, MODEL["deepseek"])
    assert end.code == OK and "is not known to count tokens" in end.out and "± 15 %" in end.out
    assert run("openai", *command, "gpt-4.1", env=NO_KEY).code == INPUT
    run.world.service.fault("chat.completions", {"status": 401, "body": {"error": {"message": "no such key"}}})
    assert run("openai", *command, "gpt-4.1").code == REFUSED


def test_a_request_in_the_form_that_is_counted() -> None:
    """Pictures, documents, a schema and tools of chat completions, as /v1/responses has them."""
    picture, schema = {"url": "https://x/1.png", "detail": "high"}, {"name": "answer", "strict": True, "schema": {"type": "object"}}
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": picture}, {"type": "file", "file": {"file_data": "d"}}]
    tool = {"name": "look", "parameters": {}}
    body = {
        "model": "m", "messages": [{"role": "user", "content": parts}], "max_tokens": 5, "temperature": 0.1,
        "response_format": {"type": "json_schema", "json_schema": schema}, "tools": [{"type": "function", "function": tool}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
    }  # fmt: skip
    shown = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": "https://x/1.png", "detail": "high"}]
    assert to_count(orjson.dumps({"body": body})) == {
        "model": "m", "input": [{"role": "user", "content": [*shown, {"type": "input_file", "file_data": "d"}]}],
        "text": {"format": {"type": "json_schema", **schema}}, "tools": [{"type": "function", **tool}],
        "tool_choice": {"type": "function", "name": "look"},
    }  # fmt: skip


def test_absurd_counts_fit_into_the_journal() -> None:
    """Whatever a host says that its answers used, its batch can be collected."""
    used = Used()
    for _ in range(3000):
        used.add([Usage(1 << 53, 1 << 53, 1 << 53)])
    assert orjson.loads(orjson.dumps(used.of(Model("a", "id", "openai"))))["answers"] == 3000

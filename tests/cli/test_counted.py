"""Checks on real runs what a plan says of prompt tokens: the service, which counts by itself, never comes above "at most"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.catalog import resolve
from common.catalog.prices import rates
from tests.catalog.kinds import texts
from tests.cli.scripts import MODEL, OK, only_run, table
from tests.support import NO_KEY, Commands

KINDS = {kind.replace(" ", "_"): text for kind, text in texts(7).items() if kind != "long prompt"}
ROWS = "[" + ", ".join(f'{{id = "{kind}", file = "{kind}.txt"}}' for kind in KINDS) + "]"
HOST = {"openai": "openai", "claude": "anthropic"}
SAID = {"openai": "(exact)", "claude": "(estimate ± 15 %)", "deepseek": "(estimate ± 15 %)"}


def asked(study: Callable) -> tuple:
    """Eleven kinds of text, one persona, one trial."""
    return ("--experiment", study({f"{kind}.txt": text for kind, text in KINDS.items()}, text=ROWS), "--trials", 1)


@pytest.mark.parametrize("script", HOST)
def test_no_answer_costs_more_than_at_most(run: Commands, study: Callable, script: str) -> None:
    """Row by row: the tokens that the service counted against those that were planned, and the cost against its ceiling."""
    end = run(script, *asked(study), "--batch", "--model", MODEL[script])
    assert end.code == OK, end.said
    folder = only_run(run.results, script)
    into, _, out = rates(resolve(MODEL[script], HOST[script])[0])
    planned = {}
    for path in folder.glob("shards/*.ids"):
        for line in path.read_text(encoding="utf-8").splitlines():
            request_id, custom_id, _, expected, most, *_ = line.split("\t")
            planned[custom_id or request_id] = int(expected), float(most)
    rows = table(folder)
    assert {row["text"] for row in rows} == {*KINDS} and len(planned) == len(rows)
    for row in rows:
        expected, most = planned[row["custom_id"]]
        assert float(row["cost_usd"]) <= most
        assert int(row["input_tokens"]) * into / 1e6 <= most - int(row["output_tokens"]) * out / 1e6, row["text"]
        if script == "openai":
            assert 0.7 * expected < int(row["input_tokens"]) <= expected + 5, row["text"]


@pytest.mark.parametrize("script", SAID)
def test_a_plan_says_how_good_its_figure_is(run: Commands, study: Callable, script: str) -> None:
    """Beside the figure, again when the plan is looked at once more, and by model in JSON."""
    command = (script, *asked(study), "--dry-run", "--model", MODEL[script])
    for _ in range(2):
        out = run(*command, env=NO_KEY).out
        assert f" prompt tokens {SAID[script]}" in out and "answers as long as their cap, nothing from a cache" in out
        assert ("as many prompt tokens as bytes can make" in out) == (script != "openai")
    plan = run(*command, "--json", env=NO_KEY).json
    assert plan["prompt_tokens_counted"] == {MODEL[script]: SAID[script][1:-1]}


def test_models_that_count_differently_are_named(run: Commands, study: Callable) -> None:
    """Two models of two kinds: each with its own."""
    out = run("openai", *asked(study), "--dry-run", "--model", "gpt-4.1", "gpt-6-luna", env=NO_KEY).out
    assert "prompt tokens (gpt-4.1: exact, gpt-6-luna: estimate ± 15 %)" in out

"""A model goes to its own provider: one that is another script's is refused with the command that asks it."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from tests.cli.scripts import FILE, INPUT, OK
from tests.support import Commands


@pytest.mark.parametrize(
    ("script", "model", "owner"),
    [
        ("openai", "claude-haiku-4-5", "claude"),
        ("openai", "deepseekv3", "deepseek"),
        ("claude", "gpt-4.1", "openai"),
        ("claude", "gpt-4.1-2025-04-14", "openai"),
        ("llama", "gpt-4.1", "openai"),
        ("openai", "llama4-scout", "llama"),
        ("openai", "meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama"),
    ],
)
def test_another_scripts_model(run: Commands, study: Callable, script: str, model: str, owner: str) -> None:
    """Exit 2, nothing sent; the command that is named runs."""
    end = run(script, "--model", model, "--batch", "--experiment", study(), "--max-cost", 3)
    assert (end.code, run.attempts()) == (INPUT, [])
    line = end.error.partition(". Type: ")[2]
    words = shlex.split(line)
    assert (words[:2], words[-2:]) == (["python", FILE[owner]], ["--model", model]), line
    assert "--max-cost 3" in line
    done = run.typed(line)
    assert (done.code, len(run.creates()) > 0) == (OK, True), done.said


def test_only_the_wrong_ones_are_named(run: Commands, study: Callable) -> None:
    """Of several models those that are the other script's."""
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "claude-haiku-4-5", "deepseekv3", "claude-sonnet-4-6")
    assert (end.code, run.attempts()) == (INPUT, [])
    assert end.error.endswith("--model claude-haiku-4-5 claude-sonnet-4-6")


@pytest.mark.parametrize(("script", "model"), [("openai", "gpt-9-2027"), ("deepseek", "llama4-scout"), ("claude", "claude-9-1")])
def test_what_passes(run: Commands, study: Callable, script: str, model: str) -> None:
    """A raw id that the catalog does not know, and a model of the same host, are sent as ever."""
    end = run(script, "--batch", "--experiment", study(), "--model", model, "--allow-unknown-price")
    assert (end.code, len(run.creates()) > 0) == (OK, True), end.said

"""What only a plan can find wrong, one by one: one line, exit code 2, nothing sent and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.refusals import nothing_was_sent, refused
from tests.experiment.test_attachments import png
from tests.support import Commands

TWO = '[{id = "t1", file = "t1.txt"}, {id = "t2", file = "t1.txt"}]'
DATA = {"text": None, "data": '{file = "d.csv"}'}
IMAGE = {"prompt": '{user = "Look at {text}", files = ["{image}"]}'}
CASES: list[tuple[dict, str, list[str]]] = [
    ({"prompt": '{user = "Say something"}', "text": TWO}, "", ["names no column of the texts", "{text}"]),
    ({"prompt": '{user = "Say something"}', **DATA}, "", ["names no column of d.csv", "{a}, {b}"]),
    ({"only": "\"model == 'x'\""}, "", ["only and skip leave nothing to ask"]),
    ({"skip": "\"id == 't1'\""}, "", ["only and skip leave nothing to ask"]),
    ({"skip": '"persona.name > 3"'}, "", ["skip: persona.name is 'a reader', not a number"]),
    ({"factor": '[{name = "m", sets = "messages", levels = ["a", "b"]}]'}, "", ["request.messages", "[[prompt.message]]"]),
    ({"factor": '[{name = "m", sets = "max_tokens", levels = [1, 2]}]'}, "", ["request.max_tokens", "beside trials"]),
    ({"factor": '[{name = "m", sets = "top_p", levels = [0.1, 5]}]'}, "", ["request.top_p: top_p is 5", "from 0 to 1"]),
    ({"factor": '[{name = "m", sets = "reasoning_effort", levels = ["low", "hgih"]}]'}, "--model o3", ["reasoning_effort", "hgih"]),
    ({"request": "{top_p = 0.5}"}, "--model o3", ["request.top_p: o3 takes no top_p"]),
    ({"request": '{reasoning_effort = "low"}'}, "", ["request.reasoning_effort: gpt-4.1 takes no reasoning_effort"]),
    ({"request": "{n = 2}"}, "", ["request.n", "write trials"]),
    ({"request": "{stream = true}"}, "", ["request.stream"]),
    ({**IMAGE, "text": "gone.png"}, "", ["2 requests cannot be sent", "'gone.png': no such file"]),
    ({**IMAGE, "text": "page.png"}, "", ["'page.png': is no PNG", "<html>"]),
    ({**IMAGE, "text": "../up.png"}, "", ["'../up.png': leads out of"]),
    ({**IMAGE, "text": "empty.png"}, "", ["'empty.png': is empty"]),
    ({**IMAGE, "text": "large.png"}, "", ["large.png has 21.0 MB; at most 20 MB"]),
    ({**IMAGE, "text": "https://x.org/a.pdf"}, "", ["a.pdf: gpt-4.1 takes no PDF by its address"]),
    ({**IMAGE, "text": "good.png"}, "--model o3-mini", ["good.png: o3-mini reads text only"]),
    ({"prompt": '{system = "Hi", user = "{blank}", files = ["{link}"]}', **DATA}, "", ["a.pdf: gpt-4.1 takes no PDF"]),
    ({"prompt": '{user = "{a}", message = [{role = "user", content = "{blank}"}]}', **DATA}, "", ["a message before the prompt is empty"]),
    ({}, "--sample 3 --limit 2", ["--sample and --limit"]),
    ({}, "--seed 7", ["--seed goes with --sample N"]),
]


@pytest.mark.parametrize(("keys", "options", "said"), CASES, ids=[said[0] for *_, said in CASES])
def test_a_plan_that_is_refused(run: Commands, study: Callable, keys: dict[str, str], options: str, said: list[str]) -> None:
    """The one line; and neither the service nor the results folder knows anything of it afterwards."""
    files = {"d.csv": "a,b,blank,link\n1,2, ,https://x.org/a.pdf\n3,4, ,https://x.org/a.pdf\n"} if "data" in keys else {}
    if (name := keys.get("text") or "").endswith(("png", "pdf")):
        keys = {**keys, "text": f'[{{id = "t1", file = "t1.txt", image = "{name}"}}]'}
        files = {"page.png": "<html>404</html>", "empty.png": "", "good.png": png()}
        files |= {name: png() + bytes(21_000_000)} if name == "large.png" else {}
    options = options if "--model" in options else f"--model gpt-4.1 {options}"
    end = run("openai", "--batch", "--experiment", study(files, **keys), *options.split())
    refused(end, *said)
    nothing_was_sent(run)
    assert not list(run.results.glob("openai/*"))
    assert "small" not in run("openai", "--list", quick=False).out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ('{thinking = {type = "enabled", budget_tokens = 1024}}', "while claude-haiku-4-5 thinks it takes no other than 1"),
        ("{top_p = 0.5}", "claude-haiku-4-5 takes a temperature or top_p, not both"),
    ],
)
def test_a_temperature_that_claude_does_not_take_beside_it(run: Commands, study: Callable, asked: str, said: str) -> None:
    """Such a request would be turned down row by row; alone, the same parameter is taken."""
    more = {"request": asked, "max_tokens": "2000"}
    typed = ("claude", "--batch", "--model", "claude-haiku-4-5", "--experiment")
    refused(run(*typed, study(**more)), "2 requests cannot be sent", said)
    nothing_was_sent(run)
    cool = run(*typed, study(**more, persona='[{id = "1", name = "a reader"}]'))
    assert (cool.code, run.requests()) == (0, 2), cool.said


def test_a_refused_plan_leaves_what_was_there(run: Commands, study: Callable) -> None:
    """A run's folder whose journal is lost may hold what was paid for: a refused plan takes nothing out of it."""
    good = study()
    assert run("openai", "--model", "gpt-4.1", "--experiment", good, "--run", "mine").code == 0
    for file in run.results.glob("journal.db*"):
        file.unlink()
    shard = run.results / "openai/mine/shards/shard-00001.jsonl"
    before = shard.read_bytes()
    bad = study(only="\"model == 'x'\"")
    refused(run("openai", "--batch", "--model", "gpt-4.1", "--experiment", bad, "--run", "mine"), "only and skip leave nothing")
    assert shard.read_bytes() == before


def test_a_rehearsed_source_is_not_paid_for(run: Commands, study: Callable, tmp_path: Path) -> None:
    """Answers of a rehearsal are asked about at the local service only, unless it is said otherwise; unfinished ones not at all."""
    assert run("openai", "--batch", "--model", "gpt-4.1", "--experiment", study(), "--run", "first").code == 0
    judge = study(name='"judge"', text=None, data='{run = "first"}', prompt='{user = "Judge {answer}"}', persona=None)
    typed = ("openai", "--batch", "--model", "gpt-4.1", "--experiment", judge)
    refused(run(*typed), "the answers of openai/first are simulated", "--allow-simulated")
    assert len(run.creates()) >= 1 and not list(run.results.glob("openai/judge-*"))
    before = run.requests()
    end = run(*typed, "--allow-simulated")
    assert (end.code, run.requests() > before) == (0, True), end.said
    assert "simulated" in end.out

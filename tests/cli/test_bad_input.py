"""Bad experiments, names and options, one by one: one clear line, the right exit code, nothing sent, never a traceback or a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.refusals import nothing_was_sent, refused
from tests.support import Commands

DATA = {"text": None, "prompt": '{user = "{a}"}', "data": '{file = "d.csv"}'}

MORE = '[{id = "t1", file = "t1.txt"}, {id = "t1", file = "t1.txt"}]'
TWO = '[{id = "1", name = "a"}, {id = "1", name = "b"}]'
TOML = [
    ({"trials": "= ="}, ["not valid TOML", "line 2"]),
    ({"name": None}, ["name: missing", "short name"]),
    ({"name": '"Größe"'}, ["name: is 'Größe'", "a-z, 0-9"]),
    ({"name": '"../up"'}, ["name: is '../up'"]),
    ({"trials": '"ten"'}, ["trials: is 'ten'", "whole number above 0"]),
    ({"trials": "0"}, ["trials: is 0", "whole number above 0"]),
    ({"trials": "true"}, ["trials: is True"]),
    ({"max_tokens": "12.5"}, ["max_tokens: is 12.5"]),
    ({"max_tokens": None}, ["max_tokens: missing"]),
    ({"cut_off_factor": "1"}, ["cut_off_factor: is 1", "above 1"]),
    ({"tirals": "3"}, ["tirals: unknown key", "docs/experiments.md"]),
    ({"prompt": None}, ["prompt: missing", "system and user"]),
    ({"prompt": '{system = "x"}'}, ["prompt.user: missing"]),
    ({"prompt": '{user = "  "}'}, ["prompt.user: is empty"]),
    ({"prompt": '{user = "{txet}"}'}, ["prompt.user: unknown name {txet}", "{text}", "{persona.name}"]),
    ({"prompt": '{user = "x", sytem = "y"}'}, ["prompt.sytem: unknown key"]),
    ({"prompt": '"text"'}, ["prompt: is 'text'", "a table"]),
    ({"persona": None}, ["persona: missing", "[[persona]]"]),
    ({"persona": "[]"}, ["persona: is empty"]),
    ({"persona": "[1]"}, ["persona[1]: expected a table"]),
    ({"persona": '[{id = "1"}]'}, ["persona[1].name: missing"]),
    ({"persona": '[{id = 1, name = "a"}]'}, ["persona[1].id: is 1"]),
    ({"persona": '[{id = "1", name = "a", temperature = 2.5}]'}, ["persona[1].temperature: is 2.5", "0 to 2"]),
    ({"persona": '[{id = "1", name = "a", temperature = nan}]'}, ["persona[1].temperature: is nan"]),
    ({"persona": TWO}, ["persona: id '1' is used twice"]),
    ({"text": None}, ["text: missing"]),
    ({"text": '[{id = "t1", file = "gone.txt"}]'}, ["text[1].file: 'gone.txt' does not exist"]),
    ({"text": '[{id = "t1"}]'}, ["text[1].file: missing"]),
    ({"text": MORE}, ["text: id 't1' is used twice"]),
    ({"text": '[{id = "a\\nb", file = "t1.txt"}]'}, ["text[1].id", "visible characters"]),
    ({"text": '[{id = "t1", file = "t1.txt", modifier = "hot"}]'}, ["text[1].modifier: is 'hot'"]),
    ({"data": '{file = "d.csv"}'}, ["data: stands beside [[text]]"]),
    ({"question": '[{id = "Q1"}]'}, ["question[1].name: missing"]),
    ({"question": '[{id = "Q1", name = "Joy", min = 5, max = 5}]'}, ["question[1].max: is 5"]),
    ({"question": '[{id = "Q1", name = "Joy", mx = 5}]'}, ["question[1].mx: unknown key"]),
]


@pytest.mark.parametrize(("keys", "said"), TOML, ids=[said[0] for _, said in TOML])
def test_experiment_toml(run: Commands, study: Callable, keys: dict, said: list[str]) -> None:
    """What is wrong in experiment.toml is said with file, key and what was expected."""
    refused(run("openai", "--batch", "--experiment", study(**keys)), "experiment.toml", *said)
    nothing_was_sent(run)


FILES = [
    ({"t1.txt": b"\xff\xfe\x00"}, {}, ["t1.txt", "UTF-8"]),
    ({"t1.txt": b" \n"}, {}, ["t1.txt", "is empty"]),
    ({"d.csv": ""}, DATA, ["d.csv"]),
    ({"d.csv": "a,b\n"}, DATA, ["no request is left"]),
    ({"d.csv": "a,b\n1,2\n3\n"}, DATA, ["d.csv, line 3: 1 cells; expected 2"]),
    ({"d.csv": 'a,b\n"x\ny",2\n1,2,3\n'}, DATA, ["d.csv, line 4: 3 cells; expected 2"]),
    ({"d.csv": "a,a\n1,2\n"}, DATA, ["d.csv, line 1", "different"]),
    ({"d.csv": b"a,b\n1,\xff\n"}, DATA, ["d.csv"]),
    ({"d.csv": "a,b\nx,1\nx,2\n"}, {**DATA, "data": '{file = "d.csv", id = "a"}'}, ["d.csv, row 3: text id 'x' is also that of row 2"]),
    ({"d.csv": "a,b\n,1\n"}, {**DATA, "data": '{file = "d.csv", id = "a"}'}, ["d.csv, row 2: the text id is ''"]),
    ({"d.csv": "a,b\nx,1\n"}, {**DATA, "data": '{file = "d.csv", id = "c"}'}, ["data.id: no column 'c'", "a, b"]),
    ({}, DATA, ["data.file: 'd.csv' does not exist"]),
    ({"d.jsonl": ""}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl", "is empty"]),
    ({"d.jsonl": '{"a":1}\n{"a":\n'}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl, line 2: not valid JSON"]),
    ({"d.jsonl": '{"a":1}\n[1]\n'}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl, line 2: expected a JSON object"]),
    ({"d.jsonl": '{"a":1}\n{"b":1}\n'}, {**DATA, "data": '{file = "d.jsonl"}'}, ["d.jsonl, line 2: no key 'a'"]),
]


@pytest.mark.parametrize(("files", "keys", "said"), FILES, ids=[said[0] for *_, said in FILES])
def test_text_and_data_files(run: Commands, study: Callable, files: dict, keys: dict, said: list[str]) -> None:
    """What is wrong in a text or a data set is said with file and line."""
    refused(run("openai", "--batch", "--model", "gpt-4.1", "--experiment", study(files, **keys)), *said)
    nothing_was_sent(run)


def test_no_experiment(run: Commands, tmp_path: Path) -> None:
    """A path without an experiment, and a file that is no text."""
    refused(run("openai", "--batch", "--experiment", tmp_path / "none"), "none", "no such experiment")
    (tmp_path / "experiment.toml").write_bytes(b"\xff\x00")
    refused(run("openai", "--batch", "--experiment", tmp_path), "experiment.toml: not UTF-8 text")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--persona", "9"], ["no persona '9'", "1, 2, 3, 4"]),
        (["--text", "t9"], ["no text t9", "t1, t2, t3"]),
        (["--model", "gpt41"], ["unknown model 'gpt41'", "nearest: gpt-4.1"]),
        (["--model", "gpt-4.1-mni"], ["unknown model", "gpt-4.1-mini"]),
        (["--status", "batch_nope"], ["knows no batch 'batch_nope'", "--list"]),
        (["--status", "../../x"], ["knows no batch"]),
        (["--cancel", "batch_nope"], ["batch_nope"]),
        (["--retry-failed", "nope"], ["no run 'nope'"]),
        (["--status", "a", "--cancel", "b"], ["give one of them"]),
        (["--seed", "3"], ["--seed goes with --sample N"]),
        (["--sample", "3", "--limit", "3"], ["--sample and --limit", "name one of them"]),
    ],
)
def test_names_that_do_not_exist(run: Commands, options: list[str], said: list[str]) -> None:
    """A name that is unknown or cannot be one is said, with those that exist."""
    refused(run("openai", "--batch", *options), *said)
    nothing_was_sent(run)


@pytest.mark.parametrize(
    "options",
    ["--trials 0", "--limit -3", "--limit x", "--max-cost -1", "--max-cost nan", "--poll 0", "--poll inf", "--no", "--model", "--tri 3"],
)
def test_options(run: Commands, options: str) -> None:
    """An option that cannot be is refused with exit code 2, and none is guessed from its beginning."""
    end = run("openai", "--batch", *options.split(), quick=False)
    assert (end.code, "error: " in end.err.splitlines()[-1]) == (2, True)
    nothing_was_sent(run)


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "", "a b", "batch_results", "-x", "x" * 81, "a\x1b[31m", "/tmp/x"])
def test_names_of_runs(run: Commands, study: Callable, name: str) -> None:
    """A run's name is one folder beside the others: no path, and not the folder of the raw files."""
    end = run("openai", "--batch", "--experiment", study(), f"--run={name}", quick=False)
    assert (end.code, "argument --run" in end.err.splitlines()[-1], "\x1b" in end.err) == (2, True, False)
    nothing_was_sent(run)
    assert not run.results.exists()

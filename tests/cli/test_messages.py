"""The messages that docs/experiments.md promises for the usual mistakes are those that a person gets."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.basics import ROOT
from tests.cli.scripts import INPUT, OK
from tests.support import Commands

DATA = "id,review,lang\nr1,Good.,en\nr2,Bad.,en\n"
STUDY = {
    "name": '"tea"',
    "max_tokens": "64",
    "prompt": '{user = "Read {review}\\n{questions}"}',
    "data": '{file = "reviews.csv", id = "id"}',
    "question": '[{id = "Q1", name = "Joy", type = "yes_no"}]',
}
PICTURE = {"prompt": '{user = "Read {review}", files = ["{image}"]}', "reviews.csv": "id,review,image\nr1,a,a.png\n"}
MISTAKES: list[dict] = [
    {"temperature": "0.7"},
    {"prompt": '{user = "Read {reviw}"}'},
    {"prompt": '{user = "Read {{review}}"}'},
    {"prompt": '{user = "Read"}'},
    {"persona": '[{id = "1", name = "a", top_p = 0.9}]'},
    {"factor": '[{name = "wording", levels = ["a", "b"]}]'},
    {"factor": '[{name = "lang", levels = ["a", "b"]}]'},
    {"only": "\"model == 'gpt-9'\""},
    {"request": "{top_p = 2}"},
    {"request": "{top_p = 0.5}", "--model": "o3"},
    {"request": "{n = 2}"},
    {"question": '[{id = "Q1", name = "Joy", type = "likert"}]'},
    {"question": '[{id = "Q1", name = "Joy", type = "choice"}]'},
    {"data": '{file = "reviews.csv", id = "nr"}'},
    {"question": '[{id = "Q1", name = "Joy", type = "yes_no", gold = "mood"}]'},
    {"columns": '["age"]'},
    {"reviews.csv": "id;review\nr1;あ\n".encode("cp932")},
    {"reviews.csv": 'id,review\nr1,a\nr2,"b\n'},
    {"reviews.csv": "id,review\nr1,a\nr2,\n"},
    {"reviews.csv": "id,review\nr1,a\nr1,b\n"},
    PICTURE,
]


def promised() -> list[str]:
    """The messages of the tables, in order."""
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8").partition("## What a wrong input says")[2]
    return re.findall(r"^\| [^|]+ \| `(.+)` \|$", text, re.MULTILINE)


def said(run: Commands, folder: Path, **changes: object) -> tuple[int, str]:
    """What a dry run says of the study with a mistake in it, seen from the folder above it."""
    (folder / "tea").mkdir()
    data, model = changes.pop("reviews.csv", DATA), changes.pop("--model", "gpt-4.1")
    (folder / "tea/reviews.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    (folder / "tea/experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in {**STUDY, **changes}.items()))
    end = run("openai", "--dry-run", "--model", model, "--experiment", folder / "tea")
    return end.code, end.err.replace(f"{folder}{os.sep}", "")


def test_the_study_without_a_mistake(run: Commands, tmp_path: Path) -> None:
    assert said(run, tmp_path)[0] == OK


@pytest.mark.parametrize("n", range(len(MISTAKES)))
def test_a_mistake_is_told_as_promised(run: Commands, tmp_path: Path, n: int) -> None:
    messages = promised()
    assert len(messages) == len(MISTAKES)
    code, err = said(run, tmp_path, **MISTAKES[n])
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (code, line.removeprefix("error: ").removeprefix("tea/experiment.toml: ")) == (INPUT, messages[n])

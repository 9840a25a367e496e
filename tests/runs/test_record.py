"""A run's folder holds what it was made of, as it was when it was planned, and nothing of the machine or the account."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from common.catalog import hosts
from common.experiment.read import load
from common.nouns import Run
from common.runs import record
from common.version import version
from tests.cli.scripts import only_run
from tests.service import SECRET
from tests.support import Commands

DATA = {"text": None, "data": '{file = "../rows.csv", id = "id"}', "prompt": '{user = "Read {body}"}'}
SCHEMA = '[{id = "Q1", name = "Joy", type = "json", schema = "schemas/joy.json"}]'


def made(results: Path) -> tuple[Path, dict]:
    """The only run's record: its folder, and what record.json says."""
    folder = only_run(results, "openai") / "record"
    return folder, json.loads((folder / "record.json").read_text(encoding="utf-8"))


def test_what_a_record_holds(run: Commands, study: Callable) -> None:
    """Files byte for byte, models with prices and caps, what was asked, versions; once answered, the ids that answered."""
    files = {"文/一.txt": "猫である。\r\n", "schemas/joy.json": '{"type": "object"}'}
    (study() / "文").mkdir()
    (study() / "schemas").mkdir()
    folder = study(files, text='[{id = "t1", file = "文/一.txt"}]', question=SCHEMA)
    toml = (folder / "experiment.toml").read_bytes()
    command = ("openai", "--batch", "--experiment", folder, "--model", "gpt-4.1")
    assert run(*command, "--dry-run").code == 0
    (folder / "experiment.toml").write_bytes(toml + b"# a comment of later\n")
    kept, told = made(run.results)
    assert told["models"][0]["ids_reported"] == []
    assert run(*command).code == 0
    kept, told = made(run.results)
    assert [file["name"] for file in told["files"]] == ["experiment.toml", "文/一.txt", "schemas/joy.json"]
    for file in told["files"]:
        content = (kept / file["kept"]).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    assert (kept / "experiment/experiment.toml").read_bytes() == toml
    (model,) = told["models"]
    assert (model["alias"], model["input"], model["output"], model["max_tokens"]) == ("gpt-4.1", 2.0, 8.0, 64)
    assert model["ids_reported"] and all(name.startswith("gpt-4.1") for name in model["ids_reported"])
    assert (told["asked"]["trials"], told["asked"]["personas"][0]["temperature"]) == (2, 0.7)
    assert (told["versions"]["project"], {"python", "openai", "anthropic"} - told["versions"].keys()) == (version(), set())


@pytest.mark.parametrize("most", [10**6, 10])
def test_a_data_set(run: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A data set that lies elsewhere is copied under its own name; of one that is too large, the digest of its rows stays."""
    (study().parent / "rows.csv").write_text("id,body\nr1,A\nr2,B\n")
    monkeypatch.setattr(record, "MOST_COPIED", most)
    experiment, host = load(study(**DATA)), hosts()["openai"]
    here = Run("openai/r", "r", "d", "openai", "openai", "local", "small", "", run.results / "openai/r", 1.0, ("gpt-4.1",))
    record.write_record(here, experiment, [], host)
    kept, told = made(run.results)
    data = told["files"][1]
    assert data["name"] == "elsewhere/rows.csv"
    assert bool(data["kept"]) == (kept / "experiment/elsewhere/rows.csv").exists() == (most > 100)
    assert data["kept"] or "larger than" in data["why"]
    assert len(told["texts"]["digest"].split()[0]) == 64


def test_nothing_of_the_machine(run: Commands, study: Callable) -> None:
    """Neither a key nor any folder of this machine stands in a record."""
    assert run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1").code == 0
    said = b"".join(path.read_bytes() for path in made(run.results)[0].rglob("*") if path.is_file())
    assert len(said) > 1000
    assert [word for word in (SECRET, str(run.results.parent), str(Path.home())) if word.encode() in said] == []

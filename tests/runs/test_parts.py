"""A table made in parts is the table made in one go, whatever happened to its families; only what has changed is made anew."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import openai_example
from common import cli
from common.nouns import Question
from common.results.parts import INDEX
from common.results.scoring import set_scoring
from tests.cli.scripts import OK, only_run, table
from tests.runs.grown import EVENTS, JOY, Grown
from tests.support import QUICK, Commands, later

STEPS = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(1, 4), st.booleans()), min_size=1, max_size=10)


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    """Five families, all collected, their table made with its text files."""
    made = Grown(tmp_path, 5, 30, seed=1)
    for root in range(1, 6):
        made.event("collect", root)
    made.derive(texts=True)
    return made


def same(grown: Grown, texts: bool = False) -> None:
    """Table and sum are those made in one go."""
    tally = grown.derive(texts)
    table, sums = grown.whole(texts)
    assert grown.table == table
    assert [*tally.as_dict().items()] == [*sums.items()]


@settings(max_examples=20, deadline=None)
@example([("submit", 1, False), ("refuse", 1, False)], False, False, 0)
@given(STEPS, st.booleans(), st.booleans(), st.integers(0, 999))
def test_any_history(steps: list, marked: bool, alike: bool, seed: int) -> None:
    """Batches go, come, fail, are owed and taken over in any order, with and without text files: byte for byte the same."""
    with tempfile.TemporaryDirectory() as folder:
        grown, wrote = Grown(Path(folder), 4, 5, marked, alike, seed), False
        for kind, root, texts in steps:
            grown.event(kind, root)
            same(grown, texts)
            if texts:
                wrote = True
                assert grown.files("texts") == grown.files("whole")
            elif not wrote:
                assert {*grown.decoded} <= {root}


def test_only_what_changed(grown: Grown) -> None:
    """A family that is retried is read and written again; of the others neither a line nor a text file."""
    before = {path.name: path.stat().st_mtime_ns for path in (grown.run.folder / "texts").iterdir()}
    again = next(shard.root for shard in grown.shards.values() if shard.attempt == 2)
    grown.event("collect", again)
    same(grown, texts=True)
    assert {*grown.decoded} == {again}
    now = {path.name: path.stat().st_mtime_ns for path in (grown.run.folder / "texts").iterdir()}
    assert {grown.family[name.removesuffix(".txt")] for name in now if now[name] != before.get(name)} == {again}
    same(grown, texts=True)
    assert not grown.decoded


def test_texts_afterwards(grown: Grown) -> None:
    """Text files that were not made, or are gone, are made when they are wanted, and once."""
    before = grown.files("texts")
    for looks in (1, 0):
        shutil.rmtree(grown.run.folder / "texts")
        for _ in range(looks):
            grown.derive()
            assert not grown.decoded and not (grown.run.folder / "texts").exists()
        same(grown, texts=True)
        assert {*grown.decoded} == {1, 2, 3, 4, 5} and grown.files("texts") == before
        grown.derive(texts=True)
        assert not grown.decoded


def test_a_rescore(grown: Grown) -> None:
    """Other questions are other parts, and back again too."""
    for questions in ([Question("Q1", "Joy", 0.0, 5.0)], [JOY, Question("Q2", "Anger")], [JOY]):
        before = grown.table
        set_scoring(grown.run.folder, questions, "elsewhere")
        same(grown)
        assert {*grown.decoded} == {1, 2, 3, 4, 5} and grown.table != before


def test_edited_raw_files(grown: Grown) -> None:
    """A raw file, or an ids file, that is another one now is read."""
    path = grown.run.folder.parent / "batch_results/b3_output.jsonl"
    path.write_bytes(path.read_bytes().replace(b"a, b", b"a; b"))
    same(grown)
    assert {*grown.decoded} == {3}
    ids = grown.shards[4].path.with_suffix(".ids")
    ids.write_bytes(ids.read_bytes().replace(b"\t0.7\t", b"\t0.1\t"))
    same(grown)
    assert {*grown.decoded} == {4}


@pytest.mark.parametrize("name", ["results.csv", INDEX])
@pytest.mark.parametrize("harm", ["flip", "cut", "longer", "empty", "count", "gone", "foreign"])
def test_garbled(grown: Grown, name: str, harm: str, tmp_path: Path) -> None:
    """Whatever lies there, the table comes out right."""
    path = grown.run.folder / name
    for where in range(3):
        raw = path.read_bytes()
        at = len(raw) * (2 * where + 1) // 6
        other = Grown(tmp_path / f"other{where}", 5, 30, seed=2)
        other.derive()
        harmed = {
            "flip": raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], "cut": raw[:at], "longer": raw[:at] + b"x" + raw[at:], "empty": b"",
            "count": raw.replace(b'"taken":0', b'"taken":9'), "foreign": (other.run.folder / name).read_bytes(),
        }  # fmt: skip
        path.write_bytes(harmed[harm]) if harm in harmed else path.unlink()
        same(grown)


@pytest.mark.parametrize("line", [1, 20, 40])
def test_killed(grown: Grown, line: int) -> None:
    """Killed while two families are made: the old table is whole, and the next command makes the new one."""
    for root in (2, 4):
        (grown.run.folder.parent / f"batch_results/b{root}_output.jsonl").touch()
    before, left = grown.table, [line]

    def decoding(found: dict):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return grown.decode(found)

    if not (child := os.fork()):
        grown.derive(texts=True, decoding=decoding)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert grown.table == before
    same(grown, texts=True)
    assert grown.files("texts") == grown.files("whole")


def test_killed_between_table_and_index(grown: Grown) -> None:
    """A table with the index of the one before it: what has moved is not believed."""
    index = (grown.run.folder / INDEX).read_bytes()
    grown.event("note", 2)
    again = next(shard.root for shard in grown.shards.values() if shard.attempt == 2)
    grown.event("collect", again)
    same(grown)
    (grown.run.folder / INDEX).write_bytes(index)
    same(grown)


def test_texts_are_made_where_they_are_few(still: Commands, study: Callable, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Beyond the number without being asked: none, and one line says so; --texts makes those of a finished run, which keeps them."""
    monkeypatch.setattr("common.cli.session.MOST_TEXTS", 3)
    for name, value in still.env.items():
        monkeypatch.setenv(name, value)
    command = ["--batch", "--experiment", str(study(trials="2")), "--model", "gpt-4.1", "gpt-4.1-mini", *QUICK]
    assert cli.main(openai_example.SCRIPT, [*command, "--no-wait"]) == OK
    later(still)
    assert cli.main(openai_example.SCRIPT, command) == OK
    folder = only_run(still.results, "openai")
    assert "no text files, since more than 3 requests are planned; --texts makes them" in capsys.readouterr().out
    assert not (folder / "texts").exists() and (folder / INDEX).exists() and len(table(folder)) == 4
    before = (folder / "results.csv").read_bytes()
    for more in (["--texts"], []):
        assert cli.main(openai_example.SCRIPT, [*command, *more]) == OK
        said = capsys.readouterr().out
        assert f"texts: {folder / 'texts'}" in said and "no text files" not in said
        assert len([*(folder / "texts").iterdir()]) == 4 and (folder / "results.csv").read_bytes() == before
    assert len(still.creates()) == 2
    assert cli.make("share", [folder.name]) == OK
    (archive,) = (still.results / "shared").glob("*.zip")
    names = zipfile.ZipFile(archive).namelist()
    assert "run/results.csv" in names and f"run/{INDEX}" not in names

"""A batch id met again: the raw files of the run that had it first stay what they are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from common.nouns import State
from common.results.raw import raw_paths
from common.runs.rawnames import owner_of, paths_to_write
from tests.runs.test_journal import make


def test_an_id_of_another_run(tmp_path: Path) -> None:
    """Files that the journal notes for another run are written beside; one's own are written again, and found again."""
    journal, first, (shard,) = make(tmp_path, [0.1])
    with closing(journal):
        elsewhere = replace(first, key="openai/s", name="s", address="https://elsewhere", folder=tmp_path / "openai/s")
        second = journal.save_run(elsewhere, "created")
        output, errors = raw_paths(first, "batch_1")
        output.parent.mkdir(parents=True)
        journal.record(shard, "collected", state=State.COLLECTED, batch_id="batch_1", files={output.name: "sha"})
        assert paths_to_write(journal, second, "batch_1") == (output, errors)  # nothing is there yet
        output.write_text("the first's\n")
        assert paths_to_write(journal, first, "batch_1") == (output, errors)
        beside = paths_to_write(journal, second, "batch_1")
        assert not {output, errors} & set(beside) and beside[0].parent == output.parent
        beside[0].write_text("the second's\n")
        assert raw_paths(second, "batch_1") == beside and raw_paths(first, "batch_1") == (output, errors)
        other = replace(shard, run=second.key, tag="other", files={}, path=second.folder / "shards" / shard.path.name)
        journal.record(other, "collected", state=State.COLLECTED, batch_id="batch_1", files={beside[0].name: "sha"})
        for path, run in ((output, first), (beside[0], second), (errors, first)):
            owner, found = owner_of(journal, path)
            assert (found.batch_id, owner.key in (run.key, first.key)) == ("batch_1", True)
            assert path is errors or owner.key == run.key
        assert owner_of(journal, output.with_name("batch_1.00000000_output.jsonl")) is None
        assert owner_of(journal, output.with_name("batch_2_output.jsonl")) is None

"""An input file that the host has not processed yet: the same file is tried again, then a new one, and nothing is bought twice."""

from __future__ import annotations

import pytest

from common.outcomes import is_unready
from common.providers.openai import to_batch
from tests.support import Commands

MESSAGE = "The input file is not in a processed state: pending"
NOT_YET = [
    MESSAGE, "invalidPayload: File file-1 is not ready yet", "The file is still being processed", "File has not been processed",
    "input file status is 'uploaded', file not yet processed", "File status: pending", "file_not_ready: try again later",
    "fileNotProcessed: x", "File file-1 is still uploading", "The file is currently processing", "input_file is being validated",
]  # fmt: skip
NEVER = [
    "No such File object: file-1", "The file could not be processed", "The file was not processed because line 3 is no JSON",
    "Invalid file format", "The batch is not ready", "file is empty", "File cannot be processed: still pending review", "",
    "the file has expired: not processed", "line 4: the state file is pending",
]  # fmt: skip
LATE = {"call": "batches.create", "action": {"status": 400, "body": {"error": {"code": "invalidPayload", "message": MESSAGE}}}}
FATE = {"call": "batches.create", "action": {"fate": {"fail": {"code": "invalid_file_state", "message": MESSAGE}}}}


@pytest.mark.parametrize("said", NOT_YET)
def test_not_yet(said: str) -> None:
    """In the words of several hosts, of a refused creation and of a batch that failed."""
    assert is_unready(said)
    batch = to_batch({"id": "b", "status": "failed", "errors": {"data": [{"code": "x", "message": said}]}})
    assert (batch.failed, batch.refusal) == (True, "not ready")


@pytest.mark.parametrize("said", NEVER)
def test_for_good(said: str) -> None:
    """What no waiting mends is refused as before."""
    assert not is_unready(said)


@pytest.mark.parametrize("rule", [LATE, FATE], ids=["create", "validation"])
@pytest.mark.parametrize("times", [3, 6])
def test_waited_for(run: Commands, study, rule: dict, times: int) -> None:
    """A host that has not processed the file at first: the same command ends with all rows, each bought once."""
    run.world.control("faults", [{**rule, "times": times}])
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--json")
    assert (end.code, end.json["outcomes"]) == (0, {"succeeded": 2}), end.said
    assert run.world.billed().most_common(1)[0][1] == 1
    sent = [data for data in run.world.service.files().values() if data.count(b'"method"') == 2]
    assert len(sent) == 1 + times // 4  # each fourth try brings the file again


def test_not_for_ever(run: Commands, study) -> None:
    """A host that never processes it: given up after a while, nothing bought."""
    run.world.control("faults", [{**LATE, "times": -1}])
    end = run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1", "--poll", "0.0005", "--json", quick=False)
    assert (end.code, end.json["outcomes"]) == (1, {"not_accepted": 2}), end.said
    assert run.creates() == []

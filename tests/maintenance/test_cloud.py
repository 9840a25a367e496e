"""Archives in an S3-compatible store, over HTTP, with the real client (make test-cloud; elsewhere skipped)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.maintenance.places import place
from tests.support import Commands

pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")

pytestmark = pytest.mark.filterwarnings("default")  # of the packages that play the store
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYSECRETKEY"
ALL = ("openai", "--batch", "--model", "gpt-4.1", "--run", "small", "--experiment")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket of a server of its own; the environment leads to it."""
    moto = server.ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("study")
    yield "s3://study/deep/er"
    moto.stop()


def test_there_and_back(bucket: str, calm: object, study: Callable, tmp_path: Path, made: Callable) -> None:
    """Saved twice, brought back into an empty folder; shared and exported; a bucket that is none is one line without a key."""
    run = Commands(calm, tmp_path / "results")
    assert run(*ALL, study()).code == 0
    first = made("backup", run, "--out", bucket)
    assert first.code == 0 and f"{bucket}/results-" in first.out, first.said
    (run.results / "notes.txt").write_text("mine")
    assert "1 of them are new" in made("backup", run, "--out", bucket).out
    assert list((run.results / "backups").iterdir()) == []
    newest = max(place(bucket).sizes(), key=lambda name: (len(name), name))
    end = made("restore", tmp_path / "new", f"{bucket}/{newest}")
    assert end.code == 0 and made("audit", tmp_path / "new").code == 0, end.said
    assert (tmp_path / "new/notes.txt").read_text() == "mine"
    assert made("share", run, "small", "--out", "s3://study/given").code == 0
    assert made("export", run, "small", "--out", "s3://study/table").code == 0
    assert len(place("s3://study/given").sizes()) == 1
    assert {"data.csv", "codebook.csv"} <= place("s3://study/table").sizes().keys()
    for typed in ("s3://nobody-has-this/x", f"{bucket}/results-none.tar.gz"):
        end = made("backup", run, "--out", typed) if "nobody" in typed else made("restore", tmp_path / "other", typed)
        assert end.code == 2 and len(end.err.splitlines()) == 1 and SECRET not in end.said, end.said
    assert not (tmp_path / "other").exists()

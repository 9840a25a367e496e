"""What is new costs little: an API shape is one file and one entry in APIS, a host of a known shape one row of data."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from common import catalog, cli
from common.nouns import Ask, Batch, Condition, Host, Limits, Result, Shard, Usage
from common.providers import APIS
from common.providers import account as accounts
from common.providers.base import Provider
from common.providers.sealed import Sealed
from common.results.raw import read_raw

KEY = "a-key-of-this-test"


class Folder(Provider):
    """A made-up API: batches are files of a folder, requests name their id `key`, and an answer is their text in capitals."""

    HOME: Path

    def __init__(self, host: Host, base_url: str, key: str, headers: dict, rates: object) -> None:
        assert (base_url, key) == ("https://batches.example", KEY)

    def encode(self, condition: Condition, ask: Ask) -> tuple[bytes, bytes]:
        question = {"ask": condition.user, "cap": ask.max_tokens, "of": condition.model.id}
        return b'{"key":"', b'",' + orjson.dumps(question)[1:] + b"\n"

    @staticmethod
    def decode(line: dict) -> Result:
        if not isinstance(line.get("key"), str):
            raise ValueError("no key")
        cut = line["answer"] is None
        return Result(line["key"], "truncated" if cut else "succeeded", line["answer"] or "", line["by"], usage=Usage(3, 0, 5))

    @staticmethod
    def claims(line: dict) -> bool:
        return "answer" in line

    @staticmethod
    def with_cap(line: bytes, cap: int) -> bytes:
        return orjson.dumps({**orjson.loads(line), "cap": cap}) + b"\n"

    def upload(self, shard: Shard) -> str:
        with Sealed(shard) as file:
            (self.HOME / f"in-{shard.n}").write_bytes(file.read() + file.read())
        return f"in-{shard.n}"

    def submit(self, shard: Shard, model_id: str) -> str:
        batch_id = f"job-{len(list(self.HOME.glob('job-*'))) + 1}"
        with open(self.HOME / batch_id, "wb") as out:
            for line in (self.HOME / shard.ref).read_bytes().splitlines():
                row = orjson.loads(line)
                assert row["of"] == model_id
                answer = row["ask"].upper() if row["cap"] > 64 else None
                out.write(orjson.dumps({"key": row["key"], "by": model_id, "answer": answer}) + b"\n")
        return batch_id

    def find(self, shard: Shard) -> Iterable[Batch]:
        return []

    def status(self, batch_ids: Iterable[str]) -> Iterable[Batch]:
        rows = {batch_id: (self.HOME / batch_id).read_bytes().count(b"\n") for batch_id in batch_ids}
        return [Batch(batch_id, "done", True, total=n, succeeded=n, output=batch_id) for batch_id, n in rows.items()]

    def cancel(self, batch_id: str) -> None:
        raise AssertionError("nobody asked")

    def download(self, batch: Batch, output: Path, errors: Path) -> dict[Path, str]:
        shutil.copyfile(self.HOME / batch.output, output)
        return {output: ""}


def row(**more: object) -> Host:
    """A made-up row of hosts.toml."""
    found = Host(
        name="mine", title="My host", api="openai", base_url="https://batches.example", url_variable="MINE_BASE_URL",
        key_variable="MINE_API_KEY", limits=Limits(requests=1000, bytes=10_000_000, custom_id="[a-z0-9-]{1,40}"),
    )  # fmt: skip
    return replace(found, **more)


SCRIPT = cli.Script("mine_example.py", "mine", "mine", (), needs_batch=True)


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, study: Callable[..., Path]) -> Callable[..., int]:
    """Runs a command of a script that is declared for the made-up host, with results of its own."""
    monkeypatch.setenv("MINE_API_KEY", KEY)
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
    folder = study(cut_off_factor="2.0")

    def command(*argv: str) -> int:
        return cli.main(SCRIPT, [*argv, "--experiment", str(folder), "--model", "my-model-1", "--allow-unknown-price", "--poll", "0.05"])

    return command


def table(results: Path) -> list[dict]:
    """The rows of the only run's table."""
    (path,) = results.glob("mine/*/results.csv")
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_one_file_and_one_entry(mine: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A further shape goes the whole way: dry run, shards, submit, collect, rows; the converter's reader knows its lines too."""
    monkeypatch.setattr(Folder, "HOME", tmp_path, raising=False)
    monkeypatch.setitem(APIS, "folder", Folder)
    monkeypatch.setitem(catalog.hosts(), "mine", row(api="folder"))
    assert mine("--batch", "--dry-run") == 0
    (path,) = (tmp_path / "results").glob("mine/*/shards/*.jsonl")
    assert {"key", "ask", "cap", "of"} == json.loads(path.read_bytes().splitlines()[0]).keys()
    assert mine("--batch") == 0  # every answer was cut off at 64 tokens, and came whole with twice as many
    rows = table(tmp_path / "results")
    assert {(r["outcome"], r["model"], r["answer"]) for r in rows} == {("succeeded", "my-model-1", "READ A TEXT.")}
    assert sorted(path.name for path in tmp_path.glob("job-*")) == ["job-1", "job-2"]
    (raw,) = (tmp_path / "results/mine/batch_results").glob("job-2*")
    assert [result.text for _, result in read_raw(raw)] == [r["answer"] for r in rows]


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # the service outlives a command
def test_one_row(mine: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A new host of a known shape: its own key variable, a rehearsal with --local, and `make status` of what that made."""
    monkeypatch.setitem(catalog.hosts(), "mine", row())
    account = accounts.account("mine")
    assert (account.key, account.base_url, account.host.title) == (KEY, "https://batches.example", "My host")
    monkeypatch.delenv("MINE_API_KEY")
    assert mine("--batch", "--local") == 0
    assert {r["outcome"] for r in table(tmp_path / "results")} == {"succeeded"}
    (run,) = [path.name for path in (tmp_path / "results/mine").iterdir() if path.name != "batch_results"]
    capsys.readouterr()
    assert cli.make("status", []) == cli.make("status", [run]) == 0
    assert run in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_shape_that_the_service_does_not_speak(
    mine: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """--local says so in one line."""
    monkeypatch.setitem(APIS, "folder", Folder)
    monkeypatch.setitem(catalog.hosts(), "mine", row(api="folder"))
    assert mine("--batch", "--local") == 2
    assert "does not speak folder" in capsys.readouterr().err

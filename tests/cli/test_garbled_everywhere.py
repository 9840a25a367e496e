"""One run's files or rows garbled, one at a time, under every entry point: one line, a known exit code, and the other run still there."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common import cli
from tests.cli.scripts import MODEL
from tests.support import QUICK, STUDY
from tests.torture.world import World

DEEP = b"[" * 100_000
BINARY = bytes(range(256)) * 40
BODIES = [b"", b"[1]", b'{"run": 1}', DEEP, b"\xff\xfe\x00", b'{"models": 3, "paused_by": [], "folder": {}, "state": 7, "path": 1}']
TABLES = ("runs", "shards")
SCRIPT = cli.SCRIPTS["openai"]


def put(name: str, content: bytes | None) -> Callable[[Path], None]:
    """A file of the bad run, under openai/, with other content, or none."""

    def garble(results: Path) -> None:
        (path,) = results.glob(f"openai/{name}")
        path.unlink() if content is None else path.write_bytes(content)

    return garble


def cut(name: str, by: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """The same, made from what is there."""

    def garble(results: Path) -> None:
        (path,) = results.glob(f"openai/{name}")
        path.write_bytes(by(path.read_bytes()))

    return garble


def row(table: str, body: bytes) -> Callable[[Path], None]:
    """A row of the bad run in the journal."""
    key = "key" if table == "runs" else "run"

    def garble(results: Path) -> None:
        with closing(sqlite3.connect(results / "journal.db")) as db:
            assert db.execute(f"UPDATE {table} SET body = ? WHERE {key} = 'openai/bad'", (body,)).rowcount == 1
            db.commit()

    return garble


LOOKS = (
    "* --list", "* make status", "* make status of another", "* make report", "* make audit", "clean-up", "converter of it alone",
    "make status of it",
)  # fmt: skip
JOURNAL = "the whole journal"
RAW = "batch_results/BAD_output.jsonl"
CASES = {
    **{f"{table} {body[:12]!r}": row(table, body) for table in TABLES for body in BODIES},
    **{f"run.json {c[:9]!r}": put("bad/run.json", c) for c in (b"[1]", DEEP, BINARY, b'{"models": []}')},
    **{f"summary {c[:9]!r}": put("bad/summary.json", c) for c in (b"", DEEP, b'{"by_model": 3}')},
    **{f"{name} is gone": put(f"bad/{name}", None) for name in (
        "run.json", "summary.json", "shards/*.ids", "shards/*.jsonl", "results.csv",
    )},  # fmt: skip
    "ids are cut": cut("bad/shards/*.ids", lambda data: data[: len(data) // 2]),
    "ids lack a line": cut("bad/shards/*.ids", lambda data: data.splitlines(keepends=True)[0]),
    "ids are cut in a line": cut("bad/shards/*.ids", lambda data: data[:3]),
    "ids are binary": put("bad/shards/*.ids", BINARY),
    "ids are empty": put("bad/shards/*.ids", b""),
    "shard is binary": put("bad/shards/*.jsonl", BINARY),
    "notes are binary": put("bad/shards/creates.log", BINARY + b"\n[1]\n{}\n3\n"),
    "table is binary": put("bad/results.csv", BINARY),
    "raw is binary": put(RAW, BINARY),
    "raw is deep": put(RAW, b'{"custom_id": "x", "response": ' + DEEP),
    "raw is cut gzip": cut(RAW, lambda data: gzip.compress(data)[:40]),
    "raw is empty": put(RAW, b""),
    "raw is gone": put(RAW, None),
    JOURNAL: put("../journal.db", BINARY),
}


@pytest.fixture(scope="module")
def finished(calm: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, pytest.MonkeyPatch]]:
    """(results, study, environment) of two finished runs, good and bad, whose batches the service still has."""
    folder = tmp_path_factory.mktemp("garbled")
    study = folder / "study"
    study.mkdir()
    (study / "t1.txt").write_text("A text.\n")
    (study / "experiment.toml").write_text("\n".join(f"{key} = {value}" for key, value in STUDY.items()))
    calm.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**calm.environment(), "RESULTS_DIR": str(folder / "results")}.items():
            patch.setenv(name, value)
        for name in ("good", "bad"):
            assert cli.main(SCRIPT, asked(study, name)) == 0
        with closing(sqlite3.connect(folder / "results/journal.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield folder / "results", study, patch


def asked(study: Path, name: str) -> list[str]:
    """A run's command."""
    return ["--batch", "--experiment", str(study), "--model", MODEL["openai"], "--run", name, *QUICK]


def entries(study: Path, raws: dict[str, Path]) -> dict[str, Callable[[], int]]:
    """Every entry point by name. What begins with "*" must still show the good run."""
    both, tools = [str(path) for path in raws.values() if path.exists() or path.name == "x"], ("openai", "claude", "kluster")
    return {
        "* --list": lambda: cli.main(SCRIPT, ["--list"]),
        "* make status": lambda: cli.make("status", []),
        "* make report": lambda: cli.make("report", []),
        "* make audit": lambda: cli.make("audit", []),
        "clean-up": lambda: cli.cleanup("openai", ["--all", "--dry-run"]),
        "converter of it alone": lambda: cli.converter("openai", [str(raws["bad"])]),
        "* make status of another": lambda: cli.make("status", ["good"]),
        "make status of it": lambda: cli.make("status", ["bad"]),
        "* the good run's command": lambda: cli.main(SCRIPT, asked(study, "good")),
        "the same command": lambda: cli.main(SCRIPT, asked(study, "bad")),
        "--status": lambda: cli.main(SCRIPT, ["--status", "bad", *QUICK]),
        "--status of a batch": lambda: cli.main(SCRIPT, ["--status", raws["bad"].name.removesuffix("_output.jsonl"), *QUICK]),
        "--retry-failed": lambda: cli.main(SCRIPT, ["--retry-failed", "bad", *QUICK]),
        "--cancel": lambda: cli.main(SCRIPT, ["--cancel", "bad", *QUICK]),
        "--give-up": lambda: cli.main(SCRIPT, ["--give-up", "bad", *QUICK]),
        "* make adopt": lambda: cli.make("adopt", []),
        "make backup": lambda: cli.make("backup", []),
        **{f"* {tool} converter": lambda tool=tool: cli.converter(tool, [*both, "--format", "csv"]) for tool in tools},
    }


@pytest.mark.parametrize("case", CASES)
def test_garbled(finished: tuple, tmp_path: Path, capsys: pytest.CaptureFixture, calm: World, case: str) -> None:
    """See the module."""
    whole, study, patch = finished
    made, wrong, results = len(calm.service.attempts()), [], tmp_path / "none"
    batches = batch_ids(whole)
    for number, name in enumerate(entries(study, dict.fromkeys(batches, Path("x")))):
        if name not in LOOKS or not results.exists():  # what only looks may look at what the last one left
            results = tmp_path / str(number)
            raws = garbled_copy(whole, results, batches, CASES[case])
            patch.setenv("RESULTS_DIR", str(results))
        capsys.readouterr()
        code = entries(study, raws)[name]()
        said = capsys.readouterr()
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        odd = "error: unexpected" in said.err or len(errors) > (code in (1, 2)) or len(errors) < (code == 2)
        hidden = name.startswith("*") and case != JOURNAL and ("good" not in said.out + said.err or code == 2)
        if code not in (0, 1, 2) or odd or hidden or any(len(line) > 1700 for line in said.err.splitlines()):
            wrong.append(f"{name}: exit {code}{' HIDDEN' * hidden} {said.out[-200:]!r} {said.err[-400:]!r}")
    assert not wrong, "\n".join(wrong)
    assert len(calm.service.attempts()) == made, "something was bought"


def garbled_copy(whole: Path, results: Path, batches: dict[str, str], garble: Callable[[Path], None]) -> dict[str, Path]:
    """A copy of the results with one thing garbled; the raw file of each run."""
    shutil.copytree(whole, results)
    raws = {run: results / f"openai/batch_results/{batch}_output.jsonl" for run, batch in batches.items()}
    raws["bad"].rename(bad := raws["bad"].with_name("BAD_output.jsonl"))
    garble(results)
    if bad.exists():
        bad.rename(raws["bad"])
    return raws


def batch_ids(results: Path) -> dict[str, str]:
    """The only batch of each run."""
    with closing(sqlite3.connect(results / "journal.db")) as db:
        return {run.partition("/")[2]: batch for run, batch in db.execute("SELECT run, batch_id FROM shards")}

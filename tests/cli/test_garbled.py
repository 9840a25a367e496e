"""Files of a run that lie, narrow terminals, a .env that others read: one line, no traceback, and the other runs are still shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from common import settings
from tests.basics import ROOT, python
from tests.cli.scripts import only_run
from tests.support import Commands

GARBAGE = [b"", b"{", b"[1]", b"null", b"[" * 100_000, b'{"personas": []}', b"\xff\xfe", b'{"seconds": "%b"}' % (b"x" * 100_000)]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbled_run(run: Commands, study: Callable, garbage: bytes) -> None:
    """run.json and summary.json garbled: report, audit, status and converter end in words."""
    run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    folder = only_run(run.results, "openai")
    for name in ("run.json", "summary.json"):
        (folder / name).write_bytes(garbage)
    said = run.typed("python -m tools.report")
    assert (said.code, f"openai/{folder.name}: its summary.json cannot be read" in said.out) == (0, True), said.said
    said = run.typed("python -m tools.audit")
    assert (said.code, "is garbled" in said.out, "1 with findings" in said.out) == (1, True, True), said.said
    assert run("openai", "--status", folder.name).code in (0, 1)
    raw = next((run.results / "openai/batch_results").glob("*_output.jsonl"))
    said = run.typed(f"python tools/openai/batch_result_converter.py {raw}")
    assert (said.code, "is garbled" in said.error) == (2, True), said.said


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_narrow_terminal(run: Commands, study: Callable, encoding: str) -> None:
    """A terminal that has no such characters shows what it can."""
    run("openai", "--batch", "--experiment", study(), "--model", "gpt-4.1")
    done = python("-m", "tools.report", cwd=ROOT, env={**os.environ, **run.env, "PYTHONIOENCODING": encoding, "LANG": "C"})
    assert (done.returncode, "gpt-4.1" in done.stdout) == (0, True), done.stderr


def test_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative RESULTS_DIR in .env starts at the .env's folder, and a .env that others may read is told."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setenv("RESULTS_DIR", "")
    monkeypatch.delenv("RESULTS_DIR")
    (tmp_path / ".env").write_text("RESULTS_DIR=out\n")
    (tmp_path / ".env").chmod(0o644)
    assert "chmod 600" in settings.load_env()
    assert settings.results_path(None) == tmp_path / "out"
    (tmp_path / ".env").chmod(0o600)
    assert settings.load_env() == ""

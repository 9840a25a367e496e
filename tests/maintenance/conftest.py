"""Owns what tests of this room share: make targets and clean-up tools run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from common import cli
from tests.support import Commands, End


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., End]:
    """A make target on a results folder, or on that of commands with their service: `made("audit", results)`."""

    def target(name: str, where: Path | Commands, *argv: object, **env: str) -> End:
        capsys.readouterr()  # of a command that was killed
        with monkeypatch.context() as patch:
            for key, value in {**({"RESULTS_DIR": str(where)} if isinstance(where, Path) else where.env), **env}.items():
                patch.setenv(key, value)
            code = cli.cleanup("openai", [*map(str, argv)]) if name == "clean" else cli.make(name, [*map(str, argv)])
        said = capsys.readouterr()
        return End(code, said.out, said.err)

    return target

"""Which version it is stands in one place, and how to cite it in a file that others read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from common import cli, version
from common.cli import options, tool_options
from tests.basics import ROOT


@pytest.mark.parametrize(
    "parser",
    [
        *map(options.parser, cli.SCRIPTS.values()),
        *map(tool_options.converter_options, cli.TOOLS.values()),
        *map(tool_options.cleanup_options, cli.TOOLS.values()),
        *map(tool_options.target, tool_options.TARGETS),
    ],
    ids=lambda parser: parser.prog,
)
def test_every_command_says_its_version(parser, capsys: pytest.CaptureFixture) -> None:
    """`--version` is one line and the end, with whatever pyproject.toml says."""
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--version"])
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (end.value.code, capsys.readouterr().out) == (0, f"batch-experiments {told}\n")


def test_a_copy_without_pyproject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that file was left behind, the version is unknown, and nothing else fails."""
    monkeypatch.setattr(version, "FILE", tmp_path / "gone.toml")
    version.version.cache_clear()
    assert version.version() == "unknown"
    version.version.cache_clear()


def test_citation() -> None:
    """CITATION.cff has what its format (1.2.0) asks for, in the words of pyproject.toml, and no identifier that nobody gave."""
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= found.keys()
    assert (found["cff-version"], found["title"], found["license"]) == ("1.2.0", project["name"], project["license"])
    assert found["authors"] == [{"name": "the contributors of this project"}]
    assert not {"doi", "identifiers", "version"} & found.keys()

"""What make demo-llm asks, rehearsed; and which files it takes for a model. The model itself is tried by make demo-llm."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from common.errors import InputError
from tests.support import Commands
from tools import demo_llm


def test_its_experiment(run: Commands) -> None:
    """24 requests, each held to one JSON schema, whose answers are read by the same schema."""
    end = run("openai", "--batch", "--experiment", demo_llm.EXPERIMENT, "--model", "SmolLM2-135M-Instruct.Q4_1", "--no-texts", "--json")
    assert (end.code, end.json["outcomes"], end.json["answers_checked"]) == (0, {"succeeded": 24}, {"success": 24})
    asked = tomllib.loads((demo_llm.EXPERIMENT / "experiment.toml").read_text())["request"]["response_format"]["json_schema"]["schema"]
    assert asked == json.loads((demo_llm.EXPERIMENT / "answer.json").read_text())


def test_what_is_no_model(tmp_path: Path) -> None:
    """A path that names no GGUF file is refused before anything is started."""
    (tmp_path / "a.gguf").write_bytes(b"PK\3\4")
    for name, said in (("a.gguf", "no GGUF file"), ("b.gguf", "no such file"), ("", "no such file")):
        with pytest.raises(InputError, match=said):
            demo_llm._weights([str(tmp_path / name)])

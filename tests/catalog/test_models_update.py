"""Checks make models-update: differences with their source, and a file that is changed in its lines alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from common.catalog.models import FILE, read_models
from common.errors import InputError
from tools import models_update

WRONG = (("input = 1.75", "input = 9.0"), ('id = "gpt-5.2"\n', 'id = "gpt-5.2"  # a word on it\n'), ("cache_write_1h_factor = 2.0\n", ""))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Our models.toml, but for a model of whose long-context limit, which a beta has, only genai-prices speaks."""
    path = tmp_path / "models.toml"
    text = FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('id = "claude-sonnet-4-5-20250929"', 'id = "claude-nobody-knows-1"'), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def without_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models_update.main.__globals__, "_installed", lambda name: name == "genai-prices")


def test_our_table_agrees(table: Path, capsys: pytest.CaptureFixture) -> None:
    """Exit code 0 where nothing differs."""
    assert models_update.main([], table) == 0, capsys.readouterr().out
    assert "agrees with genai-prices" in capsys.readouterr().out


def test_a_difference_is_shown_and_written_only_on_demand(table: Path, capsys: pytest.CaptureFixture) -> None:
    """What differs is named with its source, exit code 1; --write changes those lines, and keeps the words of all others."""
    right = table.read_text(encoding="utf-8")
    wrong = right
    for one, other in WRONG:
        assert wrong.count(one) >= 1
        wrong = wrong.replace(one, other, 1)
    table.write_text(wrong, encoding="utf-8")
    assert models_update.main([], table) == 1
    out = capsys.readouterr().out
    assert next(line for line in out.splitlines() if "gpt-5.2 " in line).split()[:5] == ["openai", "gpt-5.2", "input", "9.0", "1.75"]
    assert "genai-prices 0." in out and "cache_write_1h_factor" in out and table.read_text(encoding="utf-8") == wrong
    assert models_update.main(["--write"], table) == 1
    now = table.read_text(encoding="utf-8")
    assert models_update.main([], table) == 0
    model = next(m for m in read_models(table) if m.id == "gpt-5.2")
    assert model.input == 1.75 and 'id = "gpt-5.2"  # a word on it\n' in now
    kept = [line for line in wrong.splitlines() if line != "input = 9.0"]
    left = iter(now.splitlines())
    assert all(line in left or line.startswith("as_of") for line in kept), "lines were lost or changed their order"


def test_litellms_map_is_read_without_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file gives ends and successors too; the package, which fetches another one, is not run."""
    (tmp_path / "litellm").mkdir()
    (tmp_path / "litellm/__init__.py").write_text("raise SystemExit('imported')")
    row = {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 8e-06, "deprecation_date": "2027-01-14", "successor_model": "gpt-9"}
    (tmp_path / "litellm/model_prices_and_context_window_backup.json").write_text(json.dumps({"gpt-4.1": row}))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    models_update._map.cache_clear()
    (model,) = (m for m in read_models(FILE) if m.id == "gpt-4.1")
    found = [(d.key, d.ours, d.theirs) for d in models_update.differences(model, models_update.litellm(model), "litellm")]
    models_update._map.cache_clear()
    assert found == [("input", 2.0, 2.5), ("replacement", "gpt-6-luna", "gpt-9")]
    assert "litellm" not in sys.modules


def test_sources_that_contradict_each_other_are_not_written() -> None:
    """A figure is written where all that know it say the same."""
    (model,) = (m for m in read_models(FILE) if m.id == "gpt-4.1")
    say = [models_update.Difference(model, "input", 2.0, theirs, source) for theirs, source in ((3.0, "a"), (4.0, "b"))]
    alike = [models_update.Difference(model, "output", 8.0, 9.0, source) for source in "ab"]
    assert [*models_update._agreed(say + alike)[("openai", "gpt-4.1")]] == ["as_of", "output"]


def test_other_words_are_refused() -> None:
    """One line, and nothing is done."""
    with pytest.raises(InputError, match="expected none, or --write"):
        models_update.main(["--writ"])

"""The figures of runs are what their tables say, as JSON and for Prometheus; names are harmless there, and labels bounded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.reports import prometheus
from tests.cli.scripts import INPUT, OK, only_run, table
from tests.support import Commands


def samples(path: Path) -> dict[tuple, float]:
    """Every sample of a text file: (name, labels) → value."""
    found = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def test_as_the_table_says(run: Commands, study: Callable, tmp_path: Path) -> None:
    """Rates, tokens and cost per clean answer, counted again from results.csv; a run that failed in part; a wrong name."""
    rows = {"share": 0.3, "status": 400, "code": "invalid_request_error", "message": "no", "times": -1}
    run.world.control("faults", [{"call": "batches.create", "times": 1, "action": {"fate": {"rows": rows}}}])
    run("openai", "--batch", "--experiment", study(trials="30"), "--model", "gpt-4.1")
    path = tmp_path / "runs.prom"
    done = run.make("metrics", "--json", "--out", path)
    (found,) = done.json["runs"]
    lines = table(only_run(run.results, "openai"))
    counts = Counter(line["outcome"] for line in lines)
    assert done.code == OK and found["rows"] == found["by_model"]["gpt-4.1"]["rows"] == counts and 0 < counts["succeeded"] < 30
    assert found["success_rate"] == counts["succeeded"] / 30
    assert found["error_rate"] == {"invalid_request": pytest.approx(1 - found["success_rate"])}
    cost = sum(float(line["cost_usd"] or 0) for line in lines)
    assert found["cost_per_clean_answer_usd"] == pytest.approx(cost / counts["succeeded"], rel=1e-3)
    assert 0 < found["batch_seconds"]["median"] <= found["seconds"]
    told = samples(path)
    own = (("gen_ai_provider_name", "openai"), ("run", f"openai/{found['run']}"), ("simulated", "true"))
    model = (own[0], ("gen_ai_request_model", "gpt-4.1"), *own[1:])
    assert told["batch_success_ratio", *model] == found["success_rate"]
    assert told["gen_ai_client_inference_usage_output_tokens_total", *own] == sum(int(line["output_tokens"] or 0) for line in lines)
    assert told["batch_cost_per_clean_answer_usd", *model] == found["cost_per_clean_answer_usd"]
    assert run.make("metrics", "--out", tmp_path / "runs.txt").code == run.make("metrics", "nobody").code == INPUT


def made(n: int, model: str = "m", outcome: str = "succeeded") -> dict:
    """The figures of a run, as figures.py gives them."""
    rates = {"rows": {outcome: 2}, "success_rate": None, "error_rate": {outcome: 0.5}, "cost_usd": None, "cost_per_clean_answer_usd": None}
    return {
        "provider": "openai", "run": f"r{n}", "host": "openai", "simulated": False, "seconds": None, "states": {}, "paused": "",
        "batch_seconds": {"batches": 0, "median": None, "longest": None}, "tokens": {}, "answers_checked": {}, "committed_usd": 0.0,
        "by_model": {model: rates},
    }  # fmt: skip


def test_bounded_and_harmless(tmp_path: Path) -> None:
    """The newest hundred runs; what is unknown has no sample; an outcome that is none has no label; any name can be read back."""
    path = tmp_path / "x.prom"
    prometheus.write([made(n) for n in range(150)], path)
    runs = {dict(key[1:])["run"] for key in samples(path)}
    assert runs == {f"openai/r{n}" for n in range(50, 150)}
    assert not any(key[0] in ("batch_cost_usd", "batch_success_ratio", "batch_run_seconds") for key in samples(path))
    prometheus.write([made(0, 'evil"} 1\n\\ \x1b[31m', "nonsense"), made(1, "日本", "empty")], path)
    told = samples(path)
    rows = {dict(key[1:])["outcome"]: value for key, value in told.items() if key[0] == "batch_requests"}
    assert (rows, [*tmp_path.iterdir()]) == ({"empty": 2.0}, [path])
    assert "\x1b" not in path.read_text(encoding="utf-8") and json.dumps("日本") not in path.read_text(encoding="utf-8")

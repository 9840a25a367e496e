"""Jobs on Ray by real commands: make test-ray runs these, make test does not (minutes, and 600 MB of packages)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import orjson
import pytest

from tests.basics import ROOT, python
from tests.ray.machines import ENV, counted, driver, endpoint, machines, rows_of, shards
from tests.ray.trial import trial

pytestmark = pytest.mark.skipif("TEST_RAY" not in os.environ, reason="make test-ray")


def test_a_thousand_rows(tmp_path):
    """Two endpoints share them, a busy one is asked again, a refusal is a row, the key stays secret, and a second time asks nothing."""
    paths = shards(tmp_path, 1000, 2)
    with endpoint() as one, endpoint() as two:
        how = (*paths, "--endpoint", f"{one}/v1", two, "--slots", 8)
        env = {**ENV, "LOCAL_API_KEY": "secret-of-the-test"}
        said = driver(*how, env=env)
        told = said.communicate(timeout=240)
        assert (said.returncode, rows_of(tmp_path)[1]) == (1, {200: 990, 400: 10}), told
        assert len(rows_of(tmp_path)[0]) == 1000
        asked = [counted(url) for url in (one, two)]
        assert sum(count["asked"] for count in asked) == 1002  # one busy answer each
        assert all(count["peak"] <= 8 and count["asked"] > 200 for count in asked), asked
        assert [count["keys"] for count in asked] == [["Bearer secret-of-the-test"]] * 2
        assert "secret-of" not in "".join(told)
        logs = [path for path in (Path(tempfile.gettempdir()) / "ray/session_latest").resolve().rglob("*") if path.is_file()]
        assert logs
        assert not [path for path in logs if b"secret-of-the-test" in path.read_bytes()]
        again = driver(*how, "--json", env=env)
        assert [(one["rows"], one["failed"]) for one in orjson.loads(again.communicate(timeout=120)[0])["shards"]] == [(500, 5), (500, 5)]
        assert sum(counted(url)["asked"] for url in (one, two)) == 1002


def test_a_node_with_one_cpu_is_refused(tmp_path):
    """On such nodes a job hangs for ever once one of them dies."""
    with machines(1, cpus=1) as cluster:
        said = driver(*shards(tmp_path, 10, 1), "--endpoint", "http://127.0.0.1:9", "--ray", cluster.address)
        _, told = said.communicate(timeout=120)
        assert said.returncode == 2, told
        assert "1 logical CPU, 2 are needed" in told.splitlines()[-1]
        assert "Traceback" not in told


def test_a_job_without_an_endpoint_ends(tmp_path):
    """The watchdog: nothing comes, so the command says so and what to type."""
    said = driver(*shards(tmp_path, 100, 1), "--endpoint", "http://127.0.0.1:9", "--stall", 15, "--timeout", 5)
    _, told = said.communicate(timeout=200)
    assert said.returncode == 1, told
    assert "no row has come for 15 s" in told
    assert "go on with: python tools/ray/run_batch.py" in told


def test_files_are_converted_as_on_one_machine(tmp_path):
    """Byte by byte; a file on a named machine, an error file beside its output, and one that cannot be read among others."""
    for n in (1, 2):
        with open(tmp_path / f"batch_{n}_output.jsonl", "wb") as file:
            file.writelines(_answer(f"p1_gpt-4.1_n{k:02d}_t1", k) for k in range(1, 300))
    gone = {"custom_id": "p1_gpt-4.1_n99_t2", "response": None, "error": {"code": "batch_expired", "message": "late"}}
    (tmp_path / "batch_2_errors.jsonl").write_bytes(orjson.dumps(gone) + b"\n")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/torn_output.jsonl").mkdir()
    more = ("--format", "csv", "--experiment", ROOT / "experiments/literary")
    files = sorted(tmp_path.glob("batch_*_output.jsonl"))
    assert python("tools/openai/batch_result_converter.py", *files, *more, "--out", tmp_path / "own").returncode == 0
    import ray

    words = (f"file://{tmp_path}/batch_1_*.jsonl", f"node:{ray.util.get_node_ip_address()}:{tmp_path}/batch_2*", f"{tmp_path}/x/*")
    done = python("tools/ray/convert.py", *words, *more, "--out", tmp_path / "out", env=ENV, timeout=240)
    assert done.returncode == 1, done.stderr
    assert "batch_2_output.jsonl: 300 rows" in done.stdout, done.stdout + done.stderr
    assert f"not converted: {tmp_path}/x/torn_output.jsonl" in done.stdout
    for n in (1, 2):
        assert (tmp_path / f"out/batch_{n}_output.csv").read_bytes() == (tmp_path / f"own/batch_{n}_output.csv").read_bytes()


def _answer(custom_id: str, k: int) -> bytes:
    names = enumerate(("面白さ", "驚き", "悲しみ", "怒り"), 1)
    text = "\n".join(f"Q{n}. {name}(数値): {k % 100}\nQ{n}. {name}(理由): 理由。" for n, name in names)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"created": 1790000000, "model": "gpt-4.1", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}
    return orjson.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}) + b"\n"


def test_a_node_and_a_driver_die():
    """Three nodes, one killed; the driver killed and started again: every row once."""
    trial(int(os.environ["TEST_RAY"]), 0.02, 5)

"""What needs no Ray: which endpoints are refused, and the part file that is the checkpoint."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from common.errors import InputError
from tests.basics import ROOT, python
from tests.ray.machines import shards
from tools.ray import cluster
from tools.ray.endpoints import checked
from tools.ray.work import Work

NEAR = ["http://127.0.0.1:8000/v1", "http://localhost:8000", "http://10.0.0.5:8000/v1/", "https://[fd00::1]:8000/v1", "http://192.168.1.9"]


def run_batch(*words: object, **env: str):
    return python("tools/ray/run_batch.py", *words, env={**os.environ, "LOCAL_API_KEY": "", **env})


def answer(custom_id: str, status: int = 200) -> bytes:
    response = {"status_code": status, "request_id": "r", "body": {}}
    return orjson.dumps({"id": "x", "custom_id": custom_id, "response": response, "error": None}) + b"\n"


def test_near_addresses_are_taken():
    """Each once, without what a shard's lines bring along themselves."""
    assert checked([*NEAR, NEAR[0]], own=False, has_key=True) == [
        "http://127.0.0.1:8000", "http://localhost:8000", "http://10.0.0.5:8000", "https://[fd00::1]:8000", "http://192.168.1.9",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://eu.api.openai.com", "https://api.deepinfra.com/v1/openai"])
def test_paid_hosts_are_refused_whoever_says_what(url):
    """They would bill what is asked twice."""
    with pytest.raises(InputError, match="bills what is asked twice"):
        checked([url], own=True, has_key=False)


@pytest.mark.parametrize(
    ("url", "said"),
    [("https://gpu.example.org/v1", "add --own"), ("http://8.8.8.8/v1", "add --own"), ("gpu:8000", "expected an address"),
     ("http://[::1", "expected an address"), ("http://me:secret@10.0.0.5", "user name or password")],
)  # fmt: skip
def test_other_addresses(url, said):
    """An address elsewhere is taken for nobody's own, a login for a mistake; the password is not repeated."""
    with pytest.raises(InputError, match=said) as raised:
        checked([url], own=False, has_key=False)
    assert "secret" not in str(raised.value)
    assert checked(["https://gpu.example.org/v1"], own=True, has_key=True) == ["https://gpu.example.org"]
    with pytest.raises(InputError, match="in clear"):
        checked(["http://gpu.example.org/v1"], own=True, has_key=True)


def test_a_checkpoint_is_taken_up(tmp_path: Path):
    """Rows that came are not asked again, a line cut off in the middle is, rows that come twice are written once."""
    (path,) = shards(tmp_path, 10, 1)
    work = Work(path, tmp_path)
    assert [n for n, _ in work.open()] == [*range(10)]
    for n in (3, 3, 7, 1):
        work.keep(n, answer(f"p1_m_n01_t{n}", 500 if n == 7 else 200))
    work.close()
    part = Path(f"{work.output}.part")
    part.write_bytes(part.read_bytes() + answer("p1_m_n01_t5")[:-9])
    again = Work(path, tmp_path)
    assert [n for n, _ in again.open()] == [0, 2, 4, 5, 6, 8, 9]
    for n in range(10):
        again.keep(n, answer(f"p1_m_n01_t{n}"))
    assert (again.is_done, part.exists(), again.rows, again.failed) == (True, False, 10, 1)
    ids = [orjson.loads(line)["custom_id"] for line in again.output.read_bytes().splitlines()]
    assert sorted(ids) == [f"p1_m_n01_t{n}" for n in range(10)]
    path.write_bytes(path.read_bytes().replace("問い3".encode(), "問い33".encode()))
    assert not Work(path, tmp_path).is_done  # other questions: their answers have another name


@pytest.mark.parametrize("line", [b"{", b"[1]", b'{"custom_id": "a", "params": {}}', b'{"custom_id": 1, "url": "/v1/x", "body": {}}'])
def test_other_files_are_refused(tmp_path: Path, line: bytes):
    """Named by line; nothing is asked, and no Ray is started for it."""
    (path,) = shards(tmp_path, 2, 1)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="line 3: not a line of OpenAI's batch shape"):
        [*Work(path, tmp_path).open()]


def test_nodes_with_one_cpu_are_refused():
    """A dead node's CPUs do not matter."""
    node = {"Alive": True, "NodeManagerAddress": "10.0.0.7", "Resources": {"CPU": 1.0}}
    with pytest.raises(InputError, match="10.0.0.7 has 1 logical CPU, 2 are needed"):
        cluster.check_nodes([{**node, "Resources": {"CPU": 2.0}}, node])
    cluster.check_nodes([{**node, "Alive": False}, {**node, "Resources": {"CPU": 2.0}}])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "10.0.0.5:x"])
def test_a_cluster_that_is_not_there(address):
    """Said at once."""
    with pytest.raises(InputError, match="no cluster there .*expected auto or HOST:PORT"):
        cluster._check_there(address)


def test_one_clear_line(tmp_path: Path):
    """Exit code 2: a paid host; a run that would not take the answers; and Ray that is not there."""
    (path,) = shards(tmp_path / "in", 2, 1)
    near = ("--endpoint", "http://127.0.0.1:9/v1")
    results = {"RESULTS_DIR": str(tmp_path)}
    assert python(ROOT / "openai_example.py", "--model", "gpt-4.1-nano", "--limit", "3", env={**os.environ, **results}).returncode == 0
    run = next(one.name for one in (tmp_path / "openai").iterdir())
    for words, said in (
        ((path, "--endpoint", "https://api.openai.com/v1"), "is OpenAI, which bills"),
        ((run, *near), "was planned for https://api.openai.com/v1"),
        (("no-such-run", *near), "no run 'no-such-run'"),
        ((path, path, *near), "the same output"),
        *([] if find_spec("ray") else [((path, *near), "Ray is not installed; type: make ray-setup")]),
    ):
        done = run_batch(*words, **results)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr

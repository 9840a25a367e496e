"""Checks the process: lock, port, lease, keys, greeting, limits of the account."""

from __future__ import annotations

import fcntl
import http.client
import json
import signal
import socket
import subprocess
import sys
import time

import anthropic
import openai
import pytest

from tests.basics import ROOT, python, wait_for
from tests.batch_server.calls import chat_row, finished, message_row, submit, upload
from tests.service import HTTP


def run(*arguments: str, env: dict | None = None) -> subprocess.CompletedProcess:
    """Run the command line to its end."""
    return python("-m", "tools.batch_server", *arguments, env=env, timeout=20)


def test_service_json_and_quick_start(start):
    """service.json names every address, and is there within half a second or so."""
    begun = time.monotonic()
    service = start()
    assert time.monotonic() - begun < 2.0  # 0.3 s on an idle machine
    facts = service.facts
    assert facts["openai_base_url"] == f"http://127.0.0.1:{facts['port']}/v1" and facts["pid"] == service.process.pid
    assert service.control("health")["status"] == "ok"
    service.stop()
    assert not (service.state / "service.json").exists()


def test_a_kept_connection_is_answered_at_once(start):
    """No answer waits for the acknowledgement of its own header: 40 ms each, where the socket is not told otherwise."""
    service = start()
    kept = http.client.HTTPConnection("127.0.0.1", service.facts["port"], timeout=20)
    took = []
    for _ in range(20):
        begun = time.monotonic()
        kept.request("GET", "/v1/batches", headers={"Authorization": "Bearer sk-any"})
        assert kept.getresponse().read().startswith(b"{")
        took.append(time.monotonic() - begun)
    kept.close()
    assert min(took[1:]) < 0.03


def test_one_service_per_state(start):
    """A second start on the same state says on which port the first one runs, in one line, and exits 2."""
    service = start()
    second = run("--port", "0", "--state", str(service.state))
    assert second.returncode == 2 and str(service.facts["port"]) in second.stderr and second.stderr.count("\n") == 1


def test_a_killed_services_address_is_gone_at_once(tmp_path):
    """service.json of a dead service must not send clients to a port where somebody else may listen."""
    stale = tmp_path / "service.json"
    stale.write_text('{"port": 1}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run("--port", str(taken.getsockname()[1]), "--state", str(tmp_path)).returncode == 2
    assert not stale.exists()


def test_port_taken(tmp_path):
    """One line, exit 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run("--port", str(taken.getsockname()[1]), "--state", str(tmp_path))
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "cannot listen" in refused.stderr


def test_open_address_needs_keys(tmp_path):
    """Nothing but loopback without keys."""
    refused = run("--host", "0.0.0.0", "--state", str(tmp_path))
    assert refused.returncode == 2 and "BATCH_SERVER_KEYS" in refused.stderr


def test_lease(start, tmp_path):
    """The service lives while a client holds the lease, and ends by itself when none does."""
    lease = tmp_path / "lease"
    with lease.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        service = start("--lease", str(lease))
        time.sleep(1.0)
        assert service.process.is_alive()
    service.process.join(5)
    assert service.process.exitcode == 0
    assert not (service.state / "service.json").exists()


def test_keys(start):
    """Configured keys are checked, each has its own account, and no key is ever written anywhere."""
    service = start(env={"BATCH_SERVER_KEYS": "sk-alpha-secret, sk-beta-secret"})
    with pytest.raises(openai.AuthenticationError):
        service.openai("sk-wrong-secret").batches.list()
    with pytest.raises(anthropic.AuthenticationError):
        service.anthropic("sk-wrong-secret").messages.batches.list()
    alpha, beta = service.openai("sk-alpha-secret"), service.openai("sk-beta-secret")
    file_id = upload(alpha, [chat_row(1)])
    with pytest.raises(openai.NotFoundError):
        beta.files.retrieve(file_id)
    assert finished(alpha, submit(alpha, [chat_row(1)]).id).status == "completed"
    assert list(beta.batches.list()) == []
    state = service.state
    errors = service.stop()
    assert "secret" not in errors
    assert not any(b"-secret" in path.read_bytes() for path in state.rglob("*") if path.is_file())


def test_control_routes_are_for_this_machine(start):
    """A foreign page in a browser, or a rebound name, is refused."""
    service = start()
    url = f"{service.base}/_control/reset"
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        assert HTTP.post(url, headers=headers).status_code == 403
    assert HTTP.post(url, headers={"origin": service.base}).status_code == 200


def test_queue_limit(start):
    """Too many enqueued prompt tokens fail the batch later; after the first has ended there is room again."""
    service = start("--queue-limit", "9000", speed="60")
    client = service.openai()
    rows = [chat_row(n) for n in range(60)]
    first, second = submit(client, rows), submit(client, rows)
    failed = finished(client, second.id)
    assert failed.errors.data[0].code == "token_limit_exceeded" and "9,000" in failed.errors.data[0].message
    assert finished(client, first.id).status == "completed"
    assert finished(client, submit(client, rows).id).status == "completed"


def test_queued_requests_creation_rate_and_storage(start):
    """429 at creation when the Anthropic queue is full or the hour's batches are used up; 413 when the disk share is full."""
    service = start("--queued-requests", "150", "--creation-rate", "3", "--storage-bytes", "4000", speed="10")
    client = service.anthropic()
    rows = [message_row(n) for n in range(100)]
    client.messages.batches.create(requests=rows)
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.batches.create(requests=rows)
    assert caught.value.response.headers["retry-after"]
    for _ in range(2):
        client.messages.batches.create(requests=rows[:1])
    with pytest.raises(anthropic.RateLimitError):
        client.messages.batches.create(requests=rows[:1])
    with pytest.raises(openai.APIStatusError) as caught:
        upload(service.openai(), [chat_row(n) for n in range(20)])
    assert caught.value.status_code == 413


def test_row_and_byte_limits(start):
    """50,001 rows fail the batch; nothing is asked of them."""
    service = start()
    client = service.openai()
    row = json.dumps({"method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}})[1:]
    content = "".join(f'{{"custom_id":"{n}",{row}\n' for n in range(50_001)).encode()
    file_id = client.files.create(file=("in.jsonl", content), purpose="batch").id
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
    assert finished(client, batch.id).errors.data[0].code == "too_many_tasks"


def test_greeting(tmp_path):
    """Without --quiet it says how to point both SDKs and curl at it."""
    command = [sys.executable, "-m", "tools.batch_server", "--port", "0", "--state", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        words = "".join(process.stdout.readline() for _ in range(7))
        process.terminate()
        assert process.wait(10) == 0
    assert "OPENAI_BASE_URL=http://127.0.0.1:" in words and "ANTHROPIC_BASE_URL=" in words and "curl " in words


def test_an_impatient_stop(tmp_path):
    """Signal upon signal while it stops: one clean end all the same, nothing said, and no service.json that names nobody."""
    command = [sys.executable, "-m", "tools.batch_server", "--quiet", "--port", "0", "--state", str(tmp_path)]
    facts = tmp_path / "service.json"
    for _ in range(3):
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            wait_for(facts.exists)
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
                time.sleep(0.0005)
            assert (process.returncode, process.stderr.read(), facts.exists()) == (0, "", False)


@pytest.mark.parametrize("heard", [True, False], ids=["in service", "orphan"])
def test_a_worker_whose_folder_is_gone(heard, tmp_path):
    """In service that is a bug, and is told; the orphan of a killed service, after which another has cleared up, goes without a word."""
    places = {"data": str(tmp_path / "gone"), "index": str(tmp_path / "index")}
    job = {"kind": "check", **places, "seed": "", "endpoint": "", "one_model": True, "max_rows": 9}
    command = [sys.executable, "-m", "tools.batch_server.worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        if not heard:
            process.stdout.close()
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.close()
        said = process.stderr.read()
    assert (process.returncode == 0, b"FileNotFoundError" in said) == (not heard, heard)
    assert heard or said == b""


def test_cut_rows_are_whole_with_a_higher_cap_and_passing_failures_heal(start):
    """The two small shares of a rehearsal: cut off until the cap is raised, failed until sent again."""
    service = start("--cut-share", "0.3", "--heal-share", "0.3", steady=False)
    client = service.openai()

    def outcome(cap: int) -> tuple[int, int]:
        batch = finished(client, submit(client, [chat_row(n, max_tokens=cap) for n in range(60)]).id)
        rows = client.files.content(batch.output_file_id).content
        return rows.count(b'"finish_reason":"length"'), batch.request_counts.failed
    first, second, third = outcome(1024), outcome(1024), outcome(2048)
    assert first[0] > 3 and first[1] > 3
    assert second[0] >= first[0] and second[1] == 0, "cut again with the same cap, failed rows healed"
    assert third == (0, 0)

"""Checks that kill -9 at any time loses nothing that was accepted, and bills nothing twice."""

from __future__ import annotations

import socket
import threading
import time

import httpx2
import openai
import pytest

from tests.basics import wait_for
from tests.batch_server.calls import chat_row, ended, finished, jsonl, lines_of, message_row, submit, upload


def test_files_and_batches_survive_kill(start):
    """What was answered with 200 is there after kill -9 and a restart."""
    service = start(speed="1")
    client = service.openai()
    rows = [chat_row(n) for n in range(20)]
    file_id, batch_id = upload(client, rows), submit(client, rows).id
    message_batch = service.anthropic().messages.batches.create(requests=[message_row(n) for n in range(20)]).id
    service.kill()
    again = start(state=service.state)
    client = again.openai()
    assert client.files.content(file_id).content == jsonl(rows)
    assert finished(client, batch_id).request_counts.completed == 20
    assert ended(again.anthropic(), message_batch).request_counts.succeeded == 20


def test_kill_while_running_again_and_again(start):
    """A batch of thousands is killed in its middle three times and still answers each row exactly once."""
    rows = [chat_row(n) for n in range(3000)]
    service = start(speed="20")
    client = service.openai()
    batch_id = submit(client, rows).id
    done = 0
    for _ in range(3):
        done = wait_for(lambda c=client, before=done: (n := c.batches.retrieve(batch_id).request_counts.completed) > before and n)
        service.kill()
        service.start()
        client = service.openai()
        assert client.batches.retrieve(batch_id).request_counts.completed >= done
    service.control("clock", {"advance": 3600})
    batch = finished(client, batch_id)
    ids = [row["custom_id"] for row in lines_of(client, batch.output_file_id)]
    assert len(ids) == len(set(ids)) == 3000 == batch.request_counts.completed
    ledger = service.control(f"ledger?batch={batch_id}")
    assert ledger["billed_rows"] == len(ledger["rows"]) == 3000
    assert ledger["billed_input_tokens"] == sum(row["input_tokens"] for row in ledger["rows"])


def test_kill_during_an_upload(start):
    """A half upload leaves nothing behind, and the next one works."""
    service = start()
    head = (b"POST /v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\ncontent-length: 1000000\r\n"
            b"content-type: multipart/form-data; boundary=x\r\n\r\n--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n"
            b"batch\r\n--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", service.facts["port"])) as connection:
        connection.sendall(head + b"x" * 500_000)
        wait_for(lambda: any((service.state / "tmp").iterdir()))
        service.kill()
    service.start()
    client = service.openai()
    assert list(client.files.list()) == []
    assert not any((service.state / "tmp").iterdir()) and not any((service.state / "blobs").iterdir())
    assert upload(client, [chat_row(1)])


def test_kill_during_a_download(start):
    """The client sees a cut, and the whole file after the restart."""
    service = start()
    client = service.openai()
    batch = finished(client, submit(client, [chat_row(n) for n in range(500)]).id)
    whole = client.files.content(batch.output_file_id).content
    service.faults({"call": "files.content", "action": {"slow": 50_000}})
    killer = threading.Timer(0.4, service.process.kill)
    killer.start()
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        client.files.content(batch.output_file_id)
    service.kill()
    service.start()
    assert service.openai().files.content(batch.output_file_id).content == whole


def test_clock_jumps_survive(start):
    """A jumped clock stays jumped, so that dates never run backwards."""
    service = start()
    service.control("clock", {"advance": 86400})
    service.kill()
    service.start()
    assert service.control("health")["jumped"] == 86400
    assert upload(service.openai(), [chat_row(1)])
    assert service.openai().files.list().data[0].created_at > time.time() + 80_000


def test_deleting_the_input_of_a_running_batch(start):
    """The batch goes on: it was accepted; afterwards the bytes are gone."""
    service = start(speed="60")
    client = service.openai()
    batch = submit(client, [chat_row(n) for n in range(50)])
    client.files.delete(batch.input_file_id)
    assert finished(client, batch.id).request_counts.completed == 50
    sizes = [path.stat().st_size for path in (service.state / "blobs").iterdir()]
    assert len(sizes) == 2, "the output and the ledger's rows"


def test_a_clean_stop_and_a_start_go_on(start):
    """SIGTERM in the middle is no different from a pause."""
    service = start(speed="60")
    client = service.openai()
    batch_id = submit(client, [chat_row(n) for n in range(300)]).id
    wait_for(lambda: client.batches.retrieve(batch_id).request_counts.completed)
    assert service.stop() == ""
    service.start()
    assert finished(service.openai(), batch_id).request_counts.completed == 300

"""Checks kill -9 and clean stops at each stage of a batch's life, and in the middle of Message Batches."""

from __future__ import annotations

import socket
import threading

import anthropic
import httpx2
import pytest
from openai import OpenAI

from tests.basics import wait_for
from tests.batch_server.calls import chat_row, ended, finished, lines_of, message_row, submit
from tests.service import Service


def hurried(service: Service, client: OpenAI, batch_id: str):
    """The batch once it has ended; a minute passes with every look."""
    return wait_for(lambda: service.control("clock", {"advance": 60}) and (batch := client.batches.retrieve(batch_id)).status
                    in ("completed", "cancelled") and batch)


@pytest.mark.parametrize("stage", ["validating", "in_progress", "finalizing", "cancelling"])
def test_kill_at_each_stage(start, stage: str):
    """Killed in any stage, a batch goes on from there: every row once, or as many as were counted when it was cancelled."""
    service = start(speed="15")
    client = service.openai()
    batch_id = submit(client, [chat_row(n) for n in range(400)]).id
    if stage == "cancelling":
        wait_for(lambda: client.batches.retrieve(batch_id).request_counts.completed)
        client.batches.cancel(batch_id)
    else:
        service.control("clock", {"advance": {"validating": 0, "in_progress": 12, "finalizing": 40}[stage]})
    wait_for(lambda: client.batches.retrieve(batch_id).status == stage)
    service.kill()
    service.start()
    client = service.openai()
    assert client.batches.retrieve(batch_id).id == batch_id
    batch = hurried(service, client, batch_id)
    ids = [row["custom_id"] for row in lines_of(client, batch.output_file_id)]
    assert len(set(ids)) == len(ids) == batch.request_counts.completed
    assert (batch.status, len(ids)) == ("completed", 400) if stage != "cancelling" else batch.status == "cancelled" and len(ids) > 0


def test_kill_in_the_middle_of_a_message_batch(start):
    """A half body leaves nothing; a running batch goes on; results cut by a kill are whole afterwards."""
    service = start(speed="30")
    claude = service.anthropic()
    batch_id = claude.messages.batches.create(requests=[message_row(n) for n in range(300)]).id
    head = (b"POST /v1/messages/batches HTTP/1.1\r\nhost: localhost\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
            b"content-length: 900000\r\n\r\n")
    with socket.create_connection(("127.0.0.1", service.facts["port"])) as connection:
        connection.sendall(head + b'{"requests": [' + b" " * 300_000)
        wait_for(lambda: any((service.state / "tmp").iterdir()))
        service.kill()
    for orphan in ("blobs/0123", "work/msgbatch_x"):  # what a kill just before the commit would leave
        (service.state / orphan).mkdir() if "work" in orphan else (service.state / orphan).write_bytes(b"x")
    service.start()
    claude = service.anthropic()
    assert [batch.id for batch in claude.messages.batches.list()] == [batch_id]
    assert not any((service.state / "tmp").iterdir())
    assert not (service.state / "blobs/0123").exists() and not (service.state / "work/msgbatch_x").exists()
    service.control("clock", {"advance": 600})
    assert ended(claude, batch_id).request_counts.succeeded == 300
    service.faults({"call": "messages.batches.results", "action": {"slow": 50_000}})
    killer = threading.Timer(0.4, service.process.kill)
    killer.start()
    with pytest.raises((anthropic.APIError, httpx2.TransportError)):
        list(claude.messages.batches.results(batch_id))
    service.kill()
    service.start()
    assert len({item.custom_id for item in service.anthropic().messages.batches.results(batch_id)}) == 300


def test_a_stop_in_the_midst_of_chunks_is_clean(start):
    """Nothing may go on behind the back of a service that stops, such as a worker started anew."""
    service = start(speed="100000")
    client = service.openai()
    batch_ids = [submit(client, [chat_row(n) for n in range(4000)]).id for _ in range(3)]
    wait_for(lambda: client.batches.retrieve(batch_ids[0]).status != "validating")
    assert service.stop() == ""
    service.start()
    assert {finished(service.openai(), batch_id, 30).request_counts.completed for batch_id in batch_ids} == {4000}

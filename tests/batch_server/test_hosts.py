"""Checks by which names and from which web pages the service lets itself be called: DNS rebinding gets nothing, on no route."""

from __future__ import annotations

import socket

import pytest

from tests.batch_server.calls import chat_row, upload
from tests.service import HEADERS, HTTP, Service

STRANGE = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost.",
    "192.0.2.7",
    "[::2]",
    "[::1",
    "",
    "127.0.0.1:80:80",
    "user@127.0.0.1",
    "127.0.0.1/x",
)
ROUTES = (
    ("GET", "/"),
    ("GET", "/_control/health"),
    ("GET", "/_control/ledger"),
    ("POST", "/_control/reset"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/{file}/content"),
    ("DELETE", "/v1/files/{file}"),
    ("GET", "/v1/batches"),
    ("POST", "/v1/batches"),
    ("GET", "/kluster/v1/files"),
    ("GET", "/v1/messages/batches"),
    ("POST", "/v1/messages"),
    ("GET", "/v1/models"),
    ("GET", "/none"),
)


@pytest.mark.parametrize("host", STRANGE)
def test_a_strange_name_gets_nothing_on_any_route(service: Service, host: str):
    """403 everywhere, also with the Origin of its page; nothing has happened."""
    client = service.openai()
    file_id = upload(client, [chat_row(1)])
    name = host.format(port=service.facts["port"])
    for method, path in ROUTES:
        for origin in ({}, {"origin": f"http://{name}"}):
            answer = HTTP.request(method, service.base + path.format(file=file_id), headers={**HEADERS, "host": name, **origin})
            assert answer.status_code in (400, 403) if not host else answer.status_code == 403, (path, answer.text)
            assert "ひとりの木こり" not in answer.text
    assert [f.id for f in client.files.list()] == [file_id]


def test_its_own_names_at_any_port_are_fine(service: Service):
    """Through a tunnel the port is another one."""
    for name in ("127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "[::1]:9999", "127.0.0.1:80"):
        for path in ("/v1/batches", "/_control/health", "/"):
            assert HTTP.get(service.base + path, headers={**HEADERS, "host": name}).status_code == 200


def test_pages_of_other_sites_are_refused(service: Service):
    """The right Host with a foreign Origin is a page that sends a form; a page of this machine may call the APIs, not the controls."""
    for origin, api in (("http://evil.example", 403), ("null", 403), ("https://127.0.0.1.evil", 403), ("http://localhost:3000", 200)):
        assert HTTP.get(service.base + "/v1/batches", headers={**HEADERS, "origin": origin}).status_code == api
        assert HTTP.get(service.base + "/_control/health", headers={**HEADERS, "origin": origin}).status_code == 403


def test_no_name_and_two_names(service: Service):
    """What no browser sends is refused as well."""
    for lines in ("", "host: localhost\r\nhost: evil.example\r\n"):
        with socket.create_connection(("127.0.0.1", service.facts["port"]), 5) as connection:
            connection.sendall(f"GET /v1/batches HTTP/1.1\r\n{lines}authorization: Bearer k\r\nconnection: close\r\n\r\n".encode())
            assert connection.recv(100).split()[1] in (b"400", b"403")


def test_refusals_are_in_the_apis_own_words(service: Service):
    """An Anthropic client hears an Anthropic error."""
    answer = HTTP.get(service.base + "/v1/messages/batches", headers={**HEADERS, "host": "evil.example"})
    assert answer.json()["error"]["type"] == "permission_error" and answer.json()["request_id"] == answer.headers["request-id"]
    answer = HTTP.get(service.base + "/v1/batches", headers={"host": "evil.example"})
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_listening_for_others(start):
    """Names are given with --allow-host; bare addresses cannot be rebound and are fine; everything else is 403."""
    service = start("--host", "0.0.0.0", "--allow-host", "box.local", "--allow-host", "Other.Example", env={"BATCH_SERVER_KEYS": "k"})
    asked = {
        "box.local:8790": 200,
        "other.example": 200,
        "192.0.2.7:8790": 200,
        "[2001:db8::1]": 200,
        "localhost": 200,
        "evil.example": 403,
    }
    for name, status in asked.items():
        assert HTTP.get(service.base + "/v1/batches", headers={**HEADERS, "host": name}).status_code == status, name


def test_a_name_may_be_allowed_on_loopback(start):
    """Behind a proxy of one's own."""
    service = start("--allow-host", "batch.internal")
    for name, status in (("batch.internal", 200), ("192.0.2.7", 403)):
        assert HTTP.get(service.base + "/v1/batches", headers={**HEADERS, "host": name}).status_code == status

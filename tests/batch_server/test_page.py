"""Checks the status page: what it shows, and that nothing from outside becomes markup."""

from __future__ import annotations

from .conftest import HTTP, Service, chat_row, finished, submit


def test_the_page_shows_batches_and_faults_and_escapes_everything(service: Service):
    """Ids, progress, metadata and faults are there; hostile text stays text; no script may run."""
    client = service.openai()
    evil = '<script>alert("x")</script>'
    batch = finished(client, submit(client, [chat_row(n, model=evil) for n in range(3)], metadata={evil[:60]: evil}).id)
    finished(client, submit(client, ["{" + evil]).id)
    service.faults({"call": "*", "nth": 999, "action": {"body": {"x": evil}, "status": 500}})
    answer = HTTP.get(service.base + "/")
    assert batch.id in answer.text and "3 of 3" in answer.text and "Faults in force" in answer.text
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert 'name="viewport"' in answer.text


def test_the_page_is_for_this_machine(service: Service):
    """A rebound name gets nothing."""
    assert HTTP.get(service.base + "/", headers={"host": "evil.example"}).status_code == 403

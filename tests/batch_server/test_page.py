"""Checks the status page: what it shows, and that nothing from outside becomes markup."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.batch_server.calls import chat_row, finished, submit
from tests.service import HTTP, Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIETLY = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--hide-scrollbars")
HOSTILE = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'


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


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_in_a_real_browser(service: Service, tmp_path: Path):
    """Hostile models, metadata and faults stay text; on a phone's width it can be painted."""
    client = service.openai()
    submit(client, [chat_row(n, model=HOSTILE) for n in range(3)], metadata={HOSTILE[:60]: HOSTILE})
    service.faults({"call": "*", "nth": 999, "action": {"body": {"x": HOSTILE}, "status": 500}})
    picture, home = tmp_path / "phone.png", f"--user-data-dir={tmp_path / 'home'}"
    dom = subprocess.run([CHROMIUM, *QUIETLY, home, "--window-size=390,900", f"--screenshot={picture}", "--dump-dom", service.base + "/"],
                         capture_output=True, text=True, timeout=60, check=True).stdout
    assert "<title>Local batch service</title>" in dom and "&lt;script&gt;" in dom
    assert "<script" not in dom and "<img" not in dom
    assert picture.read_bytes()[:4] == b"\x89PNG"

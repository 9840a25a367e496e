"""Checks the status page: what it shows, and that nothing from outside becomes markup."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.batch_server.calls import chat_row, ended, finished, message_row, submit
from tests.service import HTTP, Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIETLY = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
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


def shown(service: Service, query: str = "") -> list[str]:
    """The ids on the page, in order."""
    return re.findall(r"<code>(batch_\w+|msgbatch_\w+)</code>", HTTP.get(f"{service.base}/{query}").text)


def test_running_first_totals_filters_and_pages(service: Service):
    """A running batch leads though a hundred are newer; totals count all; the older page has the rest; links lead there."""
    client, claude = service.openai(), service.anthropic()
    running = {"id": "batch_running", "status": "in_progress"}
    batches = [
        running,
        *({"id": f"batch_done{n:03d}", "status": "completed", "lines": [{"n": n}], "metadata": {"run": f"r{n}"}} for n in range(104)),
    ]
    service.control("seed", {"batches": batches})
    made = claude.messages.batches.create(requests=[message_row(1)])
    ended(claude, made.id)
    page = HTTP.get(service.base + "/").text
    assert shown(service)[:3] == ["batch_running", made.id, "batch_done103"] and len(shown(service)) == 100
    assert "all 106" in page and "completed 105" in page and "anthropic 1" in page and "105 answered" in page and "1 to 100 of 106" in page
    assert 'href="/?page=2">older</a>' in page
    assert shown(service, "?page=2") == [f"batch_done{n:03d}" for n in range(5, -1, -1)]
    assert shown(service, "?status=in_progress") == ["batch_running"] and shown(service, "?api=anthropic") == [made.id]
    assert shown(service, "?find=done07") == [f"batch_done{n:03d}" for n in range(79, 69, -1)] and shown(service, "?find=r42") == [
        "batch_done042"
    ]
    assert shown(service, "?page=x&status=none&other=1") == shown(service) and shown(service, "?page=99") == []
    evil = HTTP.get(service.base + "/", params={"find": HOSTILE}).text
    assert "<script" not in evil and "<img" not in evil and "No such batch" in evil
    client.batches.cancel("batch_running")


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
    dom = subprocess.run(
        [CHROMIUM, *QUIETLY, home, "--window-size=390,900", f"--screenshot={picture}", "--dump-dom", service.base + "/"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "<title>Local batch service</title>" in dom and "&lt;script&gt;" in dom
    assert "<script" not in dom and "<img" not in dom
    assert picture.read_bytes()[:4] == b"\x89PNG"

"""Hosts, portals and proxies that err: what is passing passes, one batch does not stop the others, nothing hangs."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event

import pytest

from common.errors import Busy, Denied, Refused, Unknown
from common.nouns import Batch
from common.providers import steady
from common.providers.answers import not_results, retry_after
from common.providers.anthropic import Anthropic
from common.providers.openai import OpenAIShaped
from tests.providers.test_wire import KEY, ROWS, Host, anthropic, host, openai, shard

__all__ = ["anthropic", "host", "openai"]  # fixtures


@pytest.mark.parametrize("status", [301, 302, 307, 308, 407, 421, 423, 425, 499])
def test_a_portal_says_nothing_about_a_create(host: Host, openai: OpenAIShaped, tmp_path: Path, status: int) -> None:
    """It may have been accepted: looked for, then tried again; a redirect says where to, without what it was asked with."""
    host.says("POST", "/v1/batches", b"<html>", status, Location="https://login.example/in?token=secret")
    with pytest.raises(Unknown) as raised:
        openai.submit(shard(tmp_path, b"{}\n", ref="file-1"), "m")
    assert raised.value.status == status
    assert ("to https://login.example/in," in str(raised.value)) == (status < 400)
    assert "secret" not in str(raised.value)
    assert len(host.seen) == 1


LATE = [
    (404, {"error": {"message": "No such File object"}}), (409, {}), (410, {}), (423, {}), (425, {}), (503, {}), (204, b""),
    (200, b"<html>\n{}\n</html>"), (200, {"error": {"message": "still being written"}}), (200, b"try again"), (200, {"detail": "later"}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "answer"), LATE)
def test_results_that_are_late(host: Host, openai: OpenAIShaped, anthropic: Anthropic, tmp_path: Path, status: int, answer: object) -> None:
    """They are passing trouble with its reason, and nothing is written."""
    host.says("GET", "/v1/files/file-2/content", answer, status)
    host.says("GET", "/v1/messages/batches/b/results", answer, status)
    for provider, out in ((openai, "file-2"), (anthropic, "x")):
        with pytest.raises(Unknown) as raised:
            provider.download(Batch("b", "completed", True, output=out), tmp_path / "o", tmp_path / "e")
        assert str(raised.value).isprintable()
    assert list(tmp_path.iterdir()) == []


MARKED = (b"\xef\xbb\xbf" + ROWS, b"\x1f\x8b\x08", b"\xff\xfe{\0")


@pytest.mark.parametrize("body", [b"", ROWS, b"{broken\n" + ROWS, b'[{"custom_id": 1}]', *MARKED])
def test_what_may_be_results(body: bytes) -> None:
    """Broken lines among others, marks and packed files are kept."""
    assert not_results(body, whole=True) == ""


ODD = [None, "text", 5, [], {}, {"id": None}, {"id": []}, {"id": "x\x1b"}]


def test_odd_objects_in_a_list(host: Host, openai: OpenAIShaped, anthropic: Anthropic) -> None:
    """They are left out; those beside them are seen."""
    host.says("GET", "/v1/batches?limit=100", {"data": [*ODD, {"id": "b", "created_at": []}], "has_more": False})
    host.says("GET", "/v1/messages/batches?limit=1000", {"data": [*ODD, {"id": "b", "created_at": "soon"}], "has_more": False})
    for provider in (openai, anthropic):
        assert [batch.id for batch in provider.listing()] == ["b"]


def test_a_circle_of_pages_ends(host: Host, openai: OpenAIShaped) -> None:
    """Whatever is said of more; a page that begins with the last batch of the one before loses none."""
    host.says("GET", "/v1/batches?limit=100", {"data": [{"id": "b3"}, {"id": "b2"}], "has_more": True})
    host.says("GET", "/v1/batches?limit=100&after=b2", {"data": [{"id": "b2"}, {"id": "b1"}], "has_more": True})
    host.says("GET", "/v1/batches?limit=100&after=b1", {"data": [{"id": "b3"}, {"id": "b2"}], "has_more": True})
    assert [batch.id for batch in openai.listing()] == ["b3", "b2", "b1"]


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_a_host_without_a_list(host: Host, openai: OpenAIShaped, status: int) -> None:
    """Batches are looked at one by one."""
    host.says("GET", "/v1/batches?limit=100", {}, status)
    for name in ("b1", "b2"):
        host.says("GET", f"/v1/batches/{name}", {"id": name, "status": "completed"})
    assert {batch.id: batch.ended for batch in openai.status(["b1", "b2"])} == {"b1": True, "b2": True}


@pytest.mark.parametrize("status", [400, 403, 404, 410, 423, 500, 503])
def test_one_look_that_fails(host: Host, openai: OpenAIShaped, status: int) -> None:
    """One batch does not stop the others; what is not seen has not ended, and what is gone is left out."""
    host.says("GET", "/v1/batches?limit=100", {"data": []})
    host.says("GET", "/v1/batches/bad", {}, status)
    host.says("GET", "/v1/batches/good", {"id": "good", "status": "completed"})
    found = {batch.id: batch.ended for batch in openai.status(["bad", "good"])}
    assert found == {"good": True, **({} if status in (404, 410) else {"bad": False})}


def test_looks_that_all_fail(host: Host, openai: OpenAIShaped) -> None:
    """That is no matter of one batch; a wrong key never is."""
    host.says("GET", "/v1/batches?limit=100", {"data": []})
    for status, error in ((500, Unknown), (400, Refused), (401, Denied)):
        host.says("GET", "/v1/batches/b1", {}, status)
        host.says("GET", "/v1/batches/b2", {}, status)
        with pytest.raises(error):
            list(openai.status(["b1", "b2"]))
    host.says("GET", "/v1/batches/b2", {"id": "b2"})
    with pytest.raises(Denied):
        list(openai.status(["b1", "b2"]))


NO_WISHES = ("9" * 400, "nan", "inf", "-5", "", "soon", "1e9", "\uff19", "Mon, 99 Foo 0000", "100000000")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0), ({"retry-after": " 1.5 "}, 1.5), ({"retry-after-ms": "250", "retry-after": "7"}, 0.25), ({}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0), ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        *(({name: value}, None) for name in ("retry-after", "retry-after-ms") for value in NO_WISHES),
        ({"retry-after-ms": "nan", "retry-after": "7"}, 7.0),
    ],
)  # fmt: skip
def test_what_a_host_wishes(headers: dict[str, str], seconds: float | None) -> None:
    """A wait is finite, not negative and at most a day, or there is no wish."""
    assert retry_after(headers) == seconds


def test_an_absurd_wish_comes_with_a_refusal(host: Host, openai: OpenAIShaped, tmp_path: Path) -> None:
    """It is Busy without a wish."""
    host.says("POST", "/v1/batches", {}, 429, Retry_After="9" * 400)
    with pytest.raises(Busy) as raised:
        openai.submit(shard(tmp_path, b"{}\n", ref="file-1"), "m")
    assert raised.value.retry_after is None


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_an_answer_that_drips_ends(
    host: Host, openai: OpenAIShaped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """In its headers or in its body, for a create and for a download."""
    monkeypatch.setattr(steady, "SLOW_AFTER", 0.5)
    end = Event()

    def drip(handler: object) -> None:
        try:
            handler.wfile.write(start)
            while not end.wait(0.05):
                handler.wfile.write(b"x")
        except OSError:
            pass
        handler.close_connection = True

    host.server.RequestHandlerClass.do_GET = host.server.RequestHandlerClass.do_POST = drip
    begun = time.monotonic()
    with pytest.raises(Unknown):
        openai.submit(shard(tmp_path, b"{}\n", ref="file-1"), "m")
    with pytest.raises(Unknown):
        openai.download(Batch("b", "completed", True, output="f"), tmp_path / "o", tmp_path / "e")
    end.set()
    assert time.monotonic() - begun < 10


def test_an_answer_without_end(host: Host, openai: OpenAIShaped, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An answer that is held in memory has a largest size; a file has not."""
    monkeypatch.setattr(steady.AnswerLimits, "largest", 100_000)
    host.says("GET", "/v1/batches/b", b" " * 300_000)
    with pytest.raises(Unknown, match="more than"):
        list(openai.status(["b"]))
    host.says("GET", "/v1/files/f/content", ROWS * 30_000)
    assert openai.download(Batch("b", "completed", True, output="f"), tmp_path / "o", tmp_path / "e")


def test_no_echo_of_the_key(host: Host, openai: OpenAIShaped) -> None:
    """A batch object that names the key does not bring it in."""
    host.says("GET", "/v1/batches/b", {"id": "b", "status": "failed", "errors": {"data": [{"message": f"bad {KEY}"}]}})
    (found,) = openai.status(["b"])
    assert KEY not in repr(found)


@pytest.mark.parametrize("made", [{"id": "batch_\x1b[2J"}, {"id": "x" * 1000}, {"id": []}])
def test_a_create_whose_id_is_none(host: Host, openai: OpenAIShaped, tmp_path: Path, made: dict) -> None:
    """It was accepted, so it is a lost answer."""
    host.says("POST", "/v1/batches", made)
    with pytest.raises(Unknown):
        openai.submit(shard(tmp_path, b"{}\n", ref="file-1"), "m")


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_lost_batch_in_a_list_of_any_order(host: Host, anthropic: Anthropic, tmp_path: Path, newest_first: bool) -> None:
    """What is newer than the batch noted before is found, wherever it stands."""
    times = {"old": "2026-01-01T00:00:00Z", "ref": "2026-01-02T00:00:00Z", "lost": "2026-01-03T00:00:00Z"}
    rows = [{"id": name, "created_at": at, "request_counts": {"processing": 1}} for name, at in times.items()]
    host.says("GET", "/v1/messages/batches?limit=1000", {"data": rows[::-1] if newest_first else rows, "has_more": False})
    assert [batch.id for batch in anthropic.find(shard(tmp_path, b"{}\n", ref="ref"))] == ["lost"]

"""The page to browse, asked over HTTP as a browser asks it: against the same rows in Python, and with the worst that an answer can hold."""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import uvicorn

from common.experiment.columns import BACK, FRONT
from common.reports.browse import app
from common.reports.browse_index import MOST_WORDS, ColumnRoles, build_index
from common.reports.browse_query import Index, Wish
from common.reports.browse_words import query
from common.reports.local_page import address, listen
from tests.reports.test_page import HOSTILE

HEADER = (*FRONT, ("Q1", float), ("Q2", str), ("problems", str), *BACK)
NAMES = [name for name, _ in HEADER]
PLAN = ColumnRoles(("experiment", "persona", "text", "trial"), ("Q1", "Q2"))
FINE = {"experiment": "study", "run": "r", "provider": "openai", "outcome": "succeeded", "attempts": 1, "simulated": False}


def made(n: int) -> dict:
    """A row, in an order that is nobody's."""
    rng = random.Random(n)
    model, persona, text, trial = "ab"[n % 2], str(n // 2 % 11 + 1), f"t{n // 22 % 9}", n // 198 + 1
    joy = rng.choice([None, *range(10)])
    said = f"Joy {joy}. {rng.choice(['静かな孤独が残る', 'a quiet loneliness stays', 'ﾊﾝｶｸ and ＷＩＤＥ'])}"
    return {**FINE, "model": model, "persona": persona, "text": text, "trial": trial, "custom_id": f"p{persona}_{model}_n{trial}_{text}",
            "Q1": joy, "Q2": rng.choice(["red", "blue", ""]), "answer": said}  # fmt: skip


def index_of(rows: Sequence[dict], folder: Path) -> Path:
    """An index of rows."""
    blocks = ([*zip(*([row.get(name) for name in NAMES] for row in rows[n : n + 100]))] for n in range(0, len(rows), 100))
    build_index(folder / "i.db", HEADER, blocks, PLAN, {"runs": ["openai/r"], "made": 1e9, "stands": "x", "titles": {"Q1": "Joy"}})
    return folder / "i.db"


ROWS = [made(n) for n in random.Random(5).sample(range(600), 600)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The index of ROWS."""
    with closing(Index(index_of(ROWS, tmp_path_factory.mktemp("index")))) as found:
        yield found


class Served:
    """The page of an index as a browser gets it."""

    def __init__(self, index: Index) -> None:
        self.listener = listen()
        self.server = uvicorn.Server(uvicorn.Config(app(index), log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self._thread.start()
        self._client = httpx2.Client(base_url=address(self.listener))

    def get(self, path: str, status: int = 200, **more: object) -> httpx2.Response:
        """What is there, which must be that status."""
        found = self._client.request(more.pop("method", "GET"), path, **more)
        assert found.status_code == status, found.text[:300]
        return found

    def stop(self) -> None:
        """Serve no more."""
        self._client.close()
        self.server.should_exit = True
        self._thread.join(5)


@pytest.fixture(scope="module")
def served(index: Index) -> Iterator[Served]:
    """The pages of ROWS."""
    page = Served(index)
    yield page
    page.stop()


def pages(index: Index, wish: Wish, of: str = "rows") -> list[int]:
    """The ids of all pages one after the other; each page leads back to the one before it."""
    found, before = [], None
    while True:
        page = getattr(index, of)(wish)
        assert (page.before is None) == (before is None)
        if before:
            back = getattr(index, of)(Wish(**{**vars(wish), "after": None, "before": page.before}))
            assert back.ids == before
        found += page.ids
        if not page.after:
            assert len(found) == page.count
            return found
        before, wish = page.ids, Wish(**{**vars(wish), "after": page.after})


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("name", ["", "Q1", "Q2", "persona", "text", "trial", "custom_id", "answer", "model"])
def test_any_column_sorts(index: Index, name: str, falling: bool) -> None:
    """All pages together are all rows, each once, in the order of the column; who has no value stands last."""
    found = pages(index, Wish(sort=name, falling=falling))
    assert sorted(found) == [*range(1, 601)]
    values = [ROWS[one - 1].get(name) for one in found] if name else found
    place = float if name in ("", "persona", "Q1", "trial") else str.casefold
    there = [place(value) for value in values if value not in (None, "")]
    assert there == sorted(there, reverse=falling)
    assert values[len(there) :].count(values[-1]) == len(values) - len(there)


def test_filters_and_search_are_those_of_python(index: Index) -> None:
    """Each alone and together, with Japanese in two characters, in halves and in full width."""
    wishes = [
        (Wish(alike={"model": "a", "Q2": "red"}), lambda r: r["model"] == "a" and r["Q2"] == "red"),
        (Wish(least={"Q1": 3}, most={"Q1": 7}), lambda r: r["Q1"] is not None and 3 <= r["Q1"] <= 7),
        (Wish("孤独"), lambda r: "孤独" in r["answer"]), (Wish("LONELI"), lambda r: "lonel" in r["answer"]),
        (Wish("ハンカク wide"), lambda r: "ﾊ" in r["answer"]), (Wish('"joy 7"'), lambda r: "Joy 7." in r["answer"]),
        (Wish("独孤"), lambda r: False), (Wish('" OR answer:* NEAR('), lambda r: False),
        (Wish("quiet", {"persona": "3"}, {"trial": 2}), lambda r: "quiet" in r["answer"] and r["persona"] == "3" and r["trial"] >= 2),
    ]  # fmt: skip
    for wish, fits in wishes:
        right = [n for n, row in enumerate(ROWS, 1) if fits(row)]
        assert pages(index, wish) == right, wish
    assert query("!!! 。") == ""


def test_side_by_side(index: Index) -> None:
    """What was asked stands once, in the order of its factors, with all who answered; the farthest apart come first when wished for."""
    asked = {}
    for n, row in enumerate(ROWS, 1):
        asked.setdefault((int(row["persona"]), row["text"], row["trial"]), []).append(n)
    found = pages(index, Wish(), "asked")
    assert found == [min(asked[key]) for key in sorted(asked)]
    assert sorted(index.answers_to(found)) == sorted((min(ids), one) for ids in asked.values() for one in ids)
    apart = []
    for first in pages(index, Wish(sort="apart:Q1", falling=True), "asked"):
        values = [ROWS[one - 1]["Q1"] for _, one in index.answers_to([first])]
        known = [value for value in values if value is not None]
        apart.append(max(known) - min(known) if known else -1)
    assert apart == sorted(apart, reverse=True) and apart[0] >= 8
    only = pages(index, Wish(alike={"model": "b"}, least={"Q1": 9}), "asked")
    right = {n for n, row in enumerate(ROWS, 1) if row["model"] == "b" and row["Q1"] == 9}
    assert only == [min(asked[key]) for key in sorted(asked) if right.intersection(asked[key])]


def test_pages_lead_to_each_other(served: Served) -> None:
    """Next, sort, side by side, an answer and back, as links that a person follows; an address that is kept is short."""
    first = served.get("/?q=quiet&is.model=a")
    links = re.findall(r'href="([^"]+)"', first.text)
    for link in links[::9]:
        served.get(link.replace("&amp;", "&"))
    assert any("after=" in link for link in links) and 'aria-current="page"' in first.text and "of 600 answers" in first.text
    assert served.get("/side?q=&is.model=&sort=Q1&down=1", 303).headers["location"] == "/side?sort=Q1&down=1"
    one = served.get(f"/answer?run=openai%2Fr&id={ROWS[7]['custom_id']}")
    assert f"<h1><bdi>{ROWS[7]['custom_id']}" in one.text and "Asked the same" in one.text
    assert served.get(f"/whole?run=openai%2Fr&id={ROWS[7]['custom_id']}").text == ROWS[7]["answer"]
    assert 'class="banner"' not in first.text


@pytest.mark.parametrize("path", [
    "/?sort=nope", "/?is.nope=1", "/?min.Q1=x", "/?min.Q2=1", "/?after=1", "/?before=1:x", "/?is.Q1=x", "/?q=!!", "/answer?id=none",
    "/whole?id=none", "/nowhere", "/?sort=%3Cscript%3Ealert(1)%3C/script%3E", "/side?sort=apart:nope",
])  # fmt: skip
def test_what_there_is_not_is_said(served: Served, path: str) -> None:
    """In words, and what was typed is never markup."""
    assert "<script" not in served.get(path, 404).text


def test_only_this_machine_reads(served: Served) -> None:
    """Another name, none, two, or anything but reading is refused; every answer forbids what it does not need."""
    for host in ("evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", ""):
        served.get("/", 403, headers={"host": host})
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        served.get("/", 405, method=method)
    for path, status in (("/", 200), ("/style.css", 200), ("/nowhere", 404)):
        headers = served.get(path, status, headers={"host": "localhost:1"}).headers
        assert "default-src 'none'" in headers["content-security-policy"] and "script" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    with closing(socket.create_connection(served.listener.getsockname())) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n")
        assert b" 403 " in raw.recv(100)


ACTS = re.compile(r"[=+@]|-[^0-9]|.*[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", re.DOTALL)


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.cells, self.inside = set(), [], [], ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        self.inside = tag

    def handle_data(self, data: str) -> None:
        self.cells += [data] if self.inside == "bdi" else []


def test_hostile_answers_are_text(tmp_path: Path) -> None:
    """Markup, escapes, marks of direction, formulas, halves of characters, a megabyte: in every column and on every page."""
    worst = [*HOSTILE, "x" * 1_000_000, "\u2066\u202e\u200f", "𠮷\ud83d"]
    rows = [{**made(n), "custom_id": text, "persona": text, "model": text, "Q2": text, "answer": text, "outcome": text, "simulated": True}
            for n, text in enumerate(worst)]  # fmt: skip
    with closing(Index(index_of(rows, tmp_path))) as index:
        served = Served(index)
        try:
            named = index.cells(range(1, len(worst) + 1), ["custom_id"], 1)
            names = [name for one in named.values() if len(name := one["custom_id"]) < 1_000]
            paths = ["/", "/side", f"/?q={quote('alert')}&sort=answer", *(f"/answer?id={quote(name)}" for name in names)]
            for path in paths:
                text = served.get(path).text
                seen = Tags(text)
                assert not seen.tags & {"script", "img", "style", "iframe", "svg"} and len(text) < 600_000
                assert not [name for name, _ in seen.attributes if name.startswith("on") or name == "style"]
                assert all(value.startswith(("/", "#")) for name, value in seen.attributes if name in ("href", "src", "action"))
                assert not [cell for cell in seen.cells if ACTS.match(cell)]
                assert 'class="banner"' in text
            whole = served.get(f"/whole?id={quote(names[0])}")
            assert whole.headers["content-type"] == "text/plain; charset=utf-8" and whole.text == HOSTILE[0]
            assert "\x1b" not in served.get(f"/whole?id={quote(HOSTILE[6])}").text
        finally:
            served.stop()


def test_many_words_are_sorted_and_found_too(tmp_path: Path) -> None:
    """A column with more words than are coded."""
    rows = [{**FINE, "custom_id": f"id{n}", "model": "a", "text": str(n), "answer": "yes"} for n in range(MOST_WORDS + 50)]
    with closing(Index(index_of(rows[::-1], tmp_path))) as index:
        assert index.rows(Wish(sort="text")).ids == [*range(len(rows), len(rows) - 50, -1)]
        assert index.rows(Wish(alike={"text": "7"})).ids == [len(rows) - 7]
        assert index.asked(Wish()).ids == [*range(len(rows), len(rows) - 20, -1)]

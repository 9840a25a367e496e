"""Messages to a person's channels: none holds anything up, none shows its address, and words are harmless everywhere."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.nouns import Run
from common.reports.channels import Message, channels
from common.reports.notify import Post
from common.reports.words import message
from common.runs.notices import News, Notice
from tests.hook import hook

RUN = Run("openai/tea", "tea", "d", "openai", "openai", "https://api.openai.com/v1", "tea", "", Path("tea"), 0.0, ("gpt-4.1",))
FACTS = {
    News.DONE: {"unclean": 0, "outcomes": {"succeeded": 2}, "cost_usd": 1.5},
    News.FAILED: {"unclean": 1, "outcomes": {"succeeded": 1, "empty": 1}, "cost_usd": None},
    News.REFUSED: {"batches": 1},
    News.PAUSED: {"by": "cap"},
    News.STOPPED: {"why": "Denied"},
    News.OWED: {"batches": 1, "requests": 20},
    News.STALLED: {"hours": 13, "batches": 2},
    News.EXPIRING: {"batches": 2, "at": 1.8e9},
    News.CAP: {"committed": 8.5, "cap": 10.0},
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        (" , ", []),
        ("slack://a/b/c, ntfy://topic", ["1 (slack)", "2 (ntfy)"]),
        ("mailto://me:pw@example.org?to=a@example.org,b@example.org\n json://x/y", ["1 (mailto)", "2 (json)"]),
        ("json://a,json://b", ["1 (json)", "2 (json)"]),
        ("secret-token", ["1 (no address)"]),
    ],
)
def test_several_addresses(monkeypatch: pytest.MonkeyPatch, text: str, names: list[str]) -> None:
    """Whitespace and commas part addresses; a comma inside of one does not. A name shows nothing but place and kind."""
    monkeypatch.setenv("NOTIFY_URLS", text)
    monkeypatch.delenv("NOTIFY_URL", raising=False)
    assert [channel.name for channel in channels()] == names


def test_a_channel_that_drips_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five channels two take the message; one drips for ever, one is dead, one is nonsense: told so in time, with no address."""
    with hook() as server:
        monkeypatch.setenv("NOTIFY_URL", f"http://{server.place}/old-geheim")
        urls = [f"json://{server.place}/drip-geheim", f"json://{server.place}/geheim", "json://127.0.0.1:1/geheim", "geheim"]
        monkeypatch.setenv("NOTIFY_URLS", " ".join(urls))
        began = time.monotonic()
        post = Post(Message("Tea", "is ready", {"event": "test"}), seconds=1.5)
        warning = post.warning()
        assert time.monotonic() - began < 4
    assert "reached 2 of 5 channels; not 1 (json): it broke, or did not answer in time" in warning
    assert [name in warning for name in ("NOTIFY_URL", "2 (json)", "3 (json)", "4 (no address)")] == [False, False, True, True]
    assert "geheim" not in warning
    heard = dict(server.heard)
    assert heard["/old-geheim"] == {"text": "Tea\nis ready", "event": "test"}
    assert (heard["/geheim"]["title"], heard["/geheim"]["message"]) == ("Tea", "is ready")


@given(st.sampled_from([*News]), st.text(max_size=90), st.text(max_size=20))
def test_names_are_harmless(kind: News, name: str, outcome: str) -> None:
    """Whatever a run or an outcome is called: no markup, no mention, no escape, and one line for the title."""
    facts = {**FACTS[kind], **({"outcomes": {outcome: 1}} if "outcomes" in FACTS[kind] else {})}
    told = message(replace(RUN, name=name), Notice(kind, "k", "k", facts), "make collect")
    assert re.fullmatch(r"openai/[\w.?-]{0,80} [\w ,.%-]+", told.title)
    assert not set(told.title + told.text) & set("@<>`*[]\x1b\u202e\r")
    assert told.text.splitlines()[-1] == "Next: make collect"


def test_a_rehearsal_says_so() -> None:
    """A message of a rehearsal begins with that word."""
    assert message(replace(RUN, address="local"), Notice(News.DONE, "k", "k", FACTS[News.DONE]), "x").title.startswith("REHEARSAL: ")

"""Where messages go: the addresses in NOTIFY_URLS (any that apprise knows) and NOTIFY_URL (a JSON POST); all are secret."""

from __future__ import annotations

import logging
import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from common.settings import is_loopback

TIMEOUT = 8.0  # seconds, for a POST to NOTIFY_URL
BROKEN = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+")  # a comma inside of an address is part of it
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,19})://", re.IGNORECASE)


class Channel(NamedTuple):
    """One address, and what it is called: its place and its kind, as "2 (slack)"."""

    name: str
    url: str


class Message(NamedTuple):
    """What is told: a title of one line, a text, and facts for who reads JSON."""

    title: str
    text: str
    facts: dict


def channels() -> list[Channel]:
    """All channels that the environment names; nobody is spoken to."""
    old = os.environ.get("NOTIFY_URL", "").strip()
    urls = [url.rstrip(",") for url in _BETWEEN.split(os.environ.get("NOTIFY_URLS", "").strip(" \t\r\n,")) if url.strip(",")]
    return [Channel("NOTIFY_URL", old)] * bool(old) + [Channel(f"{n} ({_kind(url)})", url) for n, url in enumerate(urls, 1)]


def _kind(url: str) -> str:
    found = _SCHEME.match(url)
    return found[1].lower() if found else "no address"


def send(channel: Channel, message: Message) -> str:
    """Give a message to a channel; "" where it was taken, else why not, without a word of the address or of the host."""
    try:
        return _posted(channel.url, message) if channel.name == "NOTIFY_URL" else _given(channel.url, message)
    except ImportError:
        return "apprise is not installed; type: make setup"
    except BROKEN as error:  # its text may quote the address
        return type(error).__name__


def _given(url: str, message: Message) -> str:
    logging.disable(logging.CRITICAL)  # apprise logs addresses
    import apprise  # only needed here

    service = apprise.Apprise()
    if not service.add(url):
        return "it is no address that apprise knows"
    sent = service.notify(title=message.title, body=message.text, body_format=apprise.NotifyFormat.TEXT)
    return "" if sent else "it was not reached, or did not take the message"


def _posted(url: str, message: Message) -> str:
    import requests  # only needed here

    if urlsplit(url).scheme != "https" and not is_loopback(url):
        return "it is not https"
    body = {"text": f"{message.title}\n{message.text}", **message.facts}
    status = requests.post(url, json=body, timeout=TIMEOUT, allow_redirects=False).status_code
    return "" if status < 300 else f"it answered {status}"

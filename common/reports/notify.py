"""One message when a run ends, pauses or breaks off, to the address in NOTIFY_URL (Slack, Mattermost, your own)."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from common.settings import is_loopback

TIMEOUT = 10.0  # seconds


def notify(text: str, found: dict) -> str:
    """Post {"text": …, "run": …} as JSON; returns a warning ("" if all went well or no address is set).

    A message that cannot be sent never changes how a run ends. The address may hold a secret, so it is never shown.
    """
    url = os.environ.get("NOTIFY_URL", "").strip()
    if not url:
        return ""
    import requests  # only needed here

    try:
        if urlsplit(url).scheme != "https" and not is_loopback(url):
            return "NOTIFY_URL is not https; no message was sent"
        status = requests.post(url, json={"text": text, **found}, timeout=TIMEOUT, allow_redirects=False).status_code
    except (requests.RequestException, ValueError) as error:
        return f"no message was sent to NOTIFY_URL ({type(error).__name__})"
    return "" if status < 300 else f"NOTIFY_URL answered {status}"

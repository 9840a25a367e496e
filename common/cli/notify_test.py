"""make notify-test: a test message to every channel that .env names, and which of them took it."""

from __future__ import annotations

import argparse

from common.cli.exits import OK, UNFINISHED
from common.cli.folder import results_folder
from common.errors import InputError
from common.reports.channels import Message, channels
from common.reports.notify import Post

_TEXT = "This is a test of the channel: a run would tell here that it is finished, paused or in need of you.\nNext: make status"


def command(args: argparse.Namespace) -> int:
    """Try all channels; 0 when each took the message, 1 when one did not. Raises InputError where there is none."""
    results_folder()  # reads .env
    if not channels():
        raise InputError("no channel is named: put addresses into NOTIFY_URLS in .env, as docs/watch.md shows")
    found = Post(Message("Test message", _TEXT, {"event": "test"})).outcome()
    for name, why in found.items():
        print(f"{name}: {f'did not work: {why}' if why else 'took the message'}")
    bad = sum(map(bool, found.values()))
    print(f"{len(found) - bad} of {len(found)} channels work")
    return UNFINISHED if bad else OK

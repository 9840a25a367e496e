"""How the value of an option is read; what cannot be one is argparse's error, in words that say what can."""

from __future__ import annotations

import argparse
import re
import time
from datetime import datetime, timedelta

from common.files import is_run_name

_CLOCK = re.compile(r"\d{1,2}:\d\d")


def count(text: str) -> int:
    """A whole number above 0."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    """A number above 0."""
    if (value := amount(text)) == 0:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value


def amount(text: str) -> float:
    """A number, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or more")
    return value


def number(text: str) -> int:
    """A whole number, 0 or more."""
    return 0 if text == "0" else count(text)


def by(text: str, now: float | None = None) -> float:
    """Unix seconds of a time of day, the next one that comes, or of an ISO time that is still to come; local time."""
    here = datetime.fromtimestamp(time.time() if now is None else now)
    try:
        if _CLOCK.fullmatch(text):
            found = datetime.combine(here.date(), datetime.strptime(text, "%H:%M").time())
            return (found if found > here else found + timedelta(days=1)).timestamp()
        moment = datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 18:00 or 2026-12-01T18:00") from None
    if moment <= here.timestamp():
        raise argparse.ArgumentTypeError(f"{text!r} is past")
    return moment


def run_name(text: str) -> str:
    """A name that a run may have."""
    if not is_run_name(text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a name of letters, digits and . _ - (at most 80)")
    return text


def port(text: str) -> int:
    """A port that a person may take; 0: any that is free."""
    if text != "0" and (not text.isascii() or not text.isdigit() or not 1024 <= int(text[:9]) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port, 1024 to 65535, or 0 for any that is free")
    return int(text)

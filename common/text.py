"""Foreign text made fit for a line, and figures as people say them."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache


def one_line(text: object, limit: int = 300) -> str:
    """A foreign text as one printable line: no control characters, so no terminal escapes."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


_EPOCH = date(1970, 1, 1).toordinal()


_FAR = 62_000_000_000  # seconds; within the years 5 to 3934


@lru_cache(4096)
def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC; "" for 0 or for a time that no calendar has."""
    if not -_FAR < seconds < _FAR or not seconds:
        return ""
    day, second = divmod(int(seconds), 86_400)
    return f"{_day(day)}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


@lru_cache(64)
def _day(number: int) -> str:
    return str(date.fromordinal(number + _EPOCH))


CONTROLS = bytes(c for c in (*range(32), 127) if c not in b"\n\t")


_C1 = re.compile(rb"\xc2[\x80-\x9f]")


def without_controls(data: bytes) -> bytes:
    """UTF-8 text without control characters other than newline and tab."""
    data = data.translate(None, CONTROLS)
    return _C1.sub(b"", data) if b"\xc2" in data else data


def many(count: int, what: str) -> str:
    """How many of a thing: 1 batch, 2 batches."""
    return f"{count:,} {what}" + ("" if count == 1 else "es" if what.endswith("ch") else "s")


def usd(amount: float | None, simulated: bool = False) -> str:
    """An amount; "as if" where nothing was paid."""
    if amount is None:
        return "unknown"
    shown = f"${amount:,.{2 if amount >= 1 else 4}f}" if amount >= 0.0001 or not amount else "under $0.0001"
    return f"{'as if ' if simulated else ''}{shown}"


def duration(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """Bytes as people say them."""
    if count >= 1e9:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"

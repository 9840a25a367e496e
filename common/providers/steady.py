"""Conversations that end: an answer that only drips, or never ends, is cut off, its headers included.

A client's timeout counts from one piece to the next, so that a byte a minute would hold it for ever.
"""

from __future__ import annotations

import time

SLOW_AFTER, SLOWEST = 60.0, 1000.0  # seconds after its first byte from which an answer must have had so many bytes a second
LARGEST = 256 << 20  # bytes of an answer that is held in memory; a page of the longest list is a hundredth of that


class AnswerLimits:
    """What the conversations of one client are held to; `largest` is None while a file is fetched."""

    largest: int | None = LARGEST


def keep_steady(client, limits: AnswerLimits) -> None:
    """Hold all connections that an httpx client will open, through a proxy or not, to a rate and a size."""
    for transport in (client._transport, *client._mounts.values()):
        if (pool := getattr(transport, "_pool", None)) is not None:  # httpx hands no backend on to its pools
            pool._network_backend = _Backend(pool._network_backend, limits)


class _Backend:
    """Opens connections as the backend beneath does."""

    def __init__(self, beneath, limits: AnswerLimits) -> None:
        self._beneath, self._limits = beneath, limits

    def connect_tcp(self, *args: object, **more: object) -> _Stream:
        return _Stream(self._beneath.connect_tcp(*args, **more), self._limits)

    def connect_unix_socket(self, *args: object, **more: object) -> _Stream:
        return _Stream(self._beneath.connect_unix_socket(*args, **more), self._limits)

    def sleep(self, seconds: float) -> None:
        self._beneath.sleep(seconds)


class _Stream:
    """One connection; what is read between two writes is one answer."""

    def __init__(self, beneath, limits: AnswerLimits) -> None:
        self._beneath, self._limits = beneath, limits
        self._begun, self._got = 0.0, 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._beneath.read(max_bytes, timeout)
        self._begun = self._begun or time.monotonic()
        self._got += len(data)
        seconds = time.monotonic() - self._begun
        if seconds > SLOW_AFTER and self._got < SLOWEST * seconds:
            raise _too_much(f"only {self._got:,} bytes came in {seconds:.0f} s")
        if self._limits.largest is not None and self._got > self._limits.largest:
            raise _too_much(f"more than {self._limits.largest:,} bytes came")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._begun, self._got = 0.0, 0
        self._beneath.write(buffer, timeout)

    def start_tls(self, *args: object, **more: object) -> _Stream:
        return _Stream(self._beneath.start_tls(*args, **more), self._limits)

    def close(self) -> None:
        self._beneath.close()

    def get_extra_info(self, info: str) -> object:
        return self._beneath.get_extra_info(info)


def _too_much(why: str) -> Exception:
    import httpcore2

    return httpcore2.ReadError(why)

"""Owns what tests ask of a command that was refused."""

from __future__ import annotations

from tests.support import Commands, End

INPUT, REFUSED = 2, 3  # exit codes


def refused(end: End, *said: str, code: int = INPUT) -> None:
    """The end of a command that did nothing: its code, and one line that says all of this."""
    assert end.code == code, end.said
    assert all(text in end.error for text in said), end.error


def nothing_was_sent(run: Commands) -> None:
    """By the service's own books: no batch, no attempt, no file."""
    assert run.attempts() == []
    assert not any(run.world.control("health").get(kind) for kind in ("files", "batches"))

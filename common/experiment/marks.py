"""Owns the mark that a sent id ends in at hosts without metadata: a short hash by which a batch's rows prove whose they are."""

from __future__ import annotations

import hashlib
import secrets

SIZE = 8  # hex digits


def new_secret() -> str:
    """A random value from which all marks of one run follow."""
    return secrets.token_hex(8)


def mark_of(secret: str, n: int, attempt: int) -> str:
    """The mark of a shard, of its run's value or of the mark of the shard that it comes from; "" where those have none."""
    return hashlib.sha256(f"{secret}#{n}#{attempt}".encode()).hexdigest()[:SIZE] if secret else ""


def suffix(mark: str) -> str:
    """What an id that was sent under a mark ends in; "" without a mark."""
    return f"-{mark}" if mark else ""


def moved(request_id: str, mark: str, to: str) -> str:
    """The id under which another shard of the family, whose mark is `to`, asks the same; "" for an id without `mark`.

    With `to` = "" it is the id without a mark, which stays the same over all attempts.
    """
    if mark == to:
        return request_id
    end = suffix(mark)
    return request_id[: len(request_id) - len(end)] + suffix(to) if request_id.endswith(end) else ""

"""Owns the limits of an account, and the reading of numbers that clients send."""

from __future__ import annotations

import time

from .errors import ApiError
from .gate import Service
from .rows import Memory
from .state import State

HOUR = 3600.0


def number(text: str | None, default: int, low: int, high: int, name: str) -> int:
    """A whole number of a query string, within its range."""
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        raise ApiError(400, f"Invalid type for '{name}': expected an integer.", code="invalid_type", param=name)
    value = int(text)
    if value < low:
        raise ApiError(400, f"Invalid '{name}': integer below minimum value. Expected a value >= {low}, but got {value} instead.",
                       code="integer_below_min_value", param=name)
    if value > high:
        raise ApiError(400, f"Invalid '{name}': integer above maximum value. Expected a value <= {high}, but got {value} instead.",
                       code="integer_above_max_value", param=name)
    return value


def storage(service: Service, account: str, more: int) -> None:
    """Refuse an upload that the account has no room for."""
    limit = service.settings.storage_bytes
    if limit and service.state.stored_bytes(account) + more > limit:
        raise ApiError(413, f"The upload would exceed the storage limit of {limit} bytes of this project.", code="storage_limit_exceeded")


def creation(service: Service, account: str) -> None:
    """Refuse a batch beyond the number that may be made in an hour."""
    limit = service.settings.creation_rate
    if not limit:
        return
    since = time.time() - HOUR
    made = service.state.read("select count(*) from batches where account = ? and json_extract(doc, '$.created_real') > ?",
                              (account, since))[0][0]
    if made >= limit:
        raise ApiError(429, f"Rate limit reached for batch creation: {limit} per hour.", code="rate_limit_exceeded",
                       kind="rate_limit_error", headers={"retry-after": "60"})


def queued_requests(service: Service, account: str, more: int) -> None:
    """Refuse a Message Batch that the queue has no room for."""
    limit = service.settings.queued_requests
    queued = sum(batch.total for batch in service.state.live.values() if batch.account == account)
    if limit and queued + more > limit:
        raise ApiError(429, f"This request would exceed your organization's limit of {limit} requests in the batch processing queue.",
                       headers={"retry-after": "30"})


def memory(state: State) -> Memory:
    """What is remembered of a row: (failures, cap) or None."""
    def look(key: str) -> tuple[int, int] | None:
        return next(iter(state.read("select failed, cap from rows where hash = ?", (bytes.fromhex(key),))), None)
    return look

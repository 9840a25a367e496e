"""The outcome of a single request inside a batch: its classes, how each is recognised, and what each class's policy is."""

from __future__ import annotations

from enum import Enum


class Policy(Enum):
    """What to do with a row that has no clean answer."""

    RETRY = "retry"  # a passing trouble: once more in a new shard
    LONGER = "longer"  # cut off: once more with a higher cap, if the experiment allows it
    NEVER = "never"  # the same request would fail again
    PAUSE = "pause"  # money: the whole run waits for a person


SUCCEEDED = "succeeded"
PENDING = "pending"  # a row whose batch has not been collected yet
OWED = "owed"  # a row that may have been answered and paid, but has not been had yet


# The single table of row classes. "missing" is a row that no file of an ended batch mentions.
POLICY: dict[str, Policy] = {
    "expired": Policy.RETRY,
    "cancelled": Policy.NEVER,  # somebody wanted it stopped: only a command brings it back
    "not_accepted": Policy.NEVER,  # its whole batch was refused
    "server_error": Policy.RETRY,
    "overloaded": Policy.RETRY,
    "rate_limited": Policy.RETRY,
    "connection": Policy.RETRY,
    "missing": Policy.RETRY,
    OWED: Policy.NEVER,
    "unreadable": Policy.NEVER,  # answered and paid, in a shape that we cannot read: kept raw
    "given_up": Policy.NEVER,  # owed, until a person gave it up
    "malformed": Policy.RETRY,
    "truncated": Policy.LONGER,
    "refused": Policy.NEVER,
    "empty": Policy.NEVER,
    "invalid_request": Policy.NEVER,
    "unsupported_model": Policy.NEVER,
    "authentication": Policy.NEVER,
    "failed": Policy.NEVER,
    "quota": Policy.PAUSE,
}


PAID = ("unreadable", OWED, "given_up")  # answered, or perhaps: no command that we propose buys them again

_BY_CODE = {
    "batch_expired": "expired",
    "batch_cancelled": "cancelled",
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_error": "quota",
    "enforced_spend_limit_reached": "quota",
    "insufficient_balance": "quota",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
    "api_error": "server_error",
    "server_error": "server_error",
    "timeout_error": "server_error",
    "model_not_found": "unsupported_model",
    "not_found_error": "unsupported_model",
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "permission_error": "authentication",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "invalid_request_error": "invalid_request",
}


def row_class(status: int | None, *codes: str | None) -> str:
    """The row class of a failure: its code or type decides first, its HTTP status (None or 0 if none) second.

    Sources of the codes: the error tables of OpenAI and Anthropic (docs/providers.md).
    """
    for code in codes:
        if code and code in _BY_CODE:
            # OpenAI's "invalid_request_error" is the type of nearly all of its errors: the status knows better.
            if code == "invalid_request_error" and status and status not in (400, 413, 422):
                continue
            return _BY_CODE[code]
    if not status:
        return "connection"
    if status in (401, 403):
        return "authentication"
    if status == 402:
        return "quota"
    if status == 404:
        return "unsupported_model"
    if status == 429:
        return "rate_limited"
    if status in (503, 529):
        return "overloaded"
    if status >= 500 or status in (408, 409):
        return "server_error"
    return "invalid_request"

"""What can go wrong, sorted by one question: may the provider have accepted it?

    BatchError
    ├─ Usage       the command, key, file or experiment must change      nothing was sent
    ├─ Refused     4xx: asking again will not help                       not accepted
    │  ├─ Denied   the key is wrong or may not do this                   not accepted; the run stops
    │  └─ Broke    quota, balance or spending cap                        not accepted; the run pauses
    ├─ Busy        429, queue full; may carry retry_after                not accepted → repeat reads at once;
    │                                                                    before another submit: one look all the same
    ├─ Unreached   DNS failure, connection refused                       not accepted → repeat anything
    └─ Unknown     timeout, 5xx, cut after sending                       MAYBE accepted → repeat reads; before
                                                                         another submit: find

Rows (single answers inside a batch) have classes of their own, with one policy each: `POLICY`.
"""

from __future__ import annotations

from enum import Enum


class BatchError(Exception):
    """Root of all errors that reach a person; its text is one line that says what happened."""


class Usage(BatchError):
    """The command, a key, a file or the experiment must change. Nothing was sent."""


class Refused(BatchError):
    """The provider said no and would say no again. `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Denied(Refused):
    """401 or 403: this key is wrong or may not do this."""


class Broke(Refused):
    """Quota, balance or a spending cap: only money or a person helps."""


class Busy(BatchError):
    """429 or a full queue. `retry_after` is the provider's wish in seconds, None if it named none."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreached(BatchError):
    """No connection was made, so nothing can have been accepted."""


class Unknown(BatchError):
    """The answer was lost after sending: the provider may have accepted it. `retry_after` in seconds, if it named one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Policy(Enum):
    """What to do with a row that has no clean answer."""

    AGAIN = "again"  # a passing trouble: once more in a new shard
    LONGER = "longer"  # cut off: once more with a higher cap, if the experiment allows it
    NEVER = "never"  # the same request would fail again
    PAUSE = "pause"  # money: the whole run waits for a person


SUCCEEDED = "succeeded"

# The single table of row classes. "missing" is a row that no file of an ended batch mentions.
POLICY: dict[str, Policy] = {
    "expired": Policy.AGAIN,
    "cancelled": Policy.NEVER,  # somebody wanted it stopped: only a command brings it back
    "not_accepted": Policy.NEVER,  # its whole batch was refused
    "server_error": Policy.AGAIN,
    "overloaded": Policy.AGAIN,
    "rate_limited": Policy.AGAIN,
    "connection": Policy.AGAIN,
    "missing": Policy.AGAIN,
    "malformed": Policy.AGAIN,
    "truncated": Policy.LONGER,
    "refused": Policy.NEVER,
    "empty": Policy.NEVER,
    "invalid_request": Policy.NEVER,
    "unsupported_model": Policy.NEVER,
    "authentication": Policy.NEVER,
    "failed": Policy.NEVER,
    "quota": Policy.PAUSE,
}

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


def disk_error(error: Exception) -> str:
    """What went wrong with a file or the journal, with the file's name where it is known."""
    where = getattr(error, "filename", None) or ("" if isinstance(error, OSError) else "journal.db in the results folder")
    return f"{where}: " * bool(where) + (getattr(error, "strerror", None) or str(error))

"""What can go wrong, sorted by one question: may the provider have accepted it?

    BatchError
    ├─ InputError  the command, key, file or experiment must change      nothing was sent
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


class BatchError(Exception):
    """Root of all errors that reach a person; its text is one line that says what happened."""


class InputError(BatchError):
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
    """The answer was lost after sending: the provider may have accepted it. `retry_after` in seconds, if it named one.

    `status` is the HTTP status, 0 when none came.
    """

    def __init__(self, message: str, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


def disk_error(error: Exception) -> str:
    """What went wrong with a file or the journal, with the file's name where it is known."""
    where = getattr(error, "filename", None) or ("" if isinstance(error, OSError) else "journal.db in the results folder")
    return f"{where}: " * bool(where) + (getattr(error, "strerror", None) or str(error))

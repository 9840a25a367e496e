"""What a host's answers mean in our errors: statuses, headers, failed conversations, and bodies that are no result file."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Collection, Mapping
from datetime import datetime

import orjson

from common.errors import BatchError, Broke, Busy, Denied, Refused, Unknown, Unreached
from common.providers.foreign import complaint, object_at, reason, word
from common.rates import RateHeaders
from common.text import one_line

LONGEST_WISH = 86_400.0  # seconds; a Retry-After beyond that is no wish but a mistake
# What portals, proxies and gateways answer besides 3xx: nothing about the request, which may or may not have got through.
PASSING = (407, 408, 421, 423, 425, 499)
HEAD = 1 << 16  # bytes of a body by which it is judged
_NUMBER = re.compile(r"[0-9]{1,9}")
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?){unit})?" for unit in ("d", "h", "m", "s", "ms")))
_MARKS = (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")  # gzip, UTF-16: read later


def from_status(title: str, status: int, body: object, headers: Mapping[str, str], money: Collection[str] = ()) -> BatchError:
    """The error that an HTTP status and its error body mean; `money`: the codes by which a 429 asks for money, not time."""
    said = complaint(body)
    error = object_at(body, "error") if isinstance(body, dict) else {}
    code = word(object_at(error, "details").get("error_code")) or word(error.get("code")) or said.code or said.kind
    text = f"{title} answered {status}{f' ({code})' if code else ''}: {said.message or one_line(body or 'no message')}"
    if 300 <= status < 400:
        to = one_line(headers.get("location", "").partition("?")[0], 200)
        return Unknown(f"{title} answered {status}: a redirect{f' to {to}' if to else ''}, which is not followed", status=status)
    if status == 402 or (status == 429 and code in money):
        return Broke(text, status, code)
    if status == 429:
        return Busy(text, retry_after(headers))
    if status in (401, 403):
        return Denied(text, status, code)
    if status >= 500 or status < 200 or status in PASSING:
        return Unknown(text, retry_after(headers), status)
    return Refused(text, status, code)


def from_transport(title: str, error: BaseException) -> BatchError:
    """The error that a failed conversation means; what counts is whether a connection had been made."""
    httpx = sys.modules["httpx2"]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BatchError):  # raised while a body was read, so that nobody can have got all of it
            return cause
        if isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)):
            return Unreached(f"{title} could not be reached: {one_line(cause) or type(cause).__name__}")
        cause = cause.__cause__
    cause = error.__cause__ or error
    return Unknown(f"the answer of {title} was lost: {one_line(cause) or type(cause).__name__}")


def no_answer(title: str, error: BaseException) -> BatchError:
    """A 200 whose body is not what the API promises: whatever was asked for may have happened."""
    return Unknown(f"{title} answered with something that is no answer: {one_line(error)}")


def without_key(error: BatchError, key: str) -> BatchError:
    """An error whose text names no key, whatever a host has echoed."""
    if key:
        error.args = (str(error).replace(key, "…"),)
    return error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's headers ask us to wait, 0 to a day; None if they name none. Understands ms, seconds, dates."""
    for name, share in (("retry-after-ms", 1000), ("retry-after", 1)):
        seconds = _seconds(headers.get(name, "").strip())
        if seconds is not None and 0 <= seconds / share <= LONGEST_WISH:
            return seconds / share
    return None


def _seconds(value: str) -> float | None:
    """A number, or the time until a date; None for what is neither."""
    if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        return float(value)
    if not value or len(value) > 64 or value[-1].isdigit() and "," not in value:
        return None
    from email.utils import parsedate_to_datetime  # seldom needed

    try:
        left = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, left) if math.isfinite(left) else None


def rate(headers: Mapping[str, str]) -> RateHeaders | None:
    """What an answer's headers say of the requests that the account may still make; None where they do not, or make no sense."""
    for prefix, name, of in (("x-ratelimit-", "{}-requests", _duration), ("anthropic-ratelimit-requests-", "{}", _until)):
        limit, left, reset = (headers.get(prefix + name.format(part), "") for part in ("limit", "remaining", "reset"))
        if _NUMBER.fullmatch(left) and (seconds := of(reset, headers)) is not None:
            return RateHeaders(int(limit) if _NUMBER.fullmatch(limit) else None, int(left), seconds)
    return None


def _duration(value: str, headers: Mapping[str, str]) -> float | None:
    """The seconds of a duration such as 6m0s, 1.5s or 120ms."""
    found = _DURATION.fullmatch(value) if value else None
    return sum(float(n or 0) * unit for n, unit in zip(found.groups(), (86400, 3600, 60, 1, 0.001), strict=True)) if found else None


def _until(value: str, headers: Mapping[str, str]) -> float | None:
    """The seconds until a moment (RFC 3339), by the host's own clock where it shows that."""
    if not value or len(value) > 64:
        return None
    from email.utils import parsedate_to_datetime

    try:
        then = datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return None
    try:
        return then - parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return then - time.time()


def not_results(head: bytes, whole: bool) -> str:
    """Why a body is no result file, judged by its beginning; "" where it may be one. `whole`: there is no more of it.

    A page, or an error as JSON, is not; lines of which some are broken are, and so is no byte at all.
    """
    if head.startswith(_MARKS):
        return ""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return ""
    if not re.search(rb"^\s*[{\[]", text, re.MULTILINE) or text.startswith(b"<"):
        return f"a body that is no JSON lines: {reason(text[:200].decode('utf-8', 'replace'))}"
    if whole:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            return ""
        if isinstance(found, dict) and "custom_id" not in found:
            return f"an answer that is no result: {complaint(found).message or reason(text[:200].decode('utf-8', 'replace'))}"
    return ""

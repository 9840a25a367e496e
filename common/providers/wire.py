"""Plain requests to one host, streamed both ways and sent once each, and what their failures mean in our errors."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import orjson

from common.errors import BatchError, Broke, Busy, Denied, Refused, Unknown, Unreached
from common.files import whole_file
from common.retry import Pace
from common.text import one_line

SLOW_AFTER, SLOWEST = 60.0, 1000.0  # after so many seconds a download must have had so many bytes a second
CONNECT, READ = 10.0, 120.0  # seconds: for a connection, and between two pieces of an answer
BLOCK = 1 << 18  # bytes that a large body is sent in at a time
MONEY = {"insufficient_quota", "billing_hard_limit_reached", "enforced_spend_limit_reached", "insufficient_balance"}


def segment(name: str) -> str:
    """An id as one segment of a path, so that no id leads anywhere else. Raises Refused for one that cannot be an id."""
    if not name.strip("."):
        raise Refused(f"{name!r} is no id", 404)
    return quote(name, safe="")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's headers ask us to wait, None if they do not. Understands ms, seconds and dates."""
    try:
        if ms := headers.get("retry-after-ms"):
            return float(ms) / 1000
        value = headers.get("retry-after")
        if value is None:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        from email.utils import parsedate_to_datetime  # seldom needed

        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def from_status(title: str, status: int, body: object, headers: Mapping[str, str]) -> BatchError:
    """The error that an HTTP status and its error body mean."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    error = error if isinstance(error, dict) else {"message": error}
    details = error.get("details") if isinstance(error.get("details"), dict) else {}
    code = str(details.get("error_code") or error.get("code") or error.get("type") or "")
    said = one_line(error.get("message") or body or "no message")
    text = f"{title} answered {status}{f' ({code})' if code else ''}: {said}"
    if status == 402 or (status == 429 and code in MONEY):
        return Broke(text, status, code)
    if status == 429:
        return Busy(text, retry_after(headers))
    if status in (401, 403):
        return Denied(text, status, code)
    if status >= 500 or status == 408:
        return Unknown(text, retry_after(headers))
    return Refused(text, status, code)


def from_transport(title: str, error: BaseException) -> BatchError:
    """The error that a failed conversation means; what counts is whether a connection had been made."""
    httpx = sys.modules["httpx2"]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)):
            return Unreached(f"{title} could not be reached: {one_line(cause) or type(cause).__name__}")
        cause = cause.__cause__
    cause = error.__cause__ or error
    return Unknown(f"the answer of {title} was lost: {one_line(cause) or type(cause).__name__}")


def no_answer(title: str, error: BaseException) -> BatchError:
    """A 200 whose body is not what the API promises: whatever was asked for may have happened."""
    return Unknown(f"{title} answered with something that is no answer: {one_line(error)}")


class Wire:
    """One host's API over one httpx2 client (the library beneath both SDKs), made at the first call.

    Nothing is repeated here, and nothing but a GET is sent on to where an answer points. Every call raises only the
    errors of errors.py, without the key in their text.
    """

    def __init__(self, title: str, base_url: str, key: str, pace: Pace, headers: Mapping[str, str]) -> None:
        self._title, self._key, self._pace = title, key, pace
        self._base_url, self._headers = base_url, headers
        self._made = None

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: object) -> dict:
        """The JSON object that a call answers; `more` is httpx2's: params, json, or content in blocks."""
        with self._call() as client:
            response = client.request(method, path, headers=headers, follow_redirects=method == "GET", **more)
            self._check(response)
            found = orjson.loads(response.content)
            if not isinstance(found, dict):
                raise ValueError("not a JSON object")
            return found

    def fetch(self, path: str, to: Path) -> str:
        """Stream what a GET answers into a file, whole or not at all; its sha256 as received.

        Raises Unknown when it is cut, or when it only drips: a timeout between two pieces does not end that.
        """
        with self._call() as client, client.stream("GET", path, follow_redirects=True) as response:
            if not response.is_success:
                response.read()
                self._check(response)
            return self._save(response.iter_bytes(), to)

    def close(self) -> None:
        """Let go of its connections."""
        if self._made is not None:
            self._made.close()

    def _save(self, blocks: Iterable[bytes], to: Path) -> str:
        digest, got, begun = hashlib.sha256(), 0, time.monotonic()
        with whole_file(to) as file:
            for block in blocks:
                digest.update(block)
                file.write(block)
                got += len(block)
                seconds = time.monotonic() - begun
                if seconds > SLOW_AFTER and got < SLOWEST * seconds:
                    raise Unknown(f"{self._title} sent only {got:,} bytes in {seconds:.0f} s; the download is begun anew")
        return digest.hexdigest()

    def _check(self, response) -> None:
        if response.is_success:
            return
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = response.text
        raise from_status(self._title, response.status_code, body, response.headers)

    @contextmanager
    def _call(self) -> Iterator:
        """The client, for one call at the host's pace; what goes wrong with it becomes an error of ours."""
        import httpx2

        if self._made is None:
            timeout = httpx2.Timeout(READ, connect=CONNECT)
            self._made = httpx2.Client(base_url=self._base_url, headers=self._headers, timeout=timeout, verify=self._trust())
        self._pace.wait()
        try:
            with self.reading():
                yield self._made
        except httpx2.TransportError as error:
            found = from_transport(self._title, error)
        except (httpx2.RequestError, httpx2.InvalidURL, httpx2.StreamError) as error:
            found = no_answer(self._title, error)
        except BatchError as error:
            found = error
        else:
            return
        raise without_key(found, self._key) from None

    def _trust(self):
        """Whose certificates count. On plain http, which never leaves this machine, nobody's, and none need be read."""
        import ssl

        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if self._base_url.startswith("http:") else True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While an answer is taken apart: what is not of the API's shape is no answer."""
        try:
            yield
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise without_key(no_answer(self._title, error), self._key) from None


def without_key(error: BatchError, key: str) -> BatchError:
    """An error whose text names no key, whatever a host has echoed."""
    if key:
        error.args = (str(error).replace(key, "…"),)
    return error

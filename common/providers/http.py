"""One host through the client of its official SDK: each call sent once and streamed, and what its failures mean in our errors."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import orjson

from common.errors import BatchError, Broke, Busy, Denied, Refused, Unknown, Unreached
from common.files import whole_file
from common.nouns import Host
from common.retry import Pace
from common.text import one_line

SLOW_AFTER, SLOWEST = 60.0, 1000.0  # after so many seconds a download must have had so many bytes a second
CONNECT, READ = 10.0, 120.0  # seconds: for a connection, and between two pieces of an answer
_MISSHAPEN = (AttributeError, LookupError, TypeError, ValueError)  # what an answer of another shape provokes


class Http:
    """One account's calls. `make` is given what every SDK client takes, and returns the client; it is imported only then.

    Nothing is repeated here (`max_retries=0`: left alone, an SDK sends each call up to three times), and nothing but a
    GET is sent on to where an answer points. Every call raises only the errors of errors.py, without the key in their text.
    """

    def __init__(
        self, host: Host, base_url: str, key: str, headers: Mapping[str, str], make: Callable, money: Collection[str]
    ) -> None:
        self._title, self._base_url, self._key, self._headers = host.title, base_url, key, headers
        self._make, self._money = make, money
        self._pace = Pace(host.requests_per_minute)
        self._made = None

    # ---- calls

    def get(self, path: str, **params: object) -> bytes:
        """The body that a GET answers."""
        import httpx2

        with self.call() as client:
            return client.get(path, cast_to=httpx2.Response, options={"params": params, "follow_redirects": True}).content

    def post(self, path: str, headers: Mapping[str, str] | None = None, **body: object) -> bytes:
        """The body that a POST answers; `body` is the SDK's: an object as `body`, or blocks of bytes as `content`."""
        import httpx2

        with self.call() as client:
            return client.post(path, cast_to=httpx2.Response, options={"headers": headers or {}}, **body).content

    def delete(self, path: str) -> bytes | None:
        """Ask for something to be deleted; what the host says to that. None for what is no longer there."""
        import httpx2

        try:
            with self.call() as client:
                return client.delete(path, cast_to=httpx2.Response).content
        except Refused as error:
            if error.status != 404:
                raise
            return None

    def fetch(self, path: str, to: Path) -> str:
        """Stream what a GET answers into a file, whole or not at all; its sha256 as received.

        Raises Unknown when it is cut, or when it only drips: a timeout between two pieces does not end that.
        """
        import httpx2

        options = {"follow_redirects": True, "headers": {"Accept": "application/binary"}}
        with self.call() as client, closing(client.get(path, cast_to=httpx2.Response, options=options, stream=True)) as response:
            return self._save(response.iter_bytes(), to)

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

    # ---- the client

    @contextmanager
    def call(self) -> Iterator:
        """The SDK's client, for one call at the host's pace; what goes wrong with it becomes an error of ours."""
        import httpx2

        client = self._client()
        sdk = sys.modules[type(client).__module__.partition(".")[0]]
        self._pace.wait()
        try:
            yield client
        except BatchError as error:
            found = error
        except sdk.APIStatusError as error:
            found = self._refusal(error.response)
        except (sdk.APIConnectionError, httpx2.TransportError) as error:
            found = from_transport(self._title, error)
        except (sdk.APIError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, *_MISSHAPEN) as error:
            found = no_answer(self._title, error)
        else:
            return
        raise without_key(found, self._key) from None

    def _client(self):
        import httpx2

        if self._made is None:
            timeout = httpx2.Timeout(READ, connect=CONNECT)
            hooks = {"request": [self._keep_key_home]}
            beneath = httpx2.Client(timeout=timeout, verify=self._trust(), event_hooks=hooks)
            self._made = self._make(
                api_key=self._key, base_url=self._base_url, default_headers=self._headers,
                max_retries=0, timeout=timeout, http_client=beneath,
            )  # fmt: skip
        return self._made

    def _trust(self):
        """Whose certificates count. On plain http, which never leaves this machine, nobody's, and none need be read."""
        import ssl

        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if self._base_url.startswith("http:") else True

    def _keep_key_home(self, request) -> None:
        """A request that was sent on to another place goes there without the key, whatever header holds it."""
        if self._key and request.url.origin != self._made.base_url.origin:
            for name in [name for name, value in request.headers.items() if self._key in value]:
                del request.headers[name]

    def close(self) -> None:
        """Let go of its connections."""
        if self._made is not None:
            self._made.close()

    # ---- what failures mean

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While an answer is taken apart: what is not of the API's shape is no answer."""
        try:
            yield
        except _MISSHAPEN as error:
            raise without_key(no_answer(self._title, error), self._key) from None

    def _refusal(self, response) -> BatchError:
        """What a status means, from the answer itself: an SDK's own text of it may be anything, and differs."""
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = response.text
        return from_status(self._title, response.status_code, body, response.headers, self._money)


def from_status(title: str, status: int, body: object, headers: Mapping[str, str], money: Collection[str] = ()) -> BatchError:
    """The error that an HTTP status and its error body mean; `money`: the codes by which a 429 asks for money, not time."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    error = error if isinstance(error, dict) else {"message": error}
    details = error.get("details") if isinstance(error.get("details"), dict) else {}
    code = str(details.get("error_code") or error.get("code") or error.get("type") or "")
    said = one_line(error.get("message") or body or "no message")
    text = f"{title} answered {status}{f' ({code})' if code else ''}: {said}"
    if status == 402 or (status == 429 and code in money):
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


def segment(name: str) -> str:
    """An id as one segment of a path, so that no id leads anywhere else. Raises Refused for one that cannot be an id."""
    if not name.strip("."):
        raise Refused(f"{name!r} is no id", 404)
    return quote(name, safe="")

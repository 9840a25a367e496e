"""What the two official SDKs have in common for us: one table from their errors to ours, paging, and streams."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from common.errors import BatchError, Broke, Busy, Denied, Refused, Unknown, Unreached
from common.jsonl import whole_file
from common.providers.base import Provider
from common.records import Batch, Host
from common.retry import Pace

SLOW_AFTER, SLOWEST = 60.0, 1000.0  # after so many seconds a download must have had so many bytes a second
CONNECT, READ = 10.0, 120.0  # seconds: for a connection, and between two pieces of an answer
MONEY = {"insufficient_quota", "billing_hard_limit_reached", "enforced_spend_limit_reached", "insufficient_balance"}


def one_line(text: object, limit: int = 300) -> str:
    """A foreign text as one printable line: no control characters, so no terminal escapes."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def retry_after(headers) -> float | None:
    """Seconds that an answer's headers ask us to wait, None if they do not. Understands ms, seconds and dates."""
    try:
        if ms := headers.get("retry-after-ms"):
            return float(ms) / 1000
        value = headers.get("retry-after")
        if value is None:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def from_status(title: str, status: int, body: object, headers) -> BatchError:
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


class SdkProvider(Provider):
    """One account at one host, spoken to through an official SDK that is imported at the first call, never before."""

    def __init__(self, host: Host, base_url: str, key: str) -> None:
        self.host = host
        self._pace = Pace(host.requests_per_minute)
        self._base_url = base_url
        self._key = key
        self._made = None

    @abstractmethod
    def _make_client(self):
        """The SDK's client. Must be made with max_retries=0."""

    @staticmethod
    @abstractmethod
    def to_batch(raw: dict) -> Batch:
        """A batch object as the API gives it → Batch."""

    @abstractmethod
    def _first_page(self):
        """The newest page of the account's batches."""

    @abstractmethod
    def _retrieve(self, batch_id: str):
        """One batch as the SDK's object."""

    @property
    def _client(self):
        if self._made is None:
            self._made = self._make_client()
        return self._made

    @contextmanager
    def _call(self) -> Iterator[None]:
        """Turn every error of the SDK and of its transport into one of ours, without the key in its text."""
        client = self._client
        self._pace.wait()
        sdk, httpx = sys.modules[type(client).__module__.partition(".")[0]], sys.modules["httpx2"]
        try:
            yield
        except sdk.APIStatusError as error:
            found = from_status(self.host.title, error.status_code, error.body, error.response.headers)
        except (sdk.APIConnectionError, httpx.TransportError) as error:
            found = from_transport(self.host.title, error)
        except (sdk.APIError, httpx.InvalidURL, httpx.StreamError, AttributeError, LookupError, TypeError, ValueError) as error:
            # a 200 whose body is not what the API promises: whatever was asked for may have happened
            found = Unknown(f"{self.host.title} answered with something that is no answer: {one_line(error)}")
        else:
            return
        found.args = (found.args[0].replace(self._key, "…"),)
        raise found from None

    def listing(self) -> Iterator[Batch]:
        for page in self._pages():
            yield from page

    def _pages(self) -> Iterator[list[Batch]]:
        with self._call():
            page = self._first_page()
        while True:
            with self._call():
                batches = [self.to_batch(raw.to_dict(mode="json", warnings=False)) for raw in page.data]
            yield batches
            with self._call():
                if not page.has_next_page():
                    return
                page = page.get_next_page()

    def status(self, batch_ids: Iterable[str]) -> Iterator[Batch]:
        wanted = set(batch_ids)
        if len(wanted) > 1:
            for page in self._pages():
                hits = [batch for batch in page if batch.id in wanted]
                wanted.difference_update(batch.id for batch in hits)
                yield from hits
                if not wanted or not hits:  # ours are neighbours in time: a page without any is past them
                    break
        for batch_id in sorted(wanted):
            try:
                with self._call():
                    batch = self.to_batch(self._retrieve(batch_id).to_dict(mode="json", warnings=False))
            except Refused as error:
                if error.status != 404:
                    raise
                continue
            yield batch

    def _stream(self, response, path: Path) -> str:
        """The body of a streamed response → a file, whole or not at all; its sha256.

        Raises Unknown when it is cut, or when it only drips: a timeout between two pieces does not end that.
        """
        digest, got, begun = hashlib.sha256(), 0, time.monotonic()
        with whole_file(path) as file:
            for block in response.iter_bytes():
                digest.update(block)
                file.write(block)
                got += len(block)
                seconds = time.monotonic() - begun
                if seconds > SLOW_AFTER and got < SLOWEST * seconds:
                    raise Unknown(f"{self.host.title} sent only {got:,} bytes in {seconds:.0f} s; the download is begun anew")
        return digest.hexdigest()

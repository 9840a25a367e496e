"""What both API shapes have in common: plain requests on a run's way, the official SDK for what is seldom, and paging."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from common.errors import Refused
from common.nouns import Batch, Host
from common.providers.base import Provider
from common.providers.wire import Wire, from_status, from_transport, no_answer, segment, without_key
from common.retry import Pace


class SdkProvider(Provider):
    """One account at one host.

    What every run does (upload, create, look, download) goes over the wire as plain streamed requests: an SDK takes
    longer to import than such a run takes, and holds large bodies in memory. What is done seldom (cancel, inspect,
    delete) goes through the official SDK, imported at that call and never before.
    """

    batches: str  # the path of the batches
    page: Mapping[str, object]  # the parameters that ask for the largest page of them
    cursor: str  # the parameter that names the last batch of the page before

    def __init__(self, host: Host, base_url: str, key: str, headers: Mapping[str, str]) -> None:
        self.host = host
        self._base_url, self._key, self._headers = base_url, key, headers
        self._pace = Pace(host.requests_per_minute)
        self._wire = Wire(host.title, base_url, key, self._pace, {"Authorization": f"Bearer {key}", **headers})
        self._made = None

    @abstractmethod
    def _make_client(self):
        """The SDK's client. Must be made with max_retries=0: left alone, an SDK sends each call up to three times."""

    @staticmethod
    @abstractmethod
    def to_batch(raw: dict) -> Batch:
        """A batch object as the API gives it → Batch."""

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
            found = no_answer(self.host.title, error)
        else:
            return
        raise without_key(found, self._key) from None

    def close(self) -> None:
        self._wire.close()
        if self._made is not None:
            self._made.close()

    def listing(self) -> Iterator[Batch]:
        for page in self._pages():
            yield from page

    def _pages(self) -> Iterator[list[Batch]]:
        last, more = "", {}
        while True:
            page = self._wire.ask("GET", self.batches, params={**self.page, **more})
            batches = self._read(page.get("data"))
            yield batches
            if page.get("has_more") is False or not batches or batches[-1].id == last:
                return
            last = batches[-1].id
            more = {self.cursor: last}

    def _read(self, rows: object) -> list[Batch]:
        """Batch objects as they came → batches."""
        with self._wire.reading():
            return [self.to_batch(raw) for raw in rows]

    def _named(self, made: dict) -> str:
        """The id in an answer to a creation."""
        with self._wire.reading():
            if not isinstance(made["id"], str) or not made["id"]:
                raise ValueError("its id is no text")
            return made["id"]

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
                raw = self._wire.ask("GET", f"{self.batches}/{segment(batch_id)}")
            except Refused as error:
                if error.status != 404:
                    raise
                continue
            yield from self._read([raw])

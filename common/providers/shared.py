"""What the API shapes here have in common: batches under one path, listed page by page, newest first."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import orjson

from common.errors import Refused, Unknown
from common.nouns import Batch, Host
from common.providers.base import Provider
from common.providers.http import Http, segment
from common.text import one_line


class SdkProvider(Provider):
    """One account at one host, over the client of an official SDK."""

    batches: str  # the path of the batches
    page: Mapping[str, object]  # the parameters that ask for the largest page of them
    cursor: str  # the parameter that names the last batch of the page before
    money: Collection[str]  # the codes by which a 429 asks for money, not for time

    def __init__(self, host: Host, base_url: str, key: str, headers: Mapping[str, str]) -> None:
        self.host = host
        self._http = Http(host, base_url, key, headers, self.make_client, self.money)

    @staticmethod
    @abstractmethod
    def make_client(**options: object):
        """The SDK's client with these options, which all SDKs know; imports the SDK."""

    @staticmethod
    @abstractmethod
    def to_batch(raw: dict) -> Batch:
        """A batch object as the API gives it → Batch."""

    def close(self) -> None:
        self._http.close()

    def listing(self) -> Iterator[Batch]:
        for page in self._pages():
            yield from page

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
            if (raw := self._there(f"{self.batches}/{segment(batch_id)}")) is not None:
                yield self._read(raw, self.to_batch)

    def cancel(self, batch_id: str) -> None:
        self._http.post(f"{self.batches}/{segment(batch_id)}/cancel")

    def _pages(self) -> Iterator[list[Batch]]:
        last, more = "", {}
        while True:
            page = self._http.get(self.batches, **self.page, **more)
            batches, has_more = self._read(page, lambda found: ([*map(self.to_batch, found["data"])], found.get("has_more")))
            yield batches
            if has_more is False or not batches or batches[-1].id == last:
                return
            last = batches[-1].id
            more = {self.cursor: last}

    def _there(self, path: str) -> bytes | None:
        """What a GET answers; None where the host knows no such thing."""
        try:
            return self._http.get(path)
        except Refused as error:
            if error.status != 404:
                raise
            return None

    def _delete(self, path: str) -> None:
        """Delete. Raises Unknown unless the host says that it did: in words, or with an answer without content."""
        if (said := self._http.delete(path)) and not self._read(said, _is_deleted):
            shown = one_line(said.decode(errors="replace"), 200)
            raise Unknown(f"{path}: the host answered the deletion, but does not say that it is deleted: {shown}")

    def _read(self, raw: bytes, take: Callable[[dict], object]):
        """What is to be taken from an answer. Raises Unknown when it is not of the API's shape."""
        with self._http.reading():
            found = orjson.loads(raw)
            if not isinstance(found, dict):
                raise ValueError("not a JSON object")
            return take(found)

    def _named(self, raw: bytes) -> str:
        """The id in an answer to a creation."""
        return self._read(raw, _id)


def _is_deleted(said: dict) -> bool:
    return said.get("deleted") is True or ("deleted" not in said and str(said.get("type", "")).endswith("_deleted"))


def _id(made: dict) -> str:
    if not isinstance(made["id"], str) or not made["id"]:
        raise ValueError("its id is no text")
    return made["id"]

"""What the API shapes here have in common: batches under one path, listed page by page, newest first."""

from __future__ import annotations

import gc
import sys
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from types import ModuleType

import orjson

from common.errors import Broke, Refused, Unknown
from common.nouns import Batch, Host, Shard
from common.providers.base import SLACK, UNLISTED, Provider
from common.providers.foreign import as_count, name
from common.providers.http import MISSHAPEN, Http, segment
from common.rates import Named
from common.text import one_line

DAY = 86400.0
STOPPED = ("cancelled", "expired")


def alike(batches: Iterable[Batch], shard: Shard) -> list[Batch]:
    """Batches that may be a shard's by their size alone, those made since its intent first, oldest first.

    One whose counts are not there yet may be of any size. One that was stopped without counts and files was never tried; one
    that ended by itself was, and what it lacks is late.
    """
    found = [b for b in batches if not b.failed and b.total in (shard.count, 0) and not (b.status in STOPPED and not (b.total or b.output))]
    return sorted(found, key=lambda b: (0 < b.created_at < shard.intent_at - SLACK, b.created_at))


def sdk(name: str) -> ModuleType:
    """An official SDK, imported when it is first needed.

    Nothing of the many objects that it is made of is ever garbage. To look for some meanwhile, at each later search and at the
    end would take 0.15 s of openai's 0.47 and 0.5 s of anthropic's 1.14.
    """
    if name not in sys.modules and gc.isenabled():
        gc.disable()
        try:
            import_module(name)
        finally:
            gc.freeze()
            gc.enable()
    return import_module(name)


class SdkProvider(Provider):
    """One account at one host, over the client of an official SDK."""

    batches: str  # the path of the batches
    page: Mapping[str, object]  # the parameters that ask for the largest page of them
    cursor: str  # the parameter that names the last batch of the page before
    list_of_models: str  # the path of the models that a key may use
    models_page: Mapping[str, object]  # the parameters that ask for all of them at once
    money: Collection[str]  # the codes by which a 429 asks for money, not for time

    def __init__(self, host: Host, base_url: str, key: str, headers: Mapping[str, str], rates: Named | None = None) -> None:
        self.host = host
        self._http = Http(host, base_url, key, headers, self.make_client, self.money, rates)

    @staticmethod
    @abstractmethod
    def make_client(**options: object):
        """The SDK's client with these options, which all SDKs know; imports the SDK."""

    @abstractmethod
    def to_batch(self, raw: dict) -> Batch:
        """A batch object as the API gives it → Batch."""

    @staticmethod
    def is_deleted(said: dict) -> bool:
        """Whether the answer to a deletion says that something is deleted."""
        return said.get("deleted") is True or ("deleted" not in said and str(said.get("type", "")).endswith("_deleted"))

    def close(self) -> None:
        self._http.close()

    def listing(self) -> Iterator[Batch]:
        for page in self._pages():
            yield from page

    def status(self, batch_ids: Iterable[str]) -> Iterator[Batch]:
        wanted = set(batch_ids)
        listed = 0
        if len(wanted) > 1:
            for batch in self._listed(wanted):
                listed += 1
                yield batch
        yield from self._one_by_one(sorted(wanted), answered=listed > 0)

    def _listed(self, wanted: set[str]) -> Iterator[Batch]:
        """Those that the list shows, taken out of `wanted`; none where the host does not list."""
        try:
            for page in self._pages():
                hits = [batch for batch in page if batch.id in wanted]
                wanted.difference_update(batch.id for batch in hits)
                yield from hits
                if not wanted or not hits:  # ours are neighbours in time: a page without any is past them
                    break
        except (Refused, Unknown) as error:
            if error.status not in UNLISTED:
                raise

    def _one_by_one(self, wanted: Iterable[str], answered: bool) -> Iterator[Batch]:
        """A look at each. One that the host does not know is left out; one that cannot be seen now has not ended, as far as
        anybody knows. Where none can be seen, the error is raised: it is not of one batch."""
        errors = {}
        for batch_id in wanted:
            try:
                if (raw := self._there(f"{self.batches}/{segment(batch_id)}")) is not None:
                    yield self._read(raw, self.to_batch)
                answered = True
            except (Refused, Unknown) as error:
                if error.status == 401 or isinstance(error, Broke):
                    raise
                errors[batch_id] = error
        if errors and not answered:
            raise next(iter(errors.values()))
        for batch_id, error in errors.items():
            yield Batch(batch_id, f"not seen ({error.status or 'no answer'})", False)

    def models(self) -> list[str]:
        raw = self._http.get(self.list_of_models, **self.models_page)
        raw = b'{"data":%s}' % raw if raw.lstrip()[:1] == b"[" else raw
        return self._read(raw, lambda found: [one for row in found["data"] if (one := name(row["id"]))])

    def cancel(self, batch_id: str) -> None:
        self._http.post(f"{self.batches}/{segment(batch_id)}/cancel")

    def _pages(self) -> Iterator[list[Batch]]:
        """Page by page, each batch once; ends where a page brings nothing new, whatever the host says of more."""
        seen, more = set(), {}
        while True:
            batches, has_more = self._page(self._http.get(self.batches, **self.page, **more))
            fresh = [batch for batch in batches if batch.id not in seen]
            seen.update(batch.id for batch in fresh)
            yield fresh
            if has_more is False or not fresh:
                return
            more = {self.cursor: batches[-1].id}

    def _page(self, raw: bytes) -> tuple[list[Batch], object]:
        """(batches, whether there are more) of a list; what is no batch in it is left out. Raises Unknown where it is no list."""
        raw = b'{"data":%s}' % raw if self.host.bare_list and raw.lstrip()[:1] == b"[" else raw
        return self._read(raw, lambda found: (self._batches(found["data"]), found.get("has_more")))

    def _batches(self, data: object) -> list[Batch]:
        if data is not None and not isinstance(data, list):
            raise ValueError("its data is no list")
        found = []
        for raw in data or ():
            with suppress(*MISSHAPEN):
                found.append(self.to_batch(raw))
        return found

    def _there(self, path: str) -> bytes | None:
        """What a GET answers; None where the host knows no such thing."""
        try:
            return self._http.get(path)
        except Refused as error:
            if error.status not in (404, 410):
                raise
            return None

    def _delete(self, path: str) -> None:
        """Delete. Raises Unknown unless the host says that it did: in words, or with an answer without content."""
        if (said := self._http.delete(path)) and not self._read(said, self.is_deleted):
            shown = one_line(said.decode(errors="replace"), 200)
            raise Unknown(f"{path}: the host answered the deletion, but does not say that it is deleted: {shown}")

    def _read(self, raw: bytes, take: Callable[[dict], object]):
        """What is to be taken from an answer. Raises Unknown when it is not of the API's shape."""
        with self._http.reading():
            found = orjson.loads(raw)
            if not isinstance(found, dict):
                raise ValueError("not a JSON object")
            return take(found)

    def _counted(self, raw: bytes) -> int:
        """The prompt tokens that an answer tells. Raises Unknown where it tells none."""
        return self._read(raw, lambda found: _positive(found["input_tokens"]))

    def _named(self, raw: bytes) -> str:
        """The id in an answer to a creation."""
        return self._read(raw, created_id)


def _positive(found: object) -> int:
    if not (said := as_count(found)):
        raise ValueError("no number of tokens")
    return said


def created_id(made: dict) -> str:
    """The id of what was created. Raises ValueError or KeyError where there is none."""
    if not isinstance(made["id"], (str, int)) or not (found := name(made["id"])):
        raise ValueError("its id is none")
    return found

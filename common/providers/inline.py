"""Batches whose requests travel inside the create call: its body from a shard's file, and the search for one that is lost.

Such hosts keep no file and no metadata of ours. A lost batch is known by being newer than the newest that was there before,
and proven by the marks that the ids of its rows end in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from common.errors import Refused, Unknown
from common.nouns import Batch, Shard
from common.providers.base import UNLISTED
from common.providers.sealed import Sealed
from common.providers.shared import SdkProvider, alike

NONE_YET = "(no batch yet)"
CLOSE = b"]}"  # what stands behind a create call's requests


def body_of(file: Sealed, opening: bytes) -> Iterator[bytes]:
    """The create call's JSON body from a shard's file, in blocks: what stands before its requests, and its lines joined by commas.

    The body's end is withheld until every byte of the file is known to be what was planned.
    """
    held = opening
    for part in iter(file.read, b""):
        yield held
        held = part.replace(b"\n", b",")  # JSON text holds no raw newline, so each one ends a request
    yield held[:-1] + CLOSE  # the last newline ends no request but the file


def _newer(batches: list[Batch], ref: str) -> list[Batch]:
    """Those made after the batch `ref`: what stands before it, in a list that clearly is the newest first; else by their times."""
    at = next((n for n, batch in enumerate(batches) if batch.id == ref), None)
    if at is None:
        return batches
    times = [batch.created_at for batch in batches]
    if times == sorted(times, reverse=True) and (times[0] > times[-1] or not times[0]):
        return batches[:at]
    return [batch for batch in batches if batch.id != ref and batch.created_at >= times[at]]


class InlineProvider(SdkProvider):
    """One account at one host that takes requests inside the create call."""

    @staticmethod
    @abstractmethod
    def opening(shard: Shard, model_id: str) -> bytes:
        """What stands before the requests in the body of a create call, `[` included."""

    def upload(self, shard: Shard) -> str:
        """Nothing to upload: the requests travel inside the create call. What is noted instead is the account's newest
        batch, because a lost one can be known only as newer than that, whatever the clocks say."""
        try:
            newest, _ = self._page(self._http.get(self.batches, limit=1))
        except (Refused, Unknown) as error:
            if error.status not in UNLISTED:
                raise
            newest = []
        return next((batch.id for batch in newest), NONE_YET)

    def submit(self, shard: Shard, model_id: str) -> str:
        opening = self.opening(shard, model_id)
        size = len(opening) + shard.bytes - 1 + len(CLOSE)
        headers = {"Content-Type": "application/json", "Content-Length": str(size), **shard.headers}
        with Sealed(shard) as file:
            return self._named(self._http.post(self.batches, headers, content=body_of(file, opening)))

    def find(self, shard: Shard) -> Iterable[Batch]:
        return alike(_newer([*self.listing()], shard.ref)[::-1], shard)

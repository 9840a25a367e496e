"""What makes a request the same request: what is asked, as encoded for its model, and the number of its trial."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import orjson

from common.nouns import Shard
from common.providers.caching import unmarked
from common.results.origin import RunOrigin

BEFORE_ID = b'{"custom_id":"'  # how every line that we send begins
QUOTE, BACKSLASH = b'"\\'
_MASK = (1 << 128) - 1


def requests(shard: Shard, origin: RunOrigin) -> Iterator[tuple[int, str]]:
    """(identity of 128 bits, request id) of each request of a shard, in its order; `origin` is its run's.

    Two requests have the same identity when their lines differ in the id only, or in what of them is to be cached, and they are the
    same trial. Raises OSError.
    """
    last, digest = b"", 0  # trials stand together and ask the same
    described = origin.of(shard)
    with open(shard.path, "rb") as lines:
        for line, request_id in zip(lines, described.asked, strict=True):
            start = len(BEFORE_ID) + len(request_id)
            if line[start] != QUOTE or line[start - 1] == BACKSLASH:  # the id has characters that JSON writes longer
                start = len(BEFORE_ID) + len(orjson.dumps(request_id)) - 2
            if (asked := line[start:]) != last:
                last, digest = asked, int.from_bytes(blake2b(unmarked(asked), digest_size=16).digest(), "little")
            yield (digest + described.trial(request_id)) & _MASK, request_id

"""Whether a disk has room for what is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from common.nouns import Shard
from common.results.formats import MOST_TEXTS
from common.text import size

TIMES = 3  # answers, their table and their texts need about so many times what the requests took …
BLOCK = 4096  # … and a file for each text as many bytes at least


def lacking(folder: Path, shards: Iterable[Shard]) -> str:
    """Why the results of these shards may not fit, in words; "" where they do. Raises OSError."""
    shards = list(shards)
    count, free = sum(shard.count for shard in shards), shutil.disk_usage(folder).free
    need = TIMES * sum(shard.bytes for shard in shards) + BLOCK * count * (count <= MOST_TEXTS)
    return f"{folder}: {size(free)} free, about {size(need)} needed for the results" if free < need else ""

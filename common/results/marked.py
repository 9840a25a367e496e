"""Finds the mark that all ids of a raw file end in, where no journal knows what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from common.experiment.marks import SIZE
from common.results.opened import plain
from common.results.raw import LONGEST

_ID = re.compile(rb'"custom_id":\s*"([^"\\]*)"')
_MARKED = re.compile(rb"(?:.*_n[0-9]+_)?(.*)-([0-9a-f]{%d})" % SIZE, re.DOTALL)


def mark_in(files: Iterable[Path]) -> tuple[str, bool]:
    """(mark, whether that is certain) of files that belong together; ("", False) where not all ids end alike.

    Certain means that the ids are of several texts: of a single one, its own name may end so. Stops at the first id
    without a mark, so only marked files are read to their end. Raises OSError.
    """
    mark, texts = b"", set()
    for sent in _ids(files):
        found = _MARKED.fullmatch(sent)
        if found is None or found[2] != (mark or found[2]):
            return "", False
        mark = found[2]
        if len(texts) < 2:
            texts.add(found[1])
    return mark.decode(), len(texts) > 1


def _ids(files: Iterable[Path]) -> Iterator[bytes]:
    for path in files:
        with plain(path) as file:
            for line in iter(partial(file.readline, LONGEST), b""):
                if found := _ID.search(line):
                    yield found[1]

"""texts.jsonl of a run: what its table shows of each text's own columns, one line a text, found again by where it begins.

A line begins with the text's id, so that no other text's columns are ever shown, whoever edits the file.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from operator import itemgetter
from pathlib import Path

import orjson

from common.experiment.experiment import Experiment, Texts
from common.files import whole_file

NAME = "texts.jsonl"
_BLOCK = 1 << 14  # bytes that are read at a time


class Keeper:
    """Notes the values of some columns of all rows, in order; `places` says where each row's line begins."""

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = columns
        self.places = array("Q")
        self.sha256 = ""  # of the file, once it is there

    def watched(self, experiment: Experiment, folder: Path) -> Experiment:
        """The same experiment, whose rows are written to the folder's file as they pass; it is there whole, or not at all.

        To be read once. Raises OSError as the disk does.
        """
        texts = experiment.texts
        return replace(experiment, texts=replace(texts, rows=lambda: self._write(texts, folder)))

    def _write(self, texts: Texts, folder: Path) -> Iterator[tuple[object, Sequence[str]]]:
        self.places, at, digest = array("Q"), 0, hashlib.sha256()
        values, note = itemgetter(texts.id_column, *self._columns), self.places.append
        dumps, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
        with whole_file(folder / NAME) as file:
            for found in texts.rows():
                line = dumps(values(found[1]), option=newline)
                file.write(line)
                digest.update(line)
                note(at)
                at += len(line)
                yield found
        self.sha256 = digest.hexdigest()


class KeptValues:
    """Reads them back: `kept(place, text)` → the values; empty where the file is not there or not what was written."""

    def __init__(self, folder: Path, count: int) -> None:
        self._blank, handle = ("",) * count, None
        if count:
            with suppress(OSError):
                handle = os.open(folder / NAME, os.O_RDONLY)
                weakref.finalize(self, os.close, handle)
        # not a cached method: that would be a circle, which holds the file open until it is looked for
        self._at = lru_cache(1024)(partial(_read, handle, self._blank))

    def __call__(self, place: int | None, text: str) -> tuple[str, ...]:
        return self._blank if place is None or not self._blank else self._at(place, text)


def _read(handle: int | None, blank: tuple[str, ...], place: int, text: str) -> tuple[str, ...]:
    if handle is None:
        return blank
    try:
        of, *found = orjson.loads(_line(handle, place))
    except (OSError, ValueError, TypeError):
        return blank
    good = of == text and len(found) == len(blank) and all(isinstance(one, str) for one in found)
    return tuple(found) if good else blank


def _line(handle: int, place: int) -> bytes:
    found = b""
    while b"\n" not in found and (more := os.pread(handle, max(_BLOCK, len(found)), place + len(found))):
        found += more
    return found.partition(b"\n")[0]

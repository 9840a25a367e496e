"""texts.jsonl of a run: what its table shows of each text's own columns, one line a text, found again by where it begins."""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import orjson

from common.experiment.experiment import Experiment
from common.files import whole_file

NAME = "texts.jsonl"


class Keeper:
    """Notes the values of some columns of all rows, in order; `places` says where each row's line begins."""

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = columns
        self.places, self._at = array("Q"), 0

    def watched(self, experiment: Experiment, folder: Path) -> Experiment:
        """The same experiment, whose rows are written to the folder's file as they pass; it is there whole, or not at all.

        To be read once. Raises OSError as the disk does.
        """
        texts = experiment.texts
        return replace(experiment, texts=replace(texts, rows=lambda: self._write(texts.rows(), folder)))

    def _write(self, rows: Iterable[tuple[object, Sequence[str]]], folder: Path) -> Iterator[tuple[object, Sequence[str]]]:
        self.places, self._at = array("Q"), 0
        with whole_file(folder / NAME) as file:
            for where, row in rows:
                line = orjson.dumps([row[n] for n in self._columns], option=orjson.OPT_APPEND_NEWLINE)
                file.write(line)
                self.places.append(self._at)
                self._at += len(line)
                yield where, row


class Kept:
    """Reads them back: `kept(place)` → the values; none where the file is not there or not what was written."""

    def __init__(self, folder: Path, count: int) -> None:
        self._path, self._file, self._blank = folder / NAME, None, ("",) * count
        self._at = lru_cache(1024)(self._read)

    def __call__(self, place: int | None) -> tuple[str, ...]:
        return self._blank if place is None or not self._blank else self._at(place)

    def _opened(self) -> BinaryIO:
        file = open(self._path, "rb")  # for as long as this lives: it is read for each text
        weakref.finalize(self, file.close)
        return file

    def _read(self, place: int) -> tuple[str, ...]:
        try:
            self._file = self._file or self._opened()
            self._file.seek(place)
            found = orjson.loads(self._file.readline())
        except (OSError, ValueError):
            return self._blank
        good = isinstance(found, list) and len(found) == len(self._blank) and all(isinstance(one, str) for one in found)
        return tuple(found) if good else self._blank

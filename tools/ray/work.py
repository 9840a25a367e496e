"""A shard and what has been answered of it: each row that came is a line of its part file, which is the whole checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO

import orjson

from common.errors import InputError
from common.files import sync_folder


class Work:
    """A file of requests, and its output, which is named by its content too: a changed shard is asked anew.

    `<shard>-<hash>_output.jsonl.part` grows line by line and loses `.part` with its last row. Memory while it is open: its ids.
    """

    def __init__(self, path: Path, out: Path) -> None:
        self.path = path
        with open(path, "rb") as file:
            sha256 = file_digest(file, "sha256").hexdigest()
        self.output = out / f"{path.stem}-{sha256[:8]}_output.jsonl"
        self._part = self.output.with_name(self.output.name + ".part")
        self.rows = self.failed = 0
        self.todo: set[int] = set()
        self._file: BinaryIO | None = None
        if self.is_done:
            for _, failed in _rows(self.output):
                self.rows, self.failed = self.rows + 1, self.failed + failed

    @property
    def is_done(self) -> bool:
        """Whether the output is whole."""
        return self.output.exists()

    def open(self) -> Iterator[tuple[int, bytes]]:
        """Take up what is there; (number, line) of each request without a row. Raises InputError for lines that are no requests."""
        ids = self._ids()
        self.todo = set(range(len(ids)))
        for custom_id, failed in _rows(self._part):
            if (n := ids.get(custom_id)) in self.todo:
                self.todo.remove(n)
                self.rows, self.failed = self.rows + 1, self.failed + failed
        self._file = open(self._part, "ab", buffering=0)  # what came is the system's: the death of this process loses no row
        del ids
        if not self.todo:
            self._finish()
        with open(self.path, "rb") as file:
            wanted = set(self.todo)
            yield from ((n, line) for n, line in enumerate(_lines(file)) if n in wanted)

    def _ids(self) -> dict[str, int]:
        """Number by custom_id."""
        ids: dict[str, int] = {}
        with open(self.path, "rb") as file:
            for n, line in enumerate(_lines(file)):
                custom_id = self._id_of(line, n)
                if ids.setdefault(custom_id, n) != n:
                    raise InputError(f"{self.path} line {n + 1}: its custom_id stands there twice")
        if not ids:
            raise InputError(f"{self.path}: holds no request")
        return ids

    def _id_of(self, line: bytes, n: int) -> str:
        try:
            request = orjson.loads(line)
            fits = isinstance(request["custom_id"], str) and request["url"].startswith("/v1/") and isinstance(request["body"], dict)
        except (ValueError, LookupError, TypeError, AttributeError):
            fits = False
        if not fits:
            raise InputError(f"{self.path} line {n + 1}: not a line of OpenAI's batch shape (custom_id, url, body)")
        return request["custom_id"]

    def keep(self, n: int, line: bytes) -> int:
        """Write a row, unless it is there already; how many were written."""
        if n not in self.todo:
            return 0
        self.todo.remove(n)
        self._file.write(line)
        self.rows += 1
        self.failed += _told(line)[1]
        if not self.todo:
            self._finish()
        return 1

    def close(self) -> None:
        """Let go of the part file; what is missing is asked by the next command."""
        if self._file:
            self._file.close()

    def _finish(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self.output)
        sync_folder(self.output.parent)


def _rows(path: Path) -> Iterator[tuple[str, bool]]:
    """(custom_id, whether it failed) of each output line; one that was cut off in the middle is taken away."""
    if not path.exists():
        return
    whole = 0
    with open(path, "r+b") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            yield _told(line)
            whole += len(line)
        file.truncate(whole)


def _told(line: bytes) -> tuple[str, bool]:
    found = orjson.loads(line)
    return found["custom_id"], found["response"]["status_code"] != 200


def _lines(file: BinaryIO) -> Iterator[bytes]:
    return (line for line in file if not line.isspace())

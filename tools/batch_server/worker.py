"""Owns the heavy work of one worker process: jobs come as JSON lines on stdin, answers leave as JSON lines on stdout."""

from __future__ import annotations

import gc
import os
import select
import sqlite3
import sys
from array import array
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import orjson

from . import rows
from .checks import check_file, write_index
from .errors import ApiError
from .splitter import split


@lru_cache(maxsize=1)
def _database(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def memory_of(path: str) -> rows.Memory:
    """What the service remembers of a row: (failures, cap) or None."""
    def look(key: str) -> tuple[int, int] | None:
        return _database(path).execute("select failed, cap from rows where hash = ?", (bytes.fromhex(key),)).fetchone()
    return look


def rows_of(data: str, index: str, first: int, last: int) -> Iterator[dict]:
    """The rows `first` to `last` of a batch, in the shuffled order of its index."""
    places = array("Q")
    with open(index, "rb") as handle:
        handle.seek(first * 16)
        places.frombytes(handle.read((last - first) * 16))
    handle = os.open(data, os.O_RDONLY)
    try:
        for place in range(0, len(places), 2):
            yield orjson.loads(os.pread(handle, places[place + 1], places[place]))
    finally:
        os.close(handle)


class Parts:
    """The files of one chunk; they appear under their names only when they are whole."""

    def __init__(self, base: str):
        self.base, self.mine = base, f".{os.getpid()}"
        self.out, self.err, self.ids = (Path(f"{base}{kind}{self.mine}").open("wb", buffering=1 << 18) for kind in (".out", ".err", ".ids"))

    def keep(self) -> None:
        """Put the parts in place."""
        for kind, handle in ((".out", self.out), (".err", self.err), (".ids", self.ids)):
            handle.flush()
            if handle.tell():
                os.fsync(handle.fileno())
            handle.close()
            Path(handle.name).replace(f"{self.base}{kind}")


def answer(job: dict) -> dict:
    """Answer a chunk: {"ok", "failed", "tokens_in", "tokens_out", "reasoning", "seen"}."""
    context, look, parts = rows.Context(**job["context"]), memory_of(job["db"]), Parts(job["base"])
    fresh: dict[str, tuple[int, int]] = {}  # what this chunk has put into the prompt cache

    def memory(key: str) -> tuple[int, int] | None:
        return fresh.get(key) or look(key)

    anthropic = context.profile == "anthropic"
    ok = failed = tokens_in = tokens_out = reasoning = 0
    seen: list = []
    for row in rows_of(job["data"], job["index"], job["first"], job["last"]):
        custom_id = row["custom_id"]
        outcome = rows.answer(row["params"] if anthropic else row["body"], custom_id, context, memory)
        line = rows.anthropic_line(outcome, custom_id) if anthropic else rows.openai_line(outcome, custom_id, context.profile)
        (parts.out if anthropic or outcome.status == 200 else parts.err).write(line)
        if outcome.seen:
            seen.append(outcome.seen)
        for key, _, until in outcome.kept:
            if (before := look(key)) is None or before[1] <= context.now:
                fresh[key] = 1, until
            seen.append([key, 0, until])
        if outcome.status != 200:
            failed += 1
            continue
        ok += 1
        tokens_in, tokens_out = tokens_in + outcome.tokens_in, tokens_out + outcome.tokens_out
        reasoning += outcome.reasoning
        parts.ids.write(orjson.dumps((custom_id, outcome.tokens_in, outcome.tokens_out), option=orjson.OPT_APPEND_NEWLINE))
    parts.keep()
    return {"ok": ok, "failed": failed, "tokens_in": tokens_in, "tokens_out": tokens_out, "reasoning": reasoning, "seen": seen}


def gaps(job: dict) -> dict:
    """Write the lines of requests that were never run, for the ranges [[first, last], ...]."""
    tag, count = job["batch"][-8:], 0
    parts = Parts(job["base"])
    for first, last in job["ranges"]:
        for row in rows_of(job["data"], job["index"], first, last):
            if job["anthropic"]:
                parts.out.write(rows.anthropic_gap(row["custom_id"], job["code"]))
            else:
                parts.err.write(rows.openai_gap(row["custom_id"], f"{count:x}{tag}", job["code"], job["message"]))
            count += 1
    parts.keep()
    return {"count": count}


def check(job: dict) -> dict:
    """Check an OpenAI input file."""
    return check_file(Path(job["data"]), Path(job["index"]), job["seed"], job["endpoint"], job["one_model"], job["max_rows"])


def split_body(job: dict) -> dict:
    """Split a Message Batch body; an error of the client comes back as {"status", "message"}."""
    try:
        found = split(Path(job["body"]), Path(job["data"]), job["max_rows"])
    except ApiError as error:
        return {"status": error.status, "message": error.message}
    write_index(Path(job["index"]), found.pop("places"), job["seed"])
    return found


JOBS = {"answer": answer, "gaps": gaps, "check": check, "split": split_body}


def main() -> None:
    """Work until stdin ends, which is also how a dead service stops its workers."""
    gc.set_threshold(100_000, 50, 50)  # rows are trees without cycles: looking for some costs a tenth of the time
    try:
        for line in sys.stdin.buffer:
            job = orjson.loads(line)
            left = memoryview(orjson.dumps(JOBS[job["kind"]](job), option=orjson.OPT_APPEND_NEWLINE))
            while left:
                left = left[os.write(1, left):]
    except (BrokenPipeError, ConnectionResetError):  # the service was killed
        return
    except FileNotFoundError:  # so it was here, if nobody listens: the one after it has cleared the folder
        if not _is_orphan():
            raise


def _is_orphan() -> bool:
    """Whether nobody is left to read the answers."""
    answers = select.poll()
    answers.register(1, 0)
    return bool(answers.poll(0))


if __name__ == "__main__":
    main()

"""Reads raw output files of any supported API, line by line; a bad line is reported and never stops the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import orjson

from common.files import safe_name
from common.nouns import Result, Run
from common.providers import APIS
from common.results.opened import Lines, objects, plain

Decode = Callable[[dict], Result]
LONGEST = 64 << 20  # bytes; no answer is nearly as long, and a file without line ends must not fill the memory
_BLANK = b" \t\r\n\v\f\x1e"  # what may stand around an object, a record separator included
_MISSHAPEN = (ValueError, TypeError, AttributeError, LookupError, OverflowError)  # what decoding a foreign shape raises


class Problem(NamedTuple):
    """A line without a row. `kind`: malformed, truncated, duplicate, foreign or too long; `why` is for people."""

    line: int
    kind: str
    why: str
    file: str = ""


def sniff(line: dict) -> Result:
    """Decode a line by the shape it has. Raises ValueError (or what a misshapen line provokes) when it has none."""
    for api in APIS.values():
        if api.claims(line):
            return api.decode(line)
    raise ValueError(f"not an output line of any API known here ({', '.join(APIS)})")


def read_raw(
    path: Path,
    decode: Callable[[dict], Result] = sniff,
    seen: set[str] | None = None,
    known: Container[str] | None = None,
    longest: int = LONGEST,
) -> Iterator[tuple[int, Result | Problem]]:
    """(line number, Result or Problem) for each line that is not empty; raises OSError as the disk does.

    The first line of an id counts; `seen` may be shared by files that belong together. With `known`, an id that is
    not in it is foreign. A line of more than `longest` bytes is skipped; one that holds several objects gives each.
    Memory: one line and the ids.
    """
    seen, loads = set() if seen is None else seen, orjson.loads
    with plain(path) as file:
        for number, line in enumerate(iter(partial(file.readline, longest), b""), 1):
            if len(line) == longest and not line.endswith(b"\n"):
                _skip_rest(file, longest)
                yield number, Problem(number, "too long", f"longer than {longest:,} bytes", path.name)
                continue
            try:
                items: Iterable = (decode(loads(line)),)  # as nearly all are
            except _MISSHAPEN:
                items = _second_look(line, number, path.name, decode)
            for item in items:
                if type(item) is Result:
                    if item.custom_id in seen or (known is not None and item.custom_id not in known):
                        item = _unwanted(item, number, path.name, seen)
                    else:
                        seen.add(item.custom_id)
                yield number, item


def _skip_rest(file: Lines, longest: int) -> None:
    """Read a line that is too long to its end, which is held no more than its beginning."""
    while (more := file.readline(longest)) and not more.endswith(b"\n"):
        pass


def _second_look(line: bytes, number: int, name: str, decode: Callable[[dict], Result]) -> Iterator[Result | Problem]:
    """What a line holds that did not pass at once; nothing for an empty one."""
    cut = not line.endswith(b"\n")
    line = line.removeprefix(b"\xef\xbb\xbf").strip(_BLANK)
    if not line:
        return
    for found in objects(line):
        if isinstance(found, ValueError):
            if cut:
                yield Problem(number, "truncated", "the file ends in the middle of this line", name)
            else:
                yield Problem(number, "malformed", f"not JSON: {found}", name)
        elif not isinstance(found, dict):
            yield Problem(number, "foreign", "not a JSON object", name)
        else:
            yield _decoded(found, number, name, decode)


def _decoded(found: dict, number: int, name: str, decode: Callable[[dict], Result]) -> Result | Problem:
    try:
        return decode(found)
    except _MISSHAPEN as error:
        return Problem(number, "foreign", str(error) if type(error) is ValueError else f"unexpected shape: {error!r}", name)


def _unwanted(result: Result, number: int, name: str, seen: Container[str]) -> Problem:
    """Why a row of the right shape does not count."""
    if result.custom_id in seen:
        return Problem(number, "duplicate", f"{result.custom_id!r} was there already", name)
    return Problem(number, "foreign", f"{result.custom_id!r} was not asked for in this batch", name)


def raw_paths(run: Run, batch_id: str) -> tuple[Path, Path]:
    """Where a batch's raw output and errors lie: results/<provider>/batch_results/<batch_id>_{output,errors}.jsonl.

    Where another run has had a batch of that id before, they lie under a name with this run's short hash.
    """
    own = own_files(run, batch_id)
    return own if any(path.exists() for path in own) else raw_files(run.folder.parent, batch_id)


def own_files(run: Run, batch_id: str) -> tuple[Path, Path]:
    """The names that no other run's files can have."""
    return raw_files(run.folder.parent, f"{batch_id}.{short_hash(run)}")


def short_hash(run: Run) -> str:
    """Eight hex digits that stand for a run in such names."""
    return hashlib.sha256(run.key.encode()).hexdigest()[:8]


def raw_files(provider_folder: Path, batch_id: str) -> tuple[Path, Path]:
    """The same for a batch that no run here made."""
    folder = provider_folder / "batch_results"
    return folder / safe_name(batch_id, "_output.jsonl"), folder / safe_name(batch_id, "_errors.jsonl")


def raw_files_there(run: Run, batch_id: str) -> list[Path]:
    return [path for path in raw_paths(run, batch_id) if path.exists()]


class PlacedResult(NamedTuple):
    """A result, where its line begins in a raw file as that is read (unpacked, in UTF-8), and which of the line's objects it is."""

    result: Result
    offset: int
    nth: int


def placed_results(path: Path, decode: Callable[[dict], Result]) -> Iterator[PlacedResult]:
    """Each result of a raw file with its place. Raises OSError."""
    offset = 0
    with plain(path) as file:
        for line in iter(partial(file.readline, LONGEST), b""):
            try:
                items: Iterable = (decode(orjson.loads(line)),)
            except _MISSHAPEN:
                items = _second_look(line, 0, path.name, decode)
            yield from (PlacedResult(item, offset, nth) for nth, item in enumerate(items) if type(item) is Result)
            offset += len(line)


def renamed(line: bytes, nth: int, to: str) -> bytes:
    """One of the objects in a raw line, as a line that answers the id `to`. Raises ValueError where it is none."""
    try:
        found = orjson.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        found = next(islice(objects(line.removeprefix(b"\xef\xbb\xbf").strip(_BLANK)), nth, None), None)
    if not isinstance(found, dict):
        raise ValueError("no object that could answer a request")
    found["custom_id"] = to
    try:
        return orjson.dumps(found) + b"\n"
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(found).encode() + b"\n"

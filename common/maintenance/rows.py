"""Whether the copy of a batch's files holds its rows: every line readable, every request answered once, none of another batch."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

import orjson

from common.errors import Unknown
from common.nouns import Batch
from common.providers.base import Provider
from common.results.raw import Problem, read_raw

RESULTS = ("output", "errors")
_CUT_SHORT = {"cancelled", "canceled", "cancelling", "expired", "timeout_exceeded", "failed"}  # some requests may have no line


def check_rows(provider: Provider, batch: Batch, paths: Mapping[str, Path], sized: Container[str], gone: Container[str]) -> None:
    """Compare the copied files (kind → path) with each other and with the batch.

    `sized`: kinds whose bytes the host named; `gone`: those that it has no longer. Raises Unknown when the copy is not one.
    """
    results = {kind: paths[kind] for kind in RESULTS if kind in paths}
    asked = None
    if "input" in paths and (results or "input" not in sized):  # a batch that failed at once may well hold no JSON
        asked = _asked(paths["input"])
    found = _answered(provider, results, asked)
    if any(kind in gone for kind in RESULTS) or not (results or batch.succeeded or batch.errored):
        return  # what the host no longer has cannot be counted
    expected = batch.total if asked is None else len(asked)
    if not expected:
        raise Unknown(f"nothing tells how many rows batch {batch.id} has, so {len(found):,} cannot be called all")
    cut_short = bool(batch.ref) and (batch.failed or batch.status in _CUT_SHORT)
    if len(found) != expected and not (cut_short and batch.succeeded + batch.errored <= len(found) < expected):
        raise Unknown(f"the results came with {len(found):,} rows instead of {expected:,}")


def _asked(path: Path) -> set[str]:
    """The ids in an input file. Raises Unknown for a line that is no request."""
    ids: set[str] = set()
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                ids.add(str(orjson.loads(line)["custom_id"]))
            except (ValueError, TypeError, LookupError):
                raise Unknown(f"line {number:,} of the input that came is no request") from None
    return ids


def _answered(provider: Provider, results: Mapping[str, Path], asked: set[str] | None) -> set[str]:
    """The ids in the results, each once. Raises Unknown for a line that is no row of this batch."""
    seen: set[str] = set()
    for kind, path in results.items():
        for number, item in read_raw(path, provider.decode, seen, asked):
            if isinstance(item, Problem):
                raise Unknown(f"line {number:,} of the {kind} that came is no row of this batch: {item.kind}, {item.why}")
    return seen

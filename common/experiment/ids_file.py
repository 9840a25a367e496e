"""The ids file beside a shard: one line per request, its id as sent, its custom_id, and what is known of it beside the prompt."""

from __future__ import annotations

import math
from collections.abc import Container
from pathlib import Path

from common.errors import InputError
from common.experiment.marks import suffix
from common.nouns import Shard


def ids_rest(temperature: float | None, tokens: int, most: float | None) -> str:
    """What stands behind the ids in a line of an ids file: temperature, prompt tokens, USD at most ("" = unknown).

    Behind it stands where in texts.jsonl the text's own columns are, if any are kept.
    """
    return f"{temperature}\t{tokens}\t{'' if most is None else f'{most:.9g}'}"


def bounds(row: str, shard: Shard) -> tuple[int, float | None]:
    """Prompt tokens and USD at most of one request; of an ids file of an earlier version, its share of the shard's."""
    cells = row.rstrip("\n").split("\t")
    if len(cells) < 5:
        return -(-shard.tokens // shard.count), None if shard.reserve is None else shard.reserve / shard.count
    return int(cells[3]), float(cells[4]) if cells[4] else None


def ceiling_of(shard: Shard, wanted: Container[str]) -> float | None:
    """USD that some of a shard's requests can have cost at most, by their own ceilings; None where a price is unknown.

    Their share of the shard's reserve, because the lines of a shard with a higher cap on tokens keep the ceilings of the first.
    """
    if not wanted:
        return 0.0
    if shard.reserve is None:
        return None
    total = asked = 0.0
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows:
        for row in rows:
            most = bounds(row, shard)[1] or 0.0
            total += most
            asked += most if row.partition("\t")[0] in wanted else 0.0
    return shard.reserve * asked / total if total else shard.reserve


def dearest(shard: Shard) -> float | None:
    """USD that any one of a shard's requests can cost at most; None where a price is unknown. Raises OSError."""
    if shard.reserve is None:
        return None
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows:
        each = [bounds(row, shard)[1] or 0.0 for row in rows]
    total = sum(each)
    return shard.reserve * max(each) / total if total else shard.reserve


def groups(shard: Shard, tokens: int | None, requests: int | None) -> list[set[str]]:
    """A shard's request ids in groups of at most so many prompt tokens and requests; what is larger by itself is a group of its own."""
    found: list[set[str]] = []
    there = 0
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as rows:
        for row in rows:
            more = bounds(row, shard)[0]
            if not found or there + more > (tokens or math.inf) or len(found[-1]) >= (requests or math.inf):
                found.append(set())
                there = 0
            found[-1].add(row.partition("\t")[0])
            there += more
    return found


def ids(shard: Shard) -> dict[str, str]:
    """A shard's request ids → `custom_id TAB temperature`, and a place in texts.jsonl if it has one; the custom_id is empty
    where it is the id without the shard's mark.

    Memory: one shard's worth. Raises InputError where the file is not what was planned, OSError where it cannot be read.
    """
    path = shard.path.with_suffix(".ids")
    found, known, share, end = {}, {}, {}.setdefault, suffix(shard.mark)  # known: the ends of lines that many have
    try:
        with open(path, encoding="utf-8", newline="\n") as lines:
            for line in lines:
                request_id, _, said = line.partition("\t")
                if (rest := known.get(said)) is None:
                    custom_id, temperature, *more = said.rstrip("\n").split("\t")
                    place = f"\t{more[2]}" if len(more) > 2 else ""
                    rest = f"{'' if end and custom_id + end == request_id else custom_id}\t{temperature}{place}"
                    rest = share(rest, rest)
                    if not custom_id and not place:
                        known[said] = rest
                found[request_id] = rest
    except ValueError:
        raise _garbled(path) from None
    if len(found) != shard.count:
        raise _garbled(path)
    return found


def _garbled(path: Path) -> InputError:
    return InputError(f"{path}: is garbled or cut; restore it from a backup of the results folder")


def custom_id(shard: Shard, request_id: str, rest: str) -> str:
    """The custom_id of a request, from what `ids` says of it."""
    return rest.partition("\t")[0] or request_id.removesuffix(suffix(shard.mark))


def id_at_line(shard: Shard, line: int) -> str:
    """The custom_id of the request in a line (counted from 1) of a shard; "" if there is none."""
    with open(shard.path.with_suffix(".ids"), encoding="utf-8", newline="\n") as lines:
        for number, row in enumerate(lines, 1):
            if number == line:
                request_id, custom_id, *_ = row.rstrip("\n").split("\t")
                return custom_id or request_id
    return ""

"""A run's table in parts: the rows of a family of shards are taken over as they are while nothing that they are made of has changed.

The table itself holds the parts, one behind the other. Beside it `results.parts` says where each is, what it was made of, its
digest and its tally; what does not fit, for whatever reason, is made anew. A part is never trusted unread.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from common import catalog
from common.experiment.kept import NAME as TEXTS
from common.files import BUFFER, file_sha256, whole_file, write_whole
from common.nouns import RESTING, Run, Shard
from common.outcomes import PENDING
from common.results.merge import family_rows
from common.results.origin import RunOrigin
from common.results.raw import Decode, raw_files_there
from common.results.rows import Row
from common.results.tables import Block, csv_head, csv_lines, in_blocks
from common.results.tally import Tally
from common.results.texts import TextFolder
from common.text import one_line
from common.version import version

INDEX = "results.parts"
_VERSION = 1  # of what a part is; the program's own version is in each key
_GARBLED = (OSError, ValueError, TypeError, LookupError)


class Part(NamedTuple):
    """Where a family's rows are in the table, and what came of them. `texts`: whether its text files were written."""

    key: str
    start: int
    size: int
    sha256: str
    texts: bool
    tally: dict


def write_parts(
    run: Run, families: Sequence[list[Shard]], decode: Decode, path: Path, origin: RunOrigin, texts: TextFolder | None
) -> Tally:  # fmt: skip
    """Write the table of a run's families, whole or not at all; returns its tally. Raises OSError as the disk does.

    Of families that are taken over no text file is written. Memory: as much as one family takes, and the tallies.
    """
    found, now = Tally(run.planned), []
    with ExitStack() as stack:
        has_texts = texts.was_there if texts else (path.parent / "texts").is_dir()
        former = _Former(path, has_texts, stack) if texts is None or not texts.may_clash else None  # which names clash, all ids decide
        file = stack.enter_context(whole_file(path))
        header, _ = in_blocks((), origin)
        file.write(csv_head(header))
        lines, shared = csv_lines(header), _shared(run)
        for family in families:
            key = _key(shared, run, family)
            part = former and former.taken(key, file, texts is not None)
            part = part or _made(key, family_rows(run, family, origin, decode), origin, lines, texts, file)
            found.include(_unpacked(part.tally))
            now.append(part)
    _write_index(path, now)
    return found


def with_texts(rows: Iterator[Row], folder: TextFolder) -> Iterator[Row]:
    """Pass rows on, writing those that are not pending as text files."""
    for row in rows:
        if row.result.outcome != PENDING:
            folder.write(row)
        yield row


def _made(
    key: str, rows: Iterator[Row], origin: RunOrigin, lines: Callable[[Block], bytes], texts: TextFolder | None, file: BinaryIO
) -> Part:  # fmt: skip
    """The part of a family, made at the end of a table."""
    tally, digest, start = Tally(), hashlib.sha256(), file.tell()
    rows = tally.counting(rows)
    for written in map(lines, in_blocks(with_texts(rows, texts) if texts else rows, origin)[1]):
        digest.update(written)
        file.write(written)
    return Part(key, start, file.tell() - start, digest.hexdigest(), texts is not None, _packed(tally))


# ---- what there is already


class _Former:
    """The table as it was, and its parts by what they were made of."""

    def __init__(self, path: Path, has_texts: bool, stack: ExitStack) -> None:
        """`stack` closes it. No table, or an index that is not whole: no parts."""
        self._parts: dict[str, Part] = {}
        self._has_texts = has_texts
        with suppress(*_GARBLED):
            digest, _, index = path.with_name(INDEX).read_bytes().partition(b"\n")
            if digest.decode() == hashlib.sha256(index).hexdigest():
                self._file = stack.enter_context(open(path, "rb"))
                self._parts = {part.key: part for part in (Part(*row) for row in orjson.loads(index))}

    def taken(self, key: str, table: BinaryIO, texts: bool) -> Part | None:
        """Take a part over to the end of a new table; None, and nothing is written, where there is none as it was made."""
        part = self._parts.get(key)
        if part is None or texts and not (part.texts and self._has_texts):
            return None
        start, left, digest = table.tell(), part.size, hashlib.sha256()
        self._file.seek(part.start)
        while left and (block := self._file.read(min(left, BUFFER))):
            digest.update(block)
            table.write(block)
            left -= len(block)
        if left or digest.hexdigest() != part.sha256:
            table.seek(start)
            table.truncate()
            return None
        return part._replace(start=start, texts=part.texts and self._has_texts)


def _write_index(path: Path, parts: Sequence[Part]) -> None:
    index = orjson.dumps([tuple(part) for part in parts])
    write_whole(path.with_name(INDEX), hashlib.sha256(index).hexdigest().encode() + b"\n" + index)


def _packed(tally: Tally) -> dict:
    kinds = [[*kind, count] for kind, count in tally.kinds.items()]
    reported = [(alias, one_line(model_id, 200)) for alias, model_id in sorted(tally.reported)]
    return {"kinds": kinds, "tokens": tally.tokens, "unclear": tally.unclear, "taken": tally.taken, "reported": reported}


def _unpacked(found: dict) -> Tally:
    kinds = Counter({tuple(kind): count for *kind, count in found["kinds"]})
    tokens, unclear = Counter(found["tokens"]), Counter(found["unclear"])
    return Tally(0, kinds, tokens, unclear=unclear, taken=found["taken"], reported={(alias, one) for alias, one in found["reported"]})


# ---- what a part is made of


def _shared(run: Run) -> str:
    """What all parts of a run are made of: its run.json, what is kept of its texts, prices, and the program."""
    names = run.name, run.provider, run.experiment, run.host
    known = hashlib.sha256(repr((catalog.models(), catalog.hosts())).encode()).hexdigest()
    return repr((_VERSION, version(), names, file_sha256(run.folder / "run.json"), _stamp(run.folder / TEXTS), known))


def made_of(run: Run, families: Sequence[Sequence[Shard]]) -> str:
    """Stands for all that a run's rows are made of: it is another once any of that has changed."""
    shared = _shared(run)
    return hashlib.sha256("".join(_key(shared, run, family) for family in families).encode()).hexdigest()


def _key(shared: str, run: Run, family: Sequence[Shard]) -> str:
    """Stands for all that the rows of a family are made of: its files, and where each of its shards stands."""
    return hashlib.sha256(repr((shared, [_made_of(run, shard) for shard in family])).encode()).hexdigest()


def _made_of(run: Run, shard: Shard) -> tuple:
    rests = shard.state in RESTING
    names = shard.n, shard.root, shard.attempt, shard.sha256, shard.ids_sha256, shard.mark, shard.batch_id, shard.taken_from
    stands = str(shard.state) if rests else PENDING, shard.absent, shard.note, shard.collected_at
    raw = [(path.name, _stamp(path), shard.files.get(path.name)) for path in raw_files_there(run, shard.batch_id)] if rests else []
    return names, stands, _stamp(shard.path.with_suffix(".ids")), raw


def _stamp(path: Path) -> tuple[int, int] | None:
    """Whether a file is the one that was read before: its size, and when it was changed, to the nanosecond."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns

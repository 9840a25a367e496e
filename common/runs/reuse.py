"""Answers that the results folder has already are taken over instead of bought again: a planned shard is divided by them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, groupby
from pathlib import Path

import orjson

from common.experiment.marks import moved
from common.experiment.shards import part
from common.files import whole_file, write_whole
from common.nouns import Run, Shard, State
from common.results.opened import plain
from common.results.origin import RunOrigin
from common.results.raw import LONGEST, Decode, raw_files, renamed, short_hash
from common.runs.answered import Answer, Answered
from common.runs.identity import requests
from common.runs.journal import Journal

TAKEN = ".taken"  # beside a shard that was taken over: what its place in a lost journal is made again from


@dataclass
class Divided:
    """What became of shards: those that stand for them now, those that are gone, and how many requests wait for other runs."""

    shards: list[Shard] = field(default_factory=list)
    gone: list[Shard] = field(default_factory=list)
    waits: Counter[str] = field(default_factory=Counter)  # requests by the run that is asking them


def divide(journal: Journal, run: Run, shards: Sequence[Shard], decode: Decode) -> Divided:
    """Planned shards → those to be sent, and those whose answers are there. Nothing is committed. Raises OSError."""
    found = Divided()
    answered = Answered(journal, run, decode)
    if not answered:
        return replace(found, shards=[*shards])
    origin, numbers, is_sound = RunOrigin(run), count(1 + max((shard.n for shard in shards), default=0)), cache(_is_sound)
    for shard in shards:
        if shard.taken_from and shard.attempt == 1:
            for identity, _, _ in requests(shard, origin):
                answered.spend(identity, shard.taken_from)
    for shard in shards:
        if shard.state is not State.PLANNED or shard.attempt > 1 or shard.tries:
            found.shards.append(shard)
            continue
        by_run: dict[str, dict[str, Answer]] = defaultdict(dict)
        rest = set()
        for identity, request_id, _ in requests(shard, origin):
            answer = answered.take(identity)
            if isinstance(answer, Answer) and is_sound(answer.path, answer.sha256):
                by_run[answer.taken_from][request_id] = answer
                continue
            rest.add(request_id)
            if isinstance(answer, str):
                found.waits[answer] += 1
        if not by_run:
            found.shards.append(shard)
        else:
            found.gone.append(shard)
            found.shards += [part(shard, next(numbers), rest, run.mark)] if rest else []
            found.shards += [_taken(run, shard, next(numbers), of, name) for name, of in by_run.items()]
    return found


def refresh(journal: Journal, run: Run, decode: Decode) -> Counter[str]:
    """Divide what a run has not sent yet by what is answered now; its lock is held. Returns the requests that others ask, by run."""
    shards = journal.shards(run)
    if not run.reuses or not any(shard.state is State.PLANNED for shard in shards):
        return Counter()
    found = divide(journal, run, shards, decode)
    if found.gone:
        former = {shard.n for shard in shards}
        journal.replan(run, found.gone, [shard for shard in found.shards if shard.n not in former])
        forget(found.gone)
    return found.waits


def forget(shards: Iterable[Shard]) -> None:
    """Remove the files of shards that others stand for now."""
    for shard in shards:
        for suffix in (".jsonl", ".ids"):
            shard.path.with_suffix(suffix).unlink(missing_ok=True)


def _is_sound(path: Path, sha256: str) -> bool:
    """Whether a raw file still is what came: edited answers are never taken over unseen."""
    try:
        with open(path, "rb") as file:
            return not sha256 or hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _taken(run: Run, planned: Shard, n: int, answers: Mapping[str, Answer], taken_from: str) -> Shard:
    """A shard of those requests with their answers beside it, as if they had just been collected; they cost nothing."""
    shard = part(planned, n, answers, run.mark)
    batch_id = f"taken-{short_hash(run)}-{n}"
    output, _ = raw_files(run.folder.parent, batch_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    with whole_file(output) as file:
        for request_id, line in _lines(answers):
            copy = renamed(line, answers[request_id].nth, moved(request_id, planned.mark, shard.mark))
            sha256.update(copy)
            file.write(copy)
    tally = dict(Counter(answer.outcome for answer in answers.values()))
    about = {"batch_id": batch_id, "files": {output.name: sha256.hexdigest()}, "tally": tally, "taken_from": taken_from}
    write_whole(shard.path.with_suffix(TAKEN), orjson.dumps(about))
    return as_taken(shard, about)


def as_taken(shard: Shard, about: Mapping) -> Shard:
    """A planned shard as one whose answers were taken over, by what was noted of it."""
    noted = {key: about[key] for key in ("batch_id", "files", "tally", "taken_from")}
    return replace(shard, state=State.COLLECTED, collected_at=shard.path.stat().st_mtime, spent=0.0, **noted)


def _lines(answers: Mapping[str, Answer]) -> Iterator[tuple[str, bytes]]:
    """(request id, raw line) of each answer, file by file from front to end."""
    places = sorted((answer.path, answer.offset, request_id) for request_id, answer in answers.items())
    for path, of_file in groupby(places, key=lambda place: place[0]):
        with plain(path) as file:
            at, line = 0, b""
            for _, offset, request_id in of_file:
                while at <= offset:  # packed or recoded files can only be read on; the others are searched
                    if at < offset and hasattr(file, "seek"):
                        at = file.seek(offset)
                    line = file.readline(LONGEST)
                    at += len(line) or LONGEST
                yield request_id, line

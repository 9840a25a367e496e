"""Answers that the results folder has already are taken over instead of bought again: a planned shard is divided by them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice

import orjson

from common.catalog.vocabulary import let_go
from common.errors import InputError
from common.experiment.marks import moved
from common.experiment.shards import part
from common.files import whole_file, write_whole
from common.nouns import TO_SUBMIT, Run, Shard, State
from common.results.opened import plain
from common.results.origin import RunOrigin
from common.results.raw import LONGEST, Decode, raw_files, renamed, short_hash
from common.runs import witness
from common.runs.answered import Answer, Answered, RawPlace
from common.runs.identity import requests
from common.runs.journal import Journal
from common.runs.segments import SUFFIX, AnswersFile

TAKEN = ".taken"  # beside a shard that was taken over: what its place in a lost journal is made again from
MANY = 100_000  # requests of a plan from which on what they are searched in takes the room that counting their tokens took


@dataclass
class Divided:
    """What became of shards: those that stand for them now, those that are gone, and how many requests wait for other runs."""

    shards: list[Shard] = field(default_factory=list)
    gone: list[Shard] = field(default_factory=list)
    waits: Counter[str] = field(default_factory=Counter)  # requests by the run that is asking them
    unread: dict[str, str] = field(default_factory=dict)  # runs whose answers could not be read, and why


def divide(journal: Journal, run: Run, shards: Sequence[Shard], decode: Decode) -> Divided:
    """Shards that are to be sent → those that still are, and those whose answers are there. Nothing is committed. Raises OSError.

    What failed and is asked again takes clean answers only.
    """
    if sum(shard.count for shard in shards) >= MANY:
        let_go()
    answered = Answered(journal, run, decode)
    found = Divided(unread=answered.unread)
    if not answered:
        return replace(found, shards=[*shards])
    origin, numbers = RunOrigin(run), count(1 + max(chain(witness.read(run.folder / "shards"), (shard.n for shard in shards)), default=0))
    for shard in shards:
        if shard.taken_from:  # what was taken over before is not taken a second time
            places = _places(shard)
            for identity, _ in requests(shard, origin):
                answered.use(identity, places)
    for shard in shards:
        if shard.state not in TO_SUBMIT:
            found.shards.append(shard)
            continue
        by_run: dict[str, dict[str, Answer]] = defaultdict(dict)
        rest = set()
        for identity, request_id in requests(shard, origin):
            answer = answered.find(identity, clean=shard.attempt > 1)
            if isinstance(answer, Answer):
                by_run[answer.source.taken_from][request_id] = answer
                continue
            rest.add(request_id)
            if answer is not None:
                found.waits[answer] += 1
        if not by_run:
            found.shards.append(shard)
        else:
            found.gone.append(shard)
            found.shards += [part(shard, next(numbers), rest, run.mark)] if rest else []
            found.shards += [_taken(run, shard, next(numbers), of, name) for name, of in by_run.items()]
    return found


def refresh(journal: Journal, run: Run, decode: Decode) -> Divided:
    """Divide what a run has not sent yet by what is answered now; its lock is held. Raises InputError, OSError."""
    shards = journal.shards(run)
    if not run.reuses or not any(shard.state in TO_SUBMIT for shard in shards):
        return Divided(shards)
    if lost := [shard.path for shard in shards if shard.state in TO_SUBMIT and not shard.path.exists()]:
        raise InputError(f"{lost[0]}: is gone, or the journal is older than this folder; move journal.db aside and type: make adopt")
    sweep(run, shards)
    found = divide(journal, run, shards, decode)
    if found.gone:
        former = {shard.n for shard in shards}
        journal.replan(run, found.gone, [shard for shard in found.shards if shard.n not in former])
        forget(found.gone)
    return found


def sweep(run: Run, shards: Iterable[Shard]) -> None:
    """Remove what a command that was killed at dividing has left: files of none of a run's shards, which were never sent."""
    folder = run.folder / "shards"
    kept = {shard.path.stem for shard in shards} | {f"shard-{n:05d}" for n in witness.read(folder)}
    for path in folder.glob("shard-*"):
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def forget(shards: Iterable[Shard]) -> None:
    """Remove the files of shards that others stand for now."""
    for shard in shards:
        for suffix in (".jsonl", ".ids", TAKEN, SUFFIX):
            shard.path.with_suffix(suffix).unlink(missing_ok=True)


def _taken(run: Run, planned: Shard, n: int, answers: Mapping[str, Answer], taken_from: str) -> Shard:
    """A shard of those requests with their answers beside it, as if they had just been collected; they cost nothing."""
    shard = part(planned, n, answers, run.mark)
    batch_id = f"taken-{short_hash(run)}-{n}"
    output, _ = raw_files(run.folder.parent, batch_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    with whole_file(output) as file:
        copies = (renamed(line, answers[one].nth, moved(one, planned.mark, shard.mark)) for one, line in _lines(answers))
        while block := b"".join(islice(copies, 1000)):
            sha256.update(block)
            file.write(block)
    tally = dict(Counter(answer.outcome for answer in answers.values()))
    about = {"batch_id": batch_id, "files": {output.name: sha256.hexdigest()}, "tally": tally, "taken_from": taken_from,
             "collected_at": max(answer.source.collected_at for answer in answers.values()),
             "places": [answer.place for answer in answers.values()]}  # fmt: skip
    write_whole(shard.path.with_suffix(TAKEN), orjson.dumps(about))
    return as_taken(shard, about)


def _places(shard: Shard) -> set[RawPlace] | None:
    """Which answers a shard took over; None where that was not noted."""
    try:
        return {(name, offset, nth) for name, offset, nth in orjson.loads(shard.path.with_suffix(TAKEN).read_bytes())["places"]}
    except (OSError, ValueError, LookupError):
        return None


def as_taken(shard: Shard, about: Mapping) -> Shard:
    """A planned shard as one whose answers were taken over, by what was noted of it."""
    noted = {key: about[key] for key in ("batch_id", "files", "tally", "taken_from", "collected_at")}
    return replace(shard, state=State.COLLECTED, spent=0.0, known=0.0, listed=0.0, wasted=0.0, **noted)


def _lines(answers: Mapping[str, Answer]) -> Iterator[tuple[str, bytes]]:
    """(request id, raw line) of each answer, file by file from front to end."""
    by_file: dict[AnswersFile, list[tuple[int, str]]] = defaultdict(list)
    for request_id, answer in answers.items():
        by_file[answer.source].append((answer.offset, request_id))
    for source, of_file in by_file.items():
        with plain(source.path) as file:
            at, line = 0, b""
            for offset, request_id in sorted(of_file):
                while at <= offset:  # packed or recoded files can only be read on; the others are searched
                    if at < offset and hasattr(file, "seek"):
                        at = file.seek(offset)
                    line = file.readline(LONGEST)
                    at += len(line) or LONGEST
                yield request_id, line

"""A run's raw output → exactly one row per request: attempts merged, requests that no file mentions told as such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, starmap

from common.experiment.ids_file import ids
from common.experiment.marks import moved
from common.nouns import Result, Run, Shard
from common.outcomes import OWED, PENDING, SUCCEEDED
from common.results.origin import RunOrigin, taken_of
from common.results.raw import Decode, Problem, raw_files_there, read_raw
from common.results.rows import Row, RowMaker

# What `RowMaker` takes: a result, the id of the batch that it is of, and how often its request was sent.
Merged = tuple[Result, str, int]


def run_rows(run: Run, shards: Iterable[Shard], decode: Decode) -> Iterator[Row]:
    """Exactly one Row per request of a run: the newest answer, else the newest failure. Raises OSError.

    Goes by first-attempt shards, so memory holds the ids of one of them, whatever the run's size.
    """
    origin = RunOrigin(run)
    for family in families(shards):
        yield from family_rows(run, family, origin, decode)


def run_results(run: Run, shards: Iterable[Shard], decode: Decode) -> Iterator[Result]:
    """What `run_rows` makes rows of, for those who only count: not described, not checked. Raises OSError."""
    origin = RunOrigin(run)
    for family in families(shards):
        yield from (result for result, *_ in _merged(run, family, origin.of(family[0]).asked, decode))


def families(shards: Iterable[Shard]) -> Iterator[list[Shard]]:
    """First shards, each with those that sent some of its requests again, in the order of a run's rows."""
    for _, group in groupby(sorted(shards, key=lambda s: (s.root, s.n)), key=lambda s: s.root):
        yield list(group)


def family_rows(run: Run, family: list[Shard], origin: RunOrigin, decode: Decode) -> Iterator[Row]:
    """The rows of a family, as `run_rows` gives them; a function of its own, so that its ids go before those of the next one come."""
    of_family = origin.of(family[0])
    of_family.taken = taken_of(family)
    yield from starmap(RowMaker(of_family), _merged(run, family, of_family.asked, decode))


def _merged(run: Run, family: list[Shard], asked: dict[str, str], decode: Decode) -> Iterator[Merged]:
    """The answers of a first shard and of those that sent some of its requests again, the newest first.

    What was `asked` is forgotten once its row is made, which is before the next one is wanted: memory shrinks on the way.
    """
    mark = family[0].mark  # all attempts are told under the ids of the first
    again = Counter(chain.from_iterable(_ids(shard, mark) for shard in family[1:] if shard.attempt > 1 and not shard.taken_from))
    failed: dict[str, tuple[Result, str]] = {}
    for shard in reversed(family):
        batch_id = shard.batch_id
        for result in _results(run, shard, decode, mark):
            if (request_id := result.custom_id) not in asked:
                continue
            if result.outcome == SUCCEEDED or result.text:
                yield result, batch_id, 1 + again.get(request_id, 0)
                del asked[request_id]
            else:
                failed.setdefault(request_id, (result, batch_id))
    last = {request_id: shard for shard in family[1:] for request_id in _ids(shard, mark)}  # who asked for it last
    for request_id in asked:
        shard = last.get(request_id, family[0])
        yield *_without_answer(request_id, shard, failed), 1 + again[request_id]


def _ids(shard: Shard, mark: str) -> Iterator[str]:
    """The ids that a shard asks, as the first shard of its family, whose mark is `mark`, has asked them."""
    return (moved(request_id, shard.mark, mark) for request_id in ids(shard))


def _results(run: Run, shard: Shard, decode: Decode, mark: str) -> Iterator[Result]:
    """The results in a collected shard's raw files, under the ids of the first shard of its family, whose mark is `mark`."""
    if shard.state not in ("collected", "owed"):
        return
    same = shard.mark == mark
    for path in raw_files_there(run, shard.batch_id):
        for _, item in read_raw(path, decode):
            if type(item) is Problem:
                continue
            if not same:
                item = item._replace(custom_id=moved(item.custom_id, shard.mark, mark))
            yield item if item.created else item._replace(created=shard.collected_at)  # Anthropic's results carry no time


def _without_answer(request_id: str, shard: Shard, failed: Mapping[str, tuple[Result, str]]) -> tuple[Result, str]:
    """The newest failure of a request, or what its absence means by the state of the shard that asked for it last."""
    if shard.state == "owed":
        outcome = OWED
    elif shard.state not in ("collected", "refused"):  # it is being asked again, whatever came before
        outcome = PENDING
    elif request_id in failed:
        return failed[request_id]
    else:
        outcome = "not_accepted" if shard.state == "refused" else shard.absent
    return Result(request_id, outcome, code=outcome, message=shard.note or f"no answer in batch {shard.batch_id}"), shard.batch_id

"""A run's raw output → exactly one row per request, its accounting, and the folder that a person looks into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from common.catalog.prices import pricing
from common.experiment.shards import ids
from common.nouns import Result, Run, Shard, new
from common.outcomes import PENDING, SUCCEEDED
from common.results.answers import Checker
from common.results.origin import RunOrigin
from common.results.raw import Decode, Problem, existing, read_raw
from common.results.rows import Row

# ---- what an ended batch brought -------------------------------------------------------------------------------------


# ---- one row per request ---------------------------------------------------------------------------------------------


def records(run: Run, shards: Iterable[Shard], decode: Decode) -> Iterator[Row]:
    """Exactly one Row per request of a run, attempts merged: the newest answer, else the newest failure.

    Goes by first-attempt shards, so memory holds the ids of one of them, whatever the run's size.
    """
    context = RunOrigin(run)
    check = Checker(context.questions).check if context.questions else lambda text: None
    of_run = run.provider, run.experiment, run.name
    ordered = sorted(shards, key=lambda s: (s.root, s.n))
    for _, group in groupby(ordered, key=lambda s: s.root):
        family = list(group)
        model = context.model(family[0].model)
        price_of = pricing(model) if model else lambda usage: None
        for request_id, rest, result, attempts, batch_id in _merged(run, family, decode):
            meta = context.meta(request_id, rest)
            if meta.custom_id != request_id:
                result = result._replace(custom_id=meta.custom_id)
            yield new(Row, (meta, result, check(result.text), attempts, price_of(result.usage), batch_id, *of_run))


def _merged(run: Run, family: list[Shard], decode: Decode) -> Iterator[tuple[str, str, Result, int, str]]:
    pending = ids(family[0])
    tries: Counter[str] = Counter()
    for shard in family[1:]:
        if shard.attempt > 1:
            tries.update(ids(shard).keys())
    failed: dict[str, tuple[Result, str]] = {}
    last: dict[str, Shard] = {}
    for shard in reversed(family):
        if shard.state == "collected":
            for path in existing(run, shard.batch_id):
                for _, row in read_raw(path, decode):
                    if isinstance(row, Problem) or row.custom_id not in pending:
                        continue
                    if not row.created:  # Anthropic's rows carry no time
                        row = row._replace(created=shard.collected_at)
                    if row.outcome == SUCCEEDED or row.text:
                        rest = pending.pop(row.custom_id)
                        yield row.custom_id, rest, row, 1 + tries.get(row.custom_id, 0), shard.batch_id
                    else:
                        failed.setdefault(row.custom_id, (row, shard.batch_id))
        if len(family) > 1 and shard is not family[0]:
            for request_id in ids(shard):
                last.setdefault(request_id, shard)
    for request_id, rest in pending.items():
        asked = last.get(request_id, family[0])
        is_over = asked.state in ("collected", "refused")  # else it is being asked again, whatever came before
        result, batch_id = (failed.get(request_id) if is_over else None) or _absent(request_id, asked)
        yield request_id, rest, result, 1 + tries.get(request_id, 0), batch_id


def _absent(request_id: str, shard: Shard) -> tuple[Result, str]:
    """The result of a row that no file mentions, by the state of the last shard that asked for it."""
    if shard.state == "refused":
        outcome = "not_accepted"
    else:
        outcome = shard.absent if shard.state == "collected" else PENDING
    return Result(request_id, outcome, code=outcome, message=shard.note or f"no answer in batch {shard.batch_id}"), shard.batch_id


# ---- the sum ---------------------------------------------------------------------------------------------------------

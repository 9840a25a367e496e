"""What answers cost by anything that a row knows: its persona, text or outcome, or the level of any factor; read from the raw files.

Not from the tables: those have one row per request, and what an attempt cost that was made again stands in none of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from common.catalog.prices import at_list, pricing
from common.errors import InputError
from common.experiment.ids_file import ceiling_of
from common.nouns import Run, State
from common.outcomes import SUCCEEDED
from common.results.origin import RunOrigin
from common.results.raw import Decode, raw_files_there
from common.results.tally import Tally, results_of
from common.runs.ledger import KNOWN, NONE, Bill, Books
from common.runs.money import Money

OF_ROWS = ("persona", "text", "trial", "outcome")
MOST = 10_000  # sums that are kept apart; a data set may have a million texts
IN_FLIGHT, FORGOTTEN, GONE, OTHERS = "(in flight)", "(forgotten run)", "(raw file gone)", "(all others)"

Key = tuple[str, ...]


class BoundedSums(dict[Key, Money]):
    """Sums by key, at most MOST of them: what has another key then is summed as OTHERS."""

    def of(self, key: Key) -> Money:
        """The sum to add to."""
        if key not in self:
            key = key if len(self) < MOST else (OTHERS,) * len(key)
            self.setdefault(key, Money())
        return self[key]


def by_rows(books: Books, by: Sequence[str], decode_of: Callable[[Run], Decode]) -> BoundedSums:
    """Sums by some of KNOWN, OF_ROWS and names of factors and kept columns. Raises InputError for a name that no run has.

    What has no rows, because it is in flight, forgotten, or its raw files are gone, is a line of its own, as the journal has it.
    Memory: the ids of one batch, and the sums.
    """
    origins = {batch.run.key: _origin(batch.run) for batch in books.batches if batch.run}
    _check(by, [origin for origin in origins.values() if origin])
    found = BoundedSums()
    for batch in books.batches:
        origin = origins[batch.run.key] if batch.run else None
        if why := _has_no_rows(batch, origin):
            found.of(tuple(batch.names.get(name, why) for name in by)).add(batch.money)
        else:
            _add_rows(found, batch, origin.of(batch.shard), by, decode_of(batch.run))
    return found


def _origin(run: Run) -> RunOrigin | None:
    try:
        return RunOrigin(run)
    except (OSError, InputError):  # its folder is gone or garbled: the journal still knows what it cost
        return None


def _check(by: Sequence[str], origins: Sequence[RunOrigin]) -> None:
    known = [*KNOWN, *OF_ROWS, *dict.fromkeys(name for origin in origins for name in origin.kept)]
    if wrong := [name for name in by if name not in known and not any(name in origin.kept_names for origin in origins)]:
        raise InputError(f"--by {wrong[0]}: no run here has that; known are {', '.join(known)}")


def _has_no_rows(batch: Bill, origin: RunOrigin | None) -> str:
    """Why the rows of a batch cannot be read; "" if they can."""
    if batch.run is None:
        return FORGOTTEN
    if batch.shard.state is not State.COLLECTED:
        return IN_FLIGHT
    folder = batch.run.folder.parent / "batch_results"
    is_there = origin and batch.shard.path.with_suffix(".ids").exists() and all((folder / name).exists() for name in batch.shard.files)
    return "" if is_there else GONE


def _add_rows(found: BoundedSums, batch: Bill, origin: RunOrigin, by: Sequence[str], decode: Decode) -> None:
    """Add each answer of a batch; what it cost is unknown where its usage was not told, or for a row that was given up."""
    shard, model = batch.shard, origin.model(batch.shard.model)
    price_of, list_price_of = (pricing(model), pricing(at_list(model))) if model else (lambda usage: None,) * 2
    level, unsure, seen = _levels(batch, origin, by), defaultdict(set), set()
    for result in results_of(raw_files_there(batch.run, shard.batch_id), Tally(), decode, seen, origin.asked):
        key = level(result.custom_id, result.outcome)
        money, cost = found.of(key), price_of(result.usage)
        money.requests += 1
        money.clean += result.outcome == SUCCEEDED
        if cost is None:
            unsure[key].add(result.custom_id)
            continue
        money.paid += cost
        money.listed += list_price_of(result.usage)
        if result.outcome != SUCCEEDED:
            money.wasted += cost
    for request_id in origin.asked:
        if request_id not in seen:
            key = level(request_id, shard.absent)
            found.of(key).requests += 1
            if shard.absent == "given_up":
                unsure[key].add(request_id)
    for key, ids in unsure.items():
        bound = ceiling_of(shard, ids)
        found.of(key).add(Money(unsure=bound or 0.0, boundless=bound is None))


def _levels(batch: Bill, origin: RunOrigin, by: Sequence[str]) -> Callable[[str, str], Key]:
    """What makes the key of a row: (request id, outcome) → key."""
    kept = {name: n for names in (origin.kept_names, origin.kept) for n, name in enumerate(names)}

    def level(request_id: str, outcome: str) -> Key:
        meta = origin.describe(request_id)
        known = {**batch.names, "persona": meta.persona, "text": meta.text, "trial": "" if meta.trial is None else str(meta.trial)}
        known["outcome"] = outcome
        return tuple(known[name] if name in known else meta.kept[kept[name]] if name in kept else NONE for name in by)

    return level

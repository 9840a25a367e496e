"""The ledger of a results folder: what each batch cost, from the journal alone, summed by any of what the journal knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import orjson

from common.errors import InputError
from common.nouns import OUT, Run, Shard, State
from common.runs.journal import Journal
from common.runs.money import Money, of_shard
from common.text import iso

KNOWN = ("day", "month", "run", "study", "provider", "model", "experiment")  # what the journal can be summed by
ROUNDING = 1e-6  # USD by which sums of the same figures may differ
NONE = "–"


class Bill(NamedTuple):
    """A batch (or, of a forgotten run, the batches of a day and model) and what it cost: what it can be summed by, by name."""

    names: dict[str, str]
    money: Money
    run: Run | None = None  # None where it was forgotten
    shard: Shard | None = None


class MoneyKind(NamedTuple):
    """Whose money it was."""

    simulated: bool
    imported: bool  # paid elsewhere, by others


@dataclass
class Books:
    """All batches of a results folder that are of one kind, and what the journal's own sum over them is."""

    batches: list[Bill] = field(default_factory=list)
    journal: float = 0.0  # USD paid or reserved, as SQL sums it
    others: set[str] = field(default_factory=set)  # runs left out because they are rehearsals or, where those were wanted, are none
    imported: set[str] = field(default_factory=set)  # and because others had paid for them
    unread: list[str] = field(default_factory=list)  # runs that are garbled, in a line each


def read(journal: Journal, simulated: bool = False) -> Books:
    """What was paid from this results folder, or with `simulated` what its rehearsals would have cost.

    Imported runs were paid elsewhere, and are left out. Memory: that of the journal's shards.
    """
    books, sums, runs = Books(), committed_by_run(journal), journal.runs()
    counted = set() if simulated else {*sums} - {run.key for run in runs}  # what no readable run owns is money too
    for run in runs:
        shards = _sent(books, journal, run)
        if _is_wanted(books, run.key, MoneyKind(_is_rehearsal(run, shards), bool(run.imported)), simulated, bool(shards)):
            counted.add(run.key)
            books.batches += [Bill(_names(run, shard), of_shard(shard), run, shard) for shard in shards]
    notes = [(key, about) for key, about in forgotten(journal) if _is_wanted(books, key, _kind(about), simulated, bool(about["cost"]))]
    books.batches += [batch for key, about in notes for batch in _forgotten(key, about)]
    books.unread += journal.garbled.values()
    books.journal = sum(about["committed"] for _, about in notes) + sum(sums.get(key, 0.0) for key in counted)
    return books


def committed_by_run(journal: Journal) -> dict[str, float]:
    """What each run has cost or may cost at most, in USD, as SQL sums it."""
    return dict(journal.select("SELECT run, total(committed) FROM money GROUP BY run"))


def forgotten(journal: Journal) -> list[tuple[str, dict]]:
    """(run, what was noted of it) for each time that a run was forgotten whose cost was noted, and is not here again."""
    rows = journal.select("SELECT run, data FROM events WHERE kind = 'forgotten' ORDER BY id")
    found = [(key, about) for key, data in rows if "cost" in (about := orjson.loads(data))]
    here = {run.key: run.created_at for run in journal.runs()}
    return [(key, about) for key, about in found if here.get(key) != about["created_at"]]


def _is_rehearsal(run: Run, shards: Iterable[Shard]) -> bool:
    """Whether a run was asked of a local batch service, at whatever address: then its answers say so."""
    return run.local or any(shard.simulated for shard in shards)


def _kind(about: dict) -> MoneyKind:
    return MoneyKind(bool(about["simulated"]), bool(about["imported"]))


def _is_wanted(books: Books, key: str, kind: MoneyKind, simulated: bool, was_sent: bool) -> bool:
    is_wanted = kind == (simulated, False)
    if was_sent and not is_wanted:
        (books.imported if kind.imported else books.others).add(key)
    return is_wanted


def _sent(books: Books, journal: Journal, run: Run) -> list[Shard]:
    """The shards of a run that were sent; none where one of them is garbled, which is noted."""
    try:
        return [shard for shard in journal.shards(run, *OUT, State.COLLECTED) if not shard.taken_from]
    except InputError as error:
        books.unread.append(str(error))
        return []


def _names(run: Run, shard: Shard) -> dict[str, str]:
    """A batch belongs to the day (UTC) on which it was sent: that stays what it is, whenever it is collected."""
    day = iso(shard.intent_at or shard.collected_at or run.created_at)[:10]
    return {
        "day": day, "month": day[:7], "run": run.key, "study": run.study or NONE, "provider": run.provider, "model": shard.model,
        "experiment": run.experiment,
    }  # fmt: skip


def _forgotten(key: str, about: dict) -> Iterator[Bill]:
    for noted in about["cost"]:
        day = noted["day"]
        names = {"day": day, "month": day[:7], "run": key, "study": about["study"] or NONE, "provider": about["provider"],
                 "model": noted["model"], "experiment": about["experiment"]}  # fmt: skip
        yield Bill(names, Money(**noted["money"]))


def noted(journal: Journal, run: Run) -> dict:
    """What a run has cost, by day and model, for the journal to keep once the run is forgotten."""
    shards = [shard for shard in journal.shards(run, *OUT, State.COLLECTED) if not shard.taken_from]
    found = summed([Bill(_names(run, shard), of_shard(shard)) for shard in shards], ("day", "model"))
    return {
        "created_at": run.created_at, "study": run.study, "provider": run.provider, "experiment": run.experiment,
        "simulated": _is_rehearsal(run, shards), "imported": run.imported,
        "cost": [{"day": day, "model": model, "money": asdict(money)} for (day, model), money in found.items()],
    }  # fmt: skip


def summed(batches: Iterable[Bill], by: Iterable[str]) -> dict[tuple[str, ...], Money]:
    """Sums by some of KNOWN."""
    by, found = tuple(by), {}
    for batch in batches:
        found.setdefault(tuple(batch.names[name] for name in by), Money()).add(batch.money)
    return found

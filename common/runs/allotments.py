"""What agents were allowed to spend: each start is noted in the journal with its cap, and all of them share one bound."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.nouns import OUT, TO_SUBMIT, Run
from common.runs.journal import Journal
from common.runs.ledger import committed_by_run

KIND = "allotted"


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Be the one start of an agent in a results folder, which exists; others wait."""
    with open(results / "agents.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def allot(journal: Journal, keys: Sequence[str], amount: float) -> None:
    """Note that the runs of these keys may spend so many USD together, before any of it is sent. Raises InWork."""
    with journal.lock(journal.run(keys[0])):
        journal.save_run(journal.run(keys[0]), KIND, runs=sorted(keys), usd=amount)


def allotted(journal: Journal, but: Sequence[str]) -> float:
    """USD that agents' starts can cost at most: what was allotted until a start has ended, then what it has cost.

    Starts of no other runs than those of `but` are left out.
    """
    starts = {frozenset(one["runs"]): one["usd"] for one in journal.noted(KIND)}
    paid, runs = committed_by_run(journal), {run.key: run for run in journal.runs()}
    return sum(
        max(sum(paid.get(key, 0.0) for key in keys), usd if any(_goes_on(journal, key, runs) for key in keys) else 0.0)
        for keys, usd in starts.items()
        if not keys <= {*but} and not any(keys < more for more in starts)
    )


def _goes_on(journal: Journal, key: str, runs: Mapping[str, Run]) -> bool:
    """Whether a run may still cost something; one that is garbled may, one that is gone cannot."""
    if key not in runs:
        return key in journal.garbled
    states = set(journal.states(runs[key]))
    return bool(states & {*OUT}) or (bool(states & {*TO_SUBMIT}) and not runs[key].stopped)

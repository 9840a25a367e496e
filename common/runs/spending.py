"""What is spent and what may still be: sums of the journal, made inside the transaction that writes an intent.

A month is a calendar month in UTC, as the providers bill. A batch belongs to the month in which its intent was written,
whenever it ends, so that its money never moves from one month to another.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

ROUNDING = 1e-9  # USD by which sums of the same reserves may differ by the order in which they are added


class Caps(NamedTuple):
    """Spending caps in USD, infinite where there is none."""

    run: float = math.inf  # for a run, or for all of its study
    month: float = math.inf  # for all runs of the results folder in a calendar month


class Committed(NamedTuple):
    """USD: what collected batches have cost, what those in flight or owed may cost at most; batches at no known price are in neither."""

    spent: float
    out: float
    unpriced: int = 0

    @property
    def total(self) -> float:
        """What counts against a cap."""
        return self.spent + self.out


class OverCap(Exception):
    """A reserve would bring a run or a month beyond its cap. Nothing was written."""

    def __init__(self, which: str, cap: float, money: Committed, reserve: float | None) -> None:
        super().__init__(which, cap, money, reserve)
        self.which, self.cap, self.money, self.reserve = which, cap, money, reserve

    @property
    def most(self) -> float:
        """USD that run or month could then cost."""
        return self.money.total + (self.reserve or 0.0)


def check(which: str, cap: float, money: Committed, reserve: float | None) -> None:
    """Raises OverCap where a reserve does not fit. One that is unknown fits no month: a person has allowed it for the run only."""
    if reserve is None and which == "month" and cap < math.inf:
        raise OverCap(which, cap, money, reserve)
    if money.total + (reserve or 0.0) > cap + ROUNDING:
        raise OverCap(which, cap, money, reserve)


def month_of(at: float) -> tuple[str, float, str]:
    """The UTC month of a moment (unix seconds): its name, its first second, and the day on which the next one begins."""
    first = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    return f"{first:%Y-%m}", first.timestamp(), f"{following:%Y-%m-%d}"


_SUM = """
SELECT total(m.committed) FILTER (WHERE m.state = 'collected'), total(m.committed) FILTER (WHERE m.state <> 'collected'),
count(*) FILTER (WHERE m.committed = 0 AND s.reserve IS NULL AND s.spent IS NULL AND m.state NOT IN ('planned', 'uploaded', 'refused'))
FROM money m JOIN shards s ON s.run = m.run AND s.n = m.n
"""


def _noted(table: str, name: str) -> str:
    """SQL for what a row's body has noted; NULL where it is garbled."""
    return f"CASE WHEN json_valid(CAST({table}.body AS TEXT)) THEN json_extract(CAST({table}.body AS TEXT), '$.{name}') END"


# A batch whose intent was not noted belongs to the month in which it was collected, before that to any.
_AT = f"coalesce(nullif({_noted('s', 'intent_at')}, 0), nullif({_noted('s', 'collected_at')}, 0), 9e99)"
# Without an end: after a jump of the clock what was sent in a month to come counts in this one too.
_MONTH = f"""{_SUM} JOIN runs r ON r.key = m.run
WHERE m.state NOT IN ('planned', 'uploaded', 'refused') AND coalesce({_noted('r', 'address')} = 'local', 0) = ?
AND NOT coalesce({_noted('r', 'imported')}, 0) AND {_AT} >= ?
"""
# But for those that have been rebuilt since: these count themselves.
_FORGOTTEN = f"""
SELECT total(json_extract(value, '$.usd')), total(json_extract(value, '$.usd') IS NULL)
FROM events e, json_each(CAST(data AS TEXT), '$.left') WHERE kind = 'forgotten' AND json_extract(value, '$.at') >= ?
AND json_extract(CAST(data AS TEXT), '$.simulated') = ? AND NOT EXISTS (
    SELECT 1 FROM runs r WHERE r.key = e.run AND {_noted('r', 'created_at')} = json_extract(CAST(data AS TEXT), '$.created_at')
)
"""
_LEFT = f"""
SELECT {_AT}, CASE WHEN s.spent IS NULL AND s.reserve IS NULL THEN NULL ELSE m.committed END
FROM money m JOIN shards s ON s.run = m.run AND s.n = m.n
WHERE m.run = ? AND m.state = 'collected' AND coalesce(s.spent, 1) > 0
"""


def of_runs(db: sqlite3.Connection, keys: Collection[str]) -> Committed:
    """The money of some runs, of all times."""
    return Committed(*db.execute(f"{_SUM} WHERE m.run IN ({','.join('?' * len(keys))})", [*keys]).fetchone())


def of_month(db: sqlite3.Connection, at: float, simulated: bool) -> Committed:
    """The money of all runs of the results folder in the month of a moment, forgotten ones included; imported ones are not ours."""
    _, since, _ = month_of(at)
    spent, out, unpriced = db.execute(_MONTH, (simulated, since)).fetchone()
    gone, unknown = db.execute(_FORGOTTEN, (since, simulated)).fetchone()
    return Committed(spent + gone, out, unpriced + int(unknown))


def left_behind(db: sqlite3.Connection, key: str) -> list[dict]:
    """What the collected batches of a run have cost, and when they were sent: noted where the run itself is forgotten."""
    return [{"at": at, "usd": cost} for at, cost in db.execute(_LEFT, (key,))]

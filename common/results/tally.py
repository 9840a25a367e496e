"""Requests counted: what one batch brought against what its shard had asked, and what a run has in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from common.catalog.prices import pricing
from common.experiment.shards import ids
from common.nouns import Model, Run, Shard
from common.outcomes import PENDING, SUCCEEDED
from common.results.merge import records
from common.results.raw import Decode, Problem, existing, read_raw
from common.results.rows import Census, Row, blocks


@dataclass
class Scan:
    """One pass over a batch's raw files against what its shard had asked."""

    tally: Counter = field(default_factory=Counter)
    unclean: dict[str, str] = field(default_factory=dict)  # request id → outcome, for all but the successes
    absent: list[str] = field(default_factory=list)  # ids that no line answers
    bad: Counter = field(default_factory=Counter)  # lines that are no row, by kind
    first_bad: Problem | None = None
    examples: dict[str, str] = field(default_factory=dict)  # the first message of each class
    simulated: int = 0
    spent: float | None = 0.0


def scan(shard: Shard, run: Run, model: Model, decode: Decode) -> Scan:
    """Read a collected batch. Memory: the ids of one shard. Raises OSError."""
    found, expected, seen, price_of = Scan(), ids(shard), set(), pricing(model)
    tally, spent = found.tally, 0.0
    for path in existing(run, shard.batch_id):
        for _, row in read_raw(path, decode, seen, expected):
            if isinstance(row, Problem):
                found.bad[row.kind] += 1
                found.first_bad = found.first_bad or row
                continue
            outcome, price = row.outcome, price_of(row.usage)
            tally[outcome] += 1
            found.simulated += row.simulated
            spent = None if price is None or spent is None else spent + price
            if outcome != SUCCEEDED:
                found.unclean[row.custom_id] = outcome
                found.examples.setdefault(outcome, row.message)
    found.spent = spent
    found.absent = [request_id for request_id in expected if request_id not in seen]
    return found


@dataclass
class Account:
    """planned = succeeded + failed(by class) + expired + cancelled + missing (+ pending while it runs)."""

    planned: int
    kinds: Census = field(default_factory=Census)
    tokens: Counter = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.kinds.total()

    @property
    def outcomes(self) -> Counter:
        """Rows by outcome."""
        return self.kinds.by("outcome")

    @property
    def adds_up(self) -> bool:
        """Whether every planned request has exactly one row."""
        return self.rows == self.planned

    @property
    def simulated(self) -> int:
        """Rows that are a rehearsal's."""
        return self.kinds.by("simulated")[True]

    def add(self, block: Collection[Row]) -> None:
        """Count rows."""
        self.kinds.add(block)
        self.tokens["input"] += sum(record.result.usage.input for record in block)
        self.tokens["output"] += sum(record.result.usage.output for record in block)

    def as_dict(self) -> dict:
        """For summary.json and --json."""
        answers = self.kinds.by("answer", lambda kind: kind.answer and kind.outcome != PENDING)
        by_model = {name: self.kinds.by("outcome", lambda kind, name=name: kind.model == name) for name in self.kinds.by("model")}
        return {
            "planned": self.planned,
            "rows": self.rows,
            "adds_up": self.adds_up,
            "outcomes": dict(sorted(self.outcomes.items())),
            "answers_checked": dict(sorted(answers.items())),
            "retried_rows": self.kinds.by("again")[True],
            "simulated_rows": self.simulated,
            "tokens": dict(self.tokens),
            "by_model": {name: dict(sorted(c.items())) for name, c in sorted(by_model.items())},
        }


def account(run: Run, shards: Iterable[Shard], decode: Decode) -> Account:
    """Count a run's rows from its files, writing nothing."""
    found = Account(run.planned)
    for block in blocks(records(run, shards, decode)):
        found.add(block)
    return found


def uncollected(run: Run, shards: Iterable[Shard]) -> Account:
    """The account of a run of which no batch has been collected yet: nothing but pending rows, without a table."""
    found = Account(run.planned)
    for shard in shards:
        if shard.n == shard.root:
            found.kinds[shard.model, PENDING, "", False, False] += shard.count
    return found

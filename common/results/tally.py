"""Everything that is counted: rows and bad lines of a file, what a batch brought of what was asked, and a run's sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from common.catalog.prices import at_list, pricing
from common.experiment.ids_file import ceiling_of, ids
from common.nouns import Model, Result, Run, Shard, Usage
from common.outcomes import PENDING, SUCCEEDED
from common.results.checked import kinds
from common.results.gold import Gold
from common.results.raw import Decode, Problem, raw_files_there, read_raw, sniff
from common.results.rows import Row

SHOWN = 20  # bad lines that are kept to be shown
MOST_REPORTED = 1000  # pairs of alias and reported id; a host may answer with a new one in each row


class RowKind(NamedTuple):
    """What is counted of a row. `answer`: its `Checked.status`, "" without questions."""

    model: str
    outcome: str
    answer: str
    simulated: bool
    again: bool  # sent more than once


@dataclass
class Tally:
    """Rows by kind, counted once on their way; every sum comes from that. Beside them the lines that gave no row.

    planned = taken over + succeeded + failed(by class) + expired + cancelled + missing (+ pending while it runs).
    """

    planned: int = 0  # requests; 0 where nobody knows how many there should be
    kinds: Counter[RowKind] = field(default_factory=Counter)  # keys are plain tuples in the order of `RowKind`
    tokens: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)  # lines that are no row, by kind of problem
    shown: list[Problem] = field(default_factory=list)  # the first of them
    unclear: Counter[str] = field(default_factory=Counter)  # answers by kind of problem in them
    taken: int = 0  # successes that another run had paid for
    gold: Gold | None = None  # answers beside the right ones, where they are compared
    reported: set[tuple[str, str]] = field(default_factory=set)  # alias and the model id that the API answered with

    def add(self, model: str, result: Result, answer: str, again: bool) -> None:
        """Count one row; see `RowKind` for what the arguments mean."""
        self.kinds[model, result.outcome, answer, result.simulated, again] += 1
        usage, tokens = result.usage, self.tokens
        if usage is None:
            tokens["answers_without_usage"] += 1
            return
        read, cached, said, _, written, written_1h = usage
        tokens["input"] += read
        tokens["output"] += said
        if cached or written or written_1h:
            tokens["cached"] += cached
            tokens["cache_written"] += written + written_1h

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Count rows and pass them on."""
        told = None
        for row in rows:
            checked, model = row.checked, row.meta.model
            self.add(model, row.result, checked.status if checked else "", row.attempts > 1)
            self.taken += row.taken_from != "" and row.result.outcome == SUCCEEDED
            if told != (model, row.result.model) and len(self.reported) < MOST_REPORTED:
                self.reported.add(told := (model, row.result.model))
            if checked and checked.problems and row.result.text:  # without a text its outcome says why
                self.unclear.update(kinds(checked.problems))
            yield row

    def include(self, other: Tally) -> None:
        """Count what another tally has counted of rows; bad lines stay where they are."""
        for name in ("kinds", "tokens", "unclear"):
            getattr(self, name).update(getattr(other, name))
        self.taken += other.taken
        if len(self.reported) < MOST_REPORTED:
            self.reported |= other.reported

    def reject(self, problem: Problem) -> None:
        """Count one bad line; keep the first few to show."""
        self.bad[problem.kind] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(problem)

    def by(self, what: str, where: Callable[[RowKind], object] = lambda kind: True) -> Counter:
        """Rows by one field of `RowKind`, of those kinds that `where` takes."""
        found = Counter()
        for kind, count in ((RowKind(*key), count) for key, count in self.kinds.items()):
            if where(kind):
                found[getattr(kind, what)] += count
        return found

    @property
    def rows(self) -> int:
        """All rows."""
        return self.kinds.total()

    @property
    def adds_up(self) -> bool:
        """Whether every planned request has exactly one row."""
        return self.rows == self.planned

    @property
    def outcomes(self) -> Counter:
        """Rows by outcome."""
        return self.by("outcome")

    @property
    def answers(self) -> Counter:
        """Checked rows by what the check said; those still pending have nothing to be checked."""
        return self.by("answer", lambda kind: kind.answer and kind.outcome != PENDING)

    @property
    def simulated(self) -> int:
        """Rows that are a rehearsal's."""
        return self.by("simulated")[True]

    def as_dict(self) -> dict:
        """For summary.json and --json."""
        by_model = {name: self.by("outcome", lambda kind, name=name: kind.model == name) for name in self.by("model")}
        return {
            "planned": self.planned,
            "rows": self.rows,
            "adds_up": self.adds_up,
            "outcomes": dict(sorted(self.outcomes.items())),
            "answers_checked": dict(sorted(self.answers.items())),
            "answer_problems": dict(sorted(self.unclear.items(), key=lambda item: (-item[1], item[0]))),
            "taken_over": self.taken,
            "gold": self.gold.facts() if self.gold else [],
            "retried_rows": self.by("again")[True],
            "simulated_rows": self.simulated,
            "tokens": dict(self.tokens),
            "by_model": {name: dict(sorted(c.items())) for name, c in sorted(by_model.items())},
        }


def results_of(
    files: Iterable[Path], tally: Tally, decode: Decode = sniff, seen: set[str] | None = None, known: Container[str] | None = None
) -> Iterator[Result]:
    """The results in files that belong together, as `read_raw` gives them; lines that are none go to the tally."""
    seen = set() if seen is None else seen
    for path in files:
        for _, item in read_raw(path, decode, seen, known):
            if isinstance(item, Problem):
                tally.reject(item)
            else:
                yield item


# ---- what an ended batch brought -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Used:
    """Tokens of answers as the provider counted them, summed: what later plans expect follows from these.

    As floats, which no sum of what a host may write brings beyond what JSON holds.
    """

    answers: int = 0
    input: float = 0.0
    cached: float = 0.0
    written: float = 0.0
    written_1h: float = 0.0
    output: float = 0.0
    squares: float = 0.0  # of each answer's output, for their spread

    def add(self, usage: Usage | None) -> None:
        """Add one row's; one that was not run, or of which nobody tells, is no answer."""
        if usage is None or not usage.input:
            return
        read, cached, said, _, written, written_1h = usage
        self.answers += 1
        self.input += read
        self.cached += cached
        self.written += written
        self.written_1h += written_1h
        self.output += said
        self.squares += float(said) * said

    def of(self, model: Model) -> dict[str, object]:
        """As the journal keeps it: the sums, and the id of the model whose answers they are."""
        return {"model": model.id, **asdict(self)}


@dataclass
class BatchScan:
    """One pass over a batch's raw files against what its shard had asked."""

    tally: Tally
    model: Model
    used: Used = field(default_factory=Used)
    unclean: dict[str, str] = field(default_factory=dict)  # request id → outcome, for all but the successes
    examples: dict[str, str] = field(default_factory=dict)  # the first message of each outcome
    absent: list[str] = field(default_factory=list)  # ids that no line answers
    known: float = 0.0  # USD of the rows whose cost is known
    listed: float = 0.0  # of the same rows, at the synchronous list price
    wasted: float = 0.0  # of `known`, what rows without a clean answer cost
    unpriced: set[str] = field(default_factory=set)  # ids of the others: answered, and nobody says from how many tokens
    most: float | None = 0.0  # USD that its rows can have cost: those without a usage at their own ceilings; None without a price

    @property
    def spent(self) -> float | None:
        """USD, None when a price or a usage is unknown."""
        return None if self.unpriced else self.known

    def note(self, result: Result, cost: float | None, listed: float | None) -> None:
        """Keep what is to be known of this very request; `listed` is None with `cost`."""
        self.used.add(result.usage)
        if cost is None:
            self.unpriced.add(result.custom_id)
        else:
            self.known += cost
            self.listed += listed
        if result.outcome != SUCCEEDED:
            self.wasted += cost or 0.0
            self.unclean[result.custom_id] = result.outcome
            self.examples.setdefault(result.outcome, result.message)


def scan(shard: Shard, run: Run, model: Model, decode: Decode) -> BatchScan:
    """Read a collected batch; its answers are not checked. Memory: the ids of one shard. Raises OSError."""
    found, asked, seen, price_of = BatchScan(Tally(shard.count), model), ids(shard), set(), pricing(model)
    list_price_of = pricing(at_list(model))
    for result in results_of(raw_files_there(run, shard.batch_id), found.tally, decode, seen, asked):
        found.tally.add(shard.model, result, "", shard.attempt > 1)
        found.note(result, price_of(result.usage), list_price_of(result.usage))
    found.most = found.known + bound if (bound := ceiling_of(shard, found.unpriced)) is not None else None
    found.absent = [request_id for request_id in asked if request_id not in seen]
    return found


# ---- a run's sum -----------------------------------------------------------------------------------------------------


def uncollected(run: Run, shards: Iterable[Shard]) -> Tally:
    """The tally of a run of which no batch has been collected yet: nothing but pending rows, without a table."""
    found = Tally(run.planned)
    for shard in shards:
        if shard.n == shard.root:
            found.kinds[shard.model, PENDING, "", False, False] += shard.count
    return found

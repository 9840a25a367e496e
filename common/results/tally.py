"""What is counted of rows on their way: their kinds, their tokens, and the lines that gave none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from common.nouns import Result, Run, Shard, Usage
from common.outcomes import PENDING, SUCCEEDED
from common.results.checked import kinds
from common.results.gold import Gold
from common.results.raw import Decode, Problem, read_raw, sniff
from common.results.rows import Row, blocks

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

    def add(self, found: Iterable[tuple[str, str, str, bool, bool]], usages: Sequence[Usage | None]) -> None:
        """Count rows: what each is, in the order of `RowKind`, and the tokens of all."""
        self.kinds.update(found)
        told = [usage for usage in usages if usage is not None]
        if len(told) < len(usages):
            self.tokens["answers_without_usage"] += len(usages) - len(told)
        if not told:
            return
        read, cached, said, _, written, written_1h = map(sum, zip(*told))
        self.tokens["input"] += read
        self.tokens["output"] += said
        if cached or written or written_1h:
            self.tokens["cached"] += cached
            self.tokens["cache_written"] += written + written_1h

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Count rows and pass them on."""
        for block in blocks(rows):
            metas, results, checks, attempts, *_, taken_from = zip(*block)
            models, statuses = [meta.model for meta in metas], [checked.status if checked else "" for checked in checks]
            _, outcomes, texts, reported, _, usages, _, _, simulated, _ = zip(*results)
            self.add(zip(models, outcomes, statuses, simulated, [count > 1 for count in attempts]), usages)
            if any(taken_from):
                self.taken += sum(taken != "" and outcome == SUCCEEDED for taken, outcome in zip(taken_from, outcomes))
            if len(self.reported) < MOST_REPORTED:
                self.reported.update(zip(models, reported))
            for checked, text in zip(checks, texts):
                if checked and checked.problems and text:  # without a text its outcome says why
                    self.unclear.update(kinds(checked.problems))
            yield from block

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


def uncollected(run: Run, shards: Iterable[Shard]) -> Tally:
    """The tally of a run of which no batch has been collected yet: nothing but pending rows, without a table."""
    found = Tally(run.planned)
    for shard in shards:
        if shard.n == shard.root:
            found.kinds[shard.model, PENDING, "", False, False] += shard.count
    return found

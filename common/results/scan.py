"""What an ended batch brought of what its shard had asked: each row priced once, tokens summed, and what no line answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from common.catalog.prices import at_list, pricing
from common.experiment.ids_file import ceiling_of, ids
from common.nouns import Model, Result, Run, Shard, Usage
from common.outcomes import SUCCEEDED
from common.results.raw import Decode, raw_files_there
from common.results.rows import blocks
from common.results.tally import Tally, results_of


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

    def add(self, usages: Iterable[Usage | None]) -> None:
        """Add those of rows; one that was not run, or of which nobody tells, is no answer."""
        if not (told := [usage for usage in usages if usage is not None and usage.input]):
            return
        read, cached, said, _, written, written_1h = zip(*told)
        self.answers += len(told)
        self.input += sum(read)
        self.cached += sum(cached)
        self.written += sum(written)
        self.written_1h += sum(written_1h)
        self.output += sum(said)
        self.squares += sum([float(tokens) * tokens for tokens in said])

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

    def add(self, results: Sequence[Result], costs: Sequence[float | None], listed: Iterable[float | None]) -> None:
        """Keep what is to be known of these very requests, but for their tally; `listed` is None where their cost is."""
        self.used.add([result.usage for result in results])
        self.known += sum(filter(None, costs))
        self.listed += sum(filter(None, listed))
        for result, cost in zip(results, costs):
            if cost is None:
                self.unpriced.add(result.custom_id)
            if result.outcome != SUCCEEDED:
                self.wasted += cost or 0.0
                self.unclean[result.custom_id] = result.outcome
                self.examples.setdefault(result.outcome, result.message)


def scan(shard: Shard, run: Run, model: Model, decode: Decode) -> BatchScan:
    """Read a collected batch; its answers are not checked. Memory: the ids of one shard. Raises OSError."""
    found, asked, seen, price_of = BatchScan(Tally(shard.count), model), ids(shard), set(), pricing(model)
    list_price_of, again = pricing(at_list(model)), shard.attempt > 1
    for results in blocks(results_of(raw_files_there(run, shard.batch_id), found.tally, decode, seen, asked)):
        usages = [result.usage for result in results]
        found.tally.add([(shard.model, result.outcome, "", result.simulated, again) for result in results], usages)
        found.add(results, [*map(price_of, usages)], map(list_price_of, usages))
    found.most = found.known + bound if (bound := ceiling_of(shard, found.unpriced)) is not None else None
    found.absent = [request_id for request_id in asked if request_id not in seen]
    return found

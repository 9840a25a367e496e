"""The facts of a report: everything that is shown, summed in one pass over the rows of runs."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import orjson

from common.nouns import Question, Run, Shard
from common.outcomes import SUCCEEDED
from common.reports.sums import Conditions, Cube, Measure, measures
from common.results.checked import kinds
from common.results.export import Source
from common.results.merge import run_rows
from common.results.origin import RunOrigin
from common.results.rows import Row
from common.results.tally import RowKind, Tally
from common.results.typed import reader
from common.runs.overview import summary

EXAMPLES, WORDS = 200, 500  # of what went wrong, and characters of one
PAIRS = 10_000  # pairs of gold and answer that are told apart


@dataclass
class Use:
    """What the answers of a model took."""

    rows: int = 0
    input: int = 0
    output: int = 0
    reasoning: int = 0
    unknown: int = 0  # answers of which nobody says how many tokens


@dataclass
class RunGroup:
    """Runs that asked the same questions of an experiment: their answers are summed together."""

    experiment: str
    questions: Sequence[Question]
    measures: Sequence[Measure]
    cube: Cube
    conditions: Conditions
    golds: list[tuple[int, int, Callable[[str], object]]]  # (measure, place of its gold column among those kept, what reads it)
    factors: Sequence[int]  # places of the further factors among what rows keep
    bins: dict[tuple[str, int], list[int]] = field(default_factory=dict)  # by model and measure
    gold: dict[tuple[int, str], Counter] = field(default_factory=lambda: defaultdict(Counter))  # pairs by measure and model
    names: dict[tuple[str, str], str] = field(default_factory=dict)  # of a persona or text, by factor and id
    runs: list[str] = field(default_factory=list)


@dataclass
class OneRun:
    """A run beside its answers: its sum, its record and its batches."""

    run: Run
    shards: Sequence[Shard]
    tally: Tally
    summary: dict
    record: dict
    answered: dict[str, tuple[float, float]]  # by batch, unix seconds of its first and last answer


@dataclass
class Facts:
    """All of a report. `examples`: by class of failure or kind of problem, where it happened and in which words."""

    runs: list[OneRun] = field(default_factory=list)
    parts: dict[tuple, RunGroup] = field(default_factory=dict)
    kinds: dict[str, Counter[RowKind]] = field(default_factory=lambda: defaultdict(Counter))  # rows by model
    uses: dict[str, Use] = field(default_factory=lambda: defaultdict(Use))
    costs: dict[str, float | None] = field(default_factory=dict)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    made: float = field(default_factory=time.time)

    @property
    def simulated(self) -> list[str]:
        """The runs that are rehearsals, or hold rehearsed answers."""
        return [one.run.key for one in self.runs if one.summary["simulated"]]


def gather(sources: Iterable[Source]) -> Facts:
    """Read every row of runs once. Memory: as much as the report shows, not as there are rows. Raises OSError, InputError."""
    sources, facts = list(sources), Facts()
    label = _labels([source.run for source in sources])
    for source in sources:
        _read(facts, source, label)
    return facts


def _labels(runs: Sequence[Run]) -> Callable[[Run, str], str]:
    """What a model is called: its alias, with the host where several hosts were asked for it."""
    hosts = defaultdict(set)
    for run in runs:
        for model in run.models:
            hosts[model].add(run.host)
    return lru_cache(1024)(lambda host, model: f"{model} @ {host}" if len(hosts[model]) > 1 else model or "(unknown)")


def _read(facts: Facts, source: Source, label: Callable[[str, str], str]) -> None:
    run, origin, tally = source.run, RunOrigin(source.run), Tally(source.run.planned)
    manifest, record = _json(run, "run.json"), _json(run, "record/record.json")
    part = _part(facts, run, origin, manifest)
    see, answered, host = Seen(facts, part), {}, run.host
    for row in tally.counting(run_rows(*source)):
        see(row, label(host, row.meta.model))
        if at := row.result.created:
            first, last = answered.get(row.batch_id, (at, at))
            answered[row.batch_id] = min(first, at), max(last, at)
    for key, count in tally.kinds.items():
        facts.kinds[label(host, key[0])][RowKind(*key)] += count
    found = summary(run, source.shards, tally, facts.made)
    for model, cost in found["cost_by_model"].items():
        name = label(host, model)
        before = facts.costs.get(name, 0.0)
        facts.costs[name] = None if cost is None or before is None else before + cost
    facts.runs.append(OneRun(run, source.shards, tally, found, record, answered))


def _json(run: Run, name: str) -> dict:
    """A file of a run's folder; {} where an earlier version has written none, or it is garbled: a record is no answer."""
    try:
        found = orjson.loads((run.folder / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(facts: Facts, run: Run, origin: RunOrigin, manifest: dict) -> RunGroup:
    """The part that a run belongs to."""
    columns = [tuple(map(str, column)) for column in manifest.get("kept", ())]
    factors = tuple(header for header, _, kind in columns if kind == "factor")
    key = run.experiment, origin.questions, factors
    part = facts.parts.setdefault(key, new_part(run.experiment, origin.questions, columns))
    part.runs.append(run.key)
    return part


def new_part(experiment: str, questions: Sequence[Question], columns: Sequence[tuple[str, str, str]]) -> RunGroup:
    """A part without answers; `columns`: (header, name, kind) of what its rows keep of factors, personas and data."""
    of, names = measures(questions), [name for _, name, _ in columns]
    golds = [
        (n, names.index(gold), lru_cache(4096)(reader(measure.question).whole))
        for n, measure in enumerate(of)
        if (gold := getattr(measure.question, "gold", "")) in names
    ]
    factors = [n for n, (_, _, kind) in enumerate(columns) if kind == "factor"]
    cube = Cube(("model", "persona", "text", *(columns[n][0] for n in factors)), of)
    return RunGroup(experiment, questions, of, cube, Conditions(of), golds, factors)


class Seen:
    """Sums rows into facts and one of their parts: `seen(row, model)`."""

    def __init__(self, facts: Facts, part: RunGroup) -> None:
        self._facts, self._part = facts, part
        self._numeric = [(n, measure) for n, measure in enumerate(part.measures) if measure.numeric]

    def __call__(self, row: Row, model: str) -> None:
        result, checked = row.result, row.checked
        use = self._facts.uses[model]
        use.rows += 1
        if usage := result.usage:
            use.input, use.output, use.reasoning = use.input + usage.input, use.output + usage.output, use.reasoning + usage.reasoning
        elif usage is None:
            use.unknown += 1
        if result.outcome != SUCCEEDED:
            self._facts.examples.setdefault(result.outcome, (row.meta.custom_id, (result.message or result.text)[:WORDS]))
        if checked is None:
            return
        if checked.problems and result.text and len(self._facts.examples) < EXAMPLES:
            for kind in kinds(checked.problems):
                self._facts.examples.setdefault(kind, (row.meta.custom_id, result.text[:WORDS]))
        self._answer(row, model, checked.values, checked.reasons)

    def _answer(self, row: Row, model: str, found: Sequence, reasons: Sequence[str]) -> None:
        part, meta = self._part, row.meta
        values = [None if (value := found[m.n]) is None else m.fit(value) for m in part.measures]
        levels = tuple([meta.kept[n] for n in part.factors])
        part.cube.add((model, meta.persona, meta.text, *levels), values)
        part.conditions.add(
            (meta.text, *levels), (meta.persona, model), values, lambda: [reasons[m.n] or row.result.text for m in part.measures],
            meta.custom_id,
        )  # fmt: skip
        for n, measure in self._numeric:
            if (value := values[n]) is not None:
                bins = part.bins.get((model, n)) or part.bins.setdefault((model, n), [0] * measure.bins)
                bins[measure.bin(value)] += 1
        if len(part.names) < 1000:
            part.names.setdefault(("persona", meta.persona), meta.persona_name)
            part.names.setdefault(("text", meta.text), meta.text_title)
        for n, at, read in part.golds:
            if row.result.text and (right := read(meta.kept[at])) is not None:
                pairs = part.gold[n, model]
                value = found[part.measures[n].n]
                pair = _word(right), "" if value is None else _word(value)
                pairs[pair if pair in pairs or len(pairs) < PAIRS else ("…", "…")] += 1


def _word(value: object) -> str:
    return format(value, ".15g") if isinstance(value, (int, float)) else str(value)

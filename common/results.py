"""A run's raw output → exactly one row per request, its accounting, and the folder that a person looks into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import orjson

from common import catalog
from common.answers import Checker, Question
from common.costs import pricing
from common.errors import SUCCEEDED
from common.experiment import Experiment
from common.ids import id_parser
from common.jsonl import write_whole
from common.rawfile import Problem, read_raw
from common.records import Model, Result, Run, Shard, new
from common.rows import Census, Meta, Record, blocks, counted
from common.shards import ids
from common.tables import write_csv
from common.textfiles import TextFolder, safe_name

PENDING = "pending"  # a row whose batch has not been collected yet
Decode = Callable[[dict], Result]


def raw_paths(run: Run, batch_id: str) -> tuple[Path, Path]:
    """Where a batch's raw output and errors lie: results/<provider>/batch_results/<batch_id>_{output,errors}.jsonl."""
    return raw_files(run.folder.parent, batch_id)


def raw_files(provider_folder: Path, batch_id: str) -> tuple[Path, Path]:
    """The same for a batch that no run here made."""
    folder = provider_folder / "batch_results"
    return folder / safe_name(batch_id, "_output.jsonl"), folder / safe_name(batch_id, "_errors.jsonl")


def _existing(run: Run, batch_id: str) -> list[Path]:
    return [path for path in raw_paths(run, batch_id) if path.exists()]


# ---- what an ended batch brought -------------------------------------------------------------------------------------


@dataclass
class Scan:
    """One pass over a batch's raw files against what its shard had asked."""

    tally: Counter = field(default_factory=Counter)
    unclean: dict[str, str] = field(default_factory=dict)  # id on the wire → outcome, for all but the successes
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
    for path in _existing(run, shard.batch_id):
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
    found.absent = [wire for wire in expected if wire not in seen]
    return found


# ---- one row per request ---------------------------------------------------------------------------------------------


def write_manifest(run: Run, experiment: Experiment, models: Iterable[Model], more: dict) -> None:
    """Keep in run.json what the rows need to be understood without the experiment's files."""
    texts = experiment.texts
    titled = "title" in texts.columns and texts.source == experiment.path
    title = texts.columns.index("title") if titled else 0
    manifest = {
        "experiment": experiment.name,
        "title": experiment.title,
        "personas": {p.id: p.name for p in experiment.personas},
        "models": {m.alias: m.id for m in models},
        "texts": {row[texts.id_column]: row[title] for _, row in texts.rows()} if titled else {},
        "questions": [
            [q.id, q.name, q.minimum, q.maximum, q.value_label, q.reason_label] for q in experiment.questions
        ],
        **more,
    }
    write_whole(run.folder / "run.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


class RunContext:
    """What a run knows about its rows; also a `rows.Context` for one raw file of it when `shard` is given."""

    def __init__(self, run: Run, shard: Shard | None = None) -> None:
        manifest = orjson.loads((run.folder / "run.json").read_bytes())
        self.run, self.experiment, self.provider, self.folder = run.name, run.experiment, run.provider, run.folder
        self.questions = tuple(Question(*row) for row in manifest["questions"])
        self.ids_differ_in_case_only = manifest.get("ids_differ_in_case_only", True)
        self.batch_id, self.attempts = (shard.batch_id, shard.attempt) if shard else ("", 1)
        self._personas, self._texts, self._models = manifest["personas"], manifest["texts"], manifest["models"]
        self._parse = id_parser((persona, model) for persona in self._personas for model in self._models)
        self._host = run.host
        self._ids = ids(shard) if shard else {}

    def model(self, name: str) -> Model | None:
        """The catalog's row of an alias at this run's host, else of the id that the API reported."""
        return catalog.find(name, self._host) or catalog.find_id(name)

    def describe(self, custom_id: str) -> Meta:
        """What an id on the wire stands for."""
        return self.meta(custom_id, self._ids.get(custom_id, ""))

    @staticmethod
    @lru_cache(1024)
    def _rest(rest: str) -> tuple[str, float | str | None]:
        custom_id, _, heat = rest.partition("\t")
        return custom_id, None if heat == "None" else float(heat) if heat else "unknown"

    def meta(self, wire: str, rest: str) -> Meta:
        """What an id on the wire stands for, with the rest of its line in the shard's ids file."""
        custom_id, temperature = self._rest(rest)
        custom_id = custom_id or wire
        parts = self._parse(custom_id)
        if parts is None:
            return Meta(custom_id)
        persona, model, trial, text = parts
        title = self._texts.get(text, "")
        return new(Meta, (custom_id, model, self._models[model], persona, self._personas[persona], trial, text, title, temperature))


def records(run: Run, shards: Iterable[Shard], decode: Decode) -> Iterator[Record]:
    """Exactly one Record per request of a run, attempts merged: the newest answer, else the newest failure.

    Goes by first-attempt shards, so memory holds the ids of one of them, whatever the run's size.
    """
    context = RunContext(run)
    check = Checker(context.questions).check if context.questions else lambda text: None
    of_run = run.provider, run.experiment, run.name
    ordered = sorted(shards, key=lambda s: (s.root, s.n))
    for _, group in groupby(ordered, key=lambda s: s.root):
        family = list(group)
        model = context.model(family[0].model)
        price_of = pricing(model) if model else lambda usage: None
        for wire, rest, result, attempts, batch_id in _merged(run, family, decode):
            meta = context.meta(wire, rest)
            if meta.custom_id != wire:
                result = result._replace(custom_id=meta.custom_id)
            yield new(Record, (meta, result, check(result.text), attempts, price_of(result.usage), batch_id, *of_run))


def _merged(run: Run, family: list[Shard], decode: Decode) -> Iterator[tuple[str, str, Result, int, str]]:
    pending = ids(family[0])
    tries: Counter[str] = Counter()
    for shard in family[1:]:
        if shard.attempt > 1:
            tries.update(ids(shard).keys())
    failed: dict[str, tuple[Result, str]] = {}
    last: dict[str, Shard] = {}
    for shard in reversed(family):
        if shard.state == "fetched":
            for path in _existing(run, shard.batch_id):
                for _, row in read_raw(path, decode):
                    if isinstance(row, Problem) or row.custom_id not in pending:
                        continue
                    if not row.created:  # Anthropic's rows carry no time
                        row = row._replace(created=shard.fetched_at)
                    if row.outcome == SUCCEEDED or row.text:
                        rest = pending.pop(row.custom_id)
                        yield row.custom_id, rest, row, 1 + tries.get(row.custom_id, 0), shard.batch_id
                    else:
                        failed.setdefault(row.custom_id, (row, shard.batch_id))
        if len(family) > 1 and shard is not family[0]:
            for wire in ids(shard):
                last.setdefault(wire, shard)
    for wire, rest in pending.items():
        asked = last.get(wire, family[0])
        is_over = asked.state in ("fetched", "refused")  # else it is being asked again, whatever came before
        result, batch_id = (failed.get(wire) if is_over else None) or _absent(wire, asked)
        yield wire, rest, result, 1 + tries.get(wire, 0), batch_id


def _absent(wire: str, shard: Shard) -> tuple[Result, str]:
    """The result of a row that no file mentions, by the state of the last shard that asked for it."""
    if shard.state == "refused":
        outcome = "not_accepted"
    else:
        outcome = shard.absent if shard.state == "fetched" else PENDING
    return Result(
        wire, outcome, code=outcome, message=shard.note or f"no answer in batch {shard.batch_id}"
    ), shard.batch_id


# ---- the sum ---------------------------------------------------------------------------------------------------------


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

    def add(self, block: Collection[Record]) -> None:
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


def write_rows(run: Run, shards: list[Shard], decode: Decode, texts: bool = True) -> Account:
    """Derive a run's table (and text files) from the raw files, whole or not at all; returns its account.

    Rows still pending are in the table, marked so, but get no text file. Raises OSError.
    """
    found = Account(run.planned)
    context = RunContext(run)

    rows = counted(records(run, shards, decode), found.add)
    if texts:
        rows = _with_texts(rows, TextFolder(run.folder / "texts", context.model, context.ids_differ_in_case_only))
    write_csv(rows, run.folder / "results.csv", context.questions)
    return found


def _with_texts(rows: Iterator[Record], folder: TextFolder) -> Iterator[Record]:
    """Pass records on, writing those that are not pending as text files."""
    with folder:
        for record in rows:
            if record.result.outcome != PENDING:
                folder.write(record)
            yield record


def write_summary(run: Run, shards: list[Shard], found: Account, now: float) -> dict:
    """summary.json in the run's folder: the sum, the money, the batches. Returns what it holds."""
    spent: dict[str, float | None] = {}
    for shard in shards:
        before = spent.setdefault(shard.model, 0.0)
        if shard.state == "fetched":  # what its rows cost, those that were sent again included
            spent[shard.model] = None if before is None or shard.spent is None else before + shard.spent
    summary = {
        "run": run.name,
        "provider": run.provider,
        "host": run.host,
        "address": run.address,
        "experiment": run.experiment,
        "simulated": found.simulated > 0 or run.address == "local",
        "seconds": round(now - run.created_at, 1),
        "cost_usd": None if None in spent.values() else round(sum(spent.values()), 6),
        "cost_by_model": {name: cost if cost is None else round(cost, 6) for name, cost in spent.items()},
        "skipped_before_sending": run.skipped,
        "paused": run.paused,
        **found.as_dict(),
        "batches": [
            {"batch_id": s.batch_id, "state": s.state, "model": s.model, "requests": s.count, "attempt": s.attempt,
             "adopted": s.adopted, "rows": dict(s.tally), "note": s.note}
            for s in shards
        ],
    }  # fmt: skip
    write_whole(run.folder / "summary.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    return summary


def fetched_changes(shard: Shard, found: Scan, absent: str, files: dict[Path, str], now: float) -> dict:
    """What the journal notes when a batch has been collected and read."""
    tally = dict(found.tally)
    if found.absent:
        tally[absent] = tally.get(absent, 0) + len(found.absent)
    return {
        "state": "fetched",
        "fetched_at": now,
        "tally": tally,
        "absent": absent,
        "spent": found.spent,
        "files": {path.name: sha256 for path, sha256 in files.items()},
    }

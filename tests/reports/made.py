"""Owns facts made by hand for tests: rows of any answers, summed as those of a run are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.nouns import Question, Result, Run, Shard, Usage
from common.reports.facts import Facts, OneRun, Seen, new_part
from common.results.answers import Checker
from common.results.origin import Meta
from common.results.rows import Row
from common.results.tally import RowKind, Tally
from common.runs.overview import summary

JOY = Question("Q1", "Joy", 0.0, 10.0)
COLOUR = Question("Q2", "Colour", type="choice", choices=(("red", ("crimson",)), ("blue", ())), reason="no")


@dataclass(frozen=True, slots=True)
class Golden(Question):
    """A question whose right answers stand in a column of the data."""

    gold: str = ""


def answer(joy: object, colour: object, why: str = "because") -> str:
    """What a model says."""
    return f"Q1. Joy(value): {joy}\nQ1. Joy(reason): {why}\nQ2. Colour(value): {colour}"


def row(
    meta: Meta, text: str, questions: Sequence[Question], outcome: str = "succeeded", message: str = "", simulated: bool = False
) -> Row:
    """A row as a run has it."""
    result = Result(meta.custom_id, outcome, text, meta.model, usage=Usage(10, 0, 5), message=message, simulated=simulated, created=1100.0)
    return Row(meta, result, Checker(questions).check(text), 1, 0.001, "batch_1", "openai", "study", "study-1")


def facts_of(
    rows: Iterable[Row], questions: Sequence[Question] = (JOY, COLOUR), columns: Sequence[tuple[str, str, str]] = (),
    name: str = "study", record: dict | None = None, note: str = "", address: str = "https://api.example",
) -> Facts:  # fmt: skip
    """The facts of one run of these rows."""
    rows, facts = list(rows), Facts()
    models = tuple(dict.fromkeys(one.meta.model for one in rows))
    run = Run(
        f"openai/{name}", name, "d1", "openai", "openai", address, name, "x.toml", Path("none"), 1000.0, models, planned=len(rows),
        paused=note,
    )  # fmt: skip
    tally, part = Tally(len(rows)), new_part(name, questions, columns)
    part.runs.append(run.key)
    facts.parts[name,] = part
    seen = Seen(facts, part)
    for one in tally.counting(rows):
        seen(one, one.meta.model)
    for key, count in tally.kinds.items():
        facts.kinds[key[0]][RowKind(*key)] += count
    shard = Shard(
        run.key, 1, 1, 1, Path("s"), "", len(rows), 1, 1, 0.1, name, 64, "t", batch_id=f"batch_1{note}", state="collected",
        intent_at=1000.0, collected_at=1200.0, spent=0.5, note=note,
    )  # fmt: skip
    facts.costs = dict.fromkeys(models, 0.5)
    facts.runs.append(OneRun(run, [shard], tally, summary(run, [shard], tally, 1300.0), record or {}, {"batch_1": (1100.0, 1150.0)}))
    return facts

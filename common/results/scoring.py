"""How a run's answers are scored: the questions in its run.json, those that they were before, and what differs between two."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from common.errors import InputError
from common.files import write_whole
from common.nouns import Question
from common.results.origin import RunOrigin, manifest_of
from common.text import iso, one_line

_SCORING = ("questions", "scored_with", "former_scorings")  # the keys of run.json that say it
_WORDS = {"value_label": "word for the value", "reason_label": "word for the reason", "schema": "JSON schema", "form": "form of the answer"}


def set_scoring(folder: Path, questions: Sequence[Question], source: str, kept: str = "") -> None:
    """Score the answers of the run in `folder` by these questions from now on. Raises InputError, OSError.

    `source`: the experiment that they are of; `kept`: the file beside it with the table as it was. What is asked, and what a
    run is named by, stays as it is; the former questions stay in run.json under `former_scorings`.
    """
    path = folder / "run.json"
    manifest = manifest_of(path)
    former = {"questions": manifest["questions"], "until": iso(time.time()), "table": kept, **manifest.get("scored_with", {})}
    scoring = {
        "questions": [asdict(question) for question in questions],
        "scored_with": {"source": source},
        "former_scorings": [*manifest.get("former_scorings", ()), former],
    }
    write_whole(path, orjson.dumps({**manifest, **scoring}, option=orjson.OPT_INDENT_2))


def scoring_of(folder: Path, digest: str) -> dict:
    """What a run.json that is written anew for the same plan must keep, so that a re-score is not undone unseen; else nothing."""
    try:
        manifest = manifest_of(folder / "run.json")
    except (OSError, InputError):
        return {}
    same = manifest.get("digest") == digest and "former_scorings" in manifest
    return {key: manifest[key] for key in _SCORING if key in manifest} if same else {}


def check_fit(origin: RunOrigin, name: str, questions: Sequence[Question], where: Path) -> None:
    """Refuse questions that cannot be those of a run. Raises InputError."""
    if name != origin.experiment:
        raise InputError(f"{where}: is experiment {name!r}, run {origin.run} is of {origin.experiment!r}; name its own --experiment PATH")
    if not questions:
        raise InputError(f"{where}: has no question, so nothing to score run {origin.run} by; add [[question]]")
    if lost := next((question for question in questions if question.gold and question.gold not in origin.kept_names), None):
        there = ", ".join(origin.kept_names) or "none"
        raise InputError(f"{where}: question {lost.id}: gold: run {origin.run} has kept no {lost.gold!r}; it has {one_line(there, 300)}")
    known = {text for question in origin.questions for text in (question.id, question.name)}
    if known and not known & {text for question in questions for text in (question.id, question.name)}:
        told = ", ".join(f"{q.id} {q.name}" for q in origin.questions[:5])
        raise InputError(
            one_line(f"{where}: none of its questions is one of run {origin.run} ({told}); name its own --experiment PATH", 500)
        )


def differences(before: Sequence[Question], after: Sequence[Question]) -> Iterator[str]:
    """What differs between the questions, one line each."""
    old, new = {q.id: q for q in before}, {q.id: q for q in after}
    yield from (f"{q.id} {q.name}: added" for q in after if q.id not in old)
    yield from (f"{q.id} {q.name}: removed" for q in before if q.id not in new)
    for question in after:
        if question.id in old and (told := ", ".join(_changes(old[question.id], question))):
            yield f"{question.id} {question.name}: {told}"
    if [*old] != [*new] and set(old) == set(new):
        yield "the questions stand in another order"


def _changes(old: Question, new: Question) -> Iterator[str]:
    if (old.minimum, old.maximum) != (new.minimum, new.maximum):
        yield f"range {old.minimum:g}–{old.maximum:g} → {new.minimum:g}–{new.maximum:g}"
    yield from _choice_changes(dict(old.choices), dict(new.choices))
    for what in ("name", "type", "value_label", "reason_label", "reason", "form", "gold"):
        if (was := getattr(old, what)) != (now := getattr(new, what)):
            yield f"{_WORDS.get(what, what)} {was!r} → {now!r}"
    if old.schema != new.schema:
        yield f"another {_WORDS['schema']}"
    yield from (f"field {name} added" for name in new.fields if name not in old.fields)
    yield from (f"field {name} removed" for name in old.fields if name not in new.fields)


def _choice_changes(old: dict[str, tuple[str, ...]], new: dict[str, tuple[str, ...]]) -> Iterator[str]:
    yield from (f"choice {name!r} added" for name in new if name not in old)
    yield from (f"choice {name!r} removed" for name in old if name not in new)
    yield from (f"choice {name!r}: other spellings" for name, also in new.items() if name in old and old[name] != also)

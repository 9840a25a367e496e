"""The index of some runs: where it lies, whether it is still that of their answers, and how it is made of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from common.experiment.questions import question_columns
from common.nouns import Question
from common.reports.browse_index import ColumnRoles, build_index, note_of
from common.results.export import Source, together
from common.results.merge import families
from common.results.origin import manifest_of
from common.results.parts import made_of
from common.results.tables import Blocks
from common.results.tally import Tally

FOLDER = "browse"  # in the results folder; may be deleted at any time
_BLOCK = 1_000  # rows at a time: SQLite likes more of them than a table does


def index_of(sources: Sequence[Source], results: Path, told: Callable[[str], None]) -> Path:
    """The index of these runs' answers, made anew where any of what they are made of has changed; `told` how far that is.

    Raises OSError and sqlite3.Error as the disk does, and InputError where a run's files are garbled.
    """
    keys = [source.run.key for source in sources]
    path = results / FOLDER / f"{_digest(keys)}.db"
    stands = _digest([*keys, *(made_of(source.run, [*families(source.shards)]) for source in sources)])
    if (note := note_of(path)) and note["stands"] == stands:
        return path
    tally, planned = Tally(), sum(source.run.planned for source in sources)
    header, blocks, questions = together(sources, tally, _BLOCK)
    note = {"runs": keys, "made": time.time(), "stands": stands, "titles": _titles(questions)}
    build_index(path, header, _watched(blocks, planned, told), _roles(sources, questions), note)
    return path


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _watched(blocks: Blocks, planned: int, told: Callable[[str], None]) -> Iterator:
    done = 0
    for block in blocks:
        yield block
        done += len(block[0])
        told(f"{done:,} of {planned:,} answers read")
    told("putting them in order")


def _titles(questions: Sequence[Question]) -> dict[str, str]:
    return {question_columns(question)[0][0]: question.name for question in questions if question.name}


def _roles(sources: Sequence[Source], questions: Sequence[Question]) -> ColumnRoles:
    """What says what was asked: the factors of all runs, between text and trial."""
    factors = (str(header) for source in sources for header, _, kind in manifest_of(source.run.folder / "run.json").get("kept", ())
               if kind == "factor")  # fmt: skip
    asked = ("experiment", "persona", "text", *dict.fromkeys(factors), "trial")
    return ColumnRoles(asked, tuple(dict.fromkeys(question_columns(question)[0][0] for question in questions)))

"""What follows from a run's raw files and can be made again at any time: its table, its texts, its summary.json."""

from __future__ import annotations

import time
from collections.abc import Iterator

import orjson

from common.files import write_whole
from common.nouns import RESTING, Run, Shard
from common.outcomes import PENDING
from common.results.gold import Gold
from common.results.merge import run_rows
from common.results.origin import RunOrigin
from common.results.raw import Decode
from common.results.rows import Row
from common.results.tables import write_csv
from common.results.tally import Tally, uncollected
from common.results.texts import TextFolder
from common.runs.journal import Journal
from common.runs.overview import summary
from common.runs.record import note_reported


def derive(journal: Journal, key: str, decode: Decode, texts: bool) -> dict:
    """Make table, texts and summary of a run anew from what has been collected; returns the summary. Raises OSError."""
    run = journal.run(key)
    shards = journal.shards(run)
    is_new = not any(shard.state in RESTING for shard in shards)
    tally = uncollected(run, shards) if is_new else write_rows(run, shards, decode, texts)
    found = summary(run, shards, tally, journal.last_event(run, "collected") or time.time())
    write_whole(run.folder / "summary.json", orjson.dumps(found, option=orjson.OPT_INDENT_2))
    return found


def write_rows(run: Run, shards: list[Shard], decode: Decode, texts: bool = True) -> Tally:
    """Derive a run's table (and text files) from the raw files, whole or not at all; returns its tally.

    Rows still pending are in the table, marked so, but get no text file. Raises OSError.
    """
    found, origin = Tally(run.planned), RunOrigin(run)
    gold = found.gold = Gold(origin.questions, origin.kept_names)
    rows = gold.counting(found.counting(run_rows(run, shards, decode)))
    if texts:
        rows = _with_texts(rows, TextFolder(run.folder / "texts", origin.model, origin.ids_differ_in_case_only))
    write_csv(rows, run.folder / "results.csv", origin)
    gold.write(run.folder)
    note_reported(run, found.reported)
    return found


def _with_texts(rows: Iterator[Row], folder: TextFolder) -> Iterator[Row]:
    """Pass rows on, writing those that are not pending as text files."""
    with folder:
        for row in rows:
            if row.result.outcome != PENDING:
                folder.write(row)
            yield row

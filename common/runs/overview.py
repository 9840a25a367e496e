"""What a run looks like from outside: its derived table, its sum, its summary.json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from common.files import write_whole
from common.nouns import Run, Shard
from common.outcomes import PENDING
from common.results.merge import run_rows
from common.results.origin import RunOrigin
from common.results.raw import Decode
from common.results.rows import Row
from common.results.tables import write_csv
from common.results.tally import BatchScan, Tally
from common.results.texts import TextFolder


def write_rows(run: Run, shards: list[Shard], decode: Decode, texts: bool = True) -> Tally:
    """Derive a run's table (and text files) from the raw files, whole or not at all; returns its tally.

    Rows still pending are in the table, marked so, but get no text file. Raises OSError.
    """
    found, origin = Tally(run.planned), RunOrigin(run)
    rows = found.counting(run_rows(run, shards, decode))
    if texts:
        rows = _with_texts(rows, TextFolder(run.folder / "texts", origin.model, origin.ids_differ_in_case_only))
    write_csv(rows, run.folder / "results.csv", origin.questions)
    return found


def _with_texts(rows: Iterator[Row], folder: TextFolder) -> Iterator[Row]:
    """Pass rows on, writing those that are not pending as text files."""
    with folder:
        for row in rows:
            if row.result.outcome != PENDING:
                folder.write(row)
            yield row


def write_summary(run: Run, shards: list[Shard], found: Tally, now: float) -> dict:
    """summary.json in the run's folder: the sum, the money, the batches. Returns what it holds."""
    spent: dict[str, float | None] = {}
    for shard in shards:
        before = spent.setdefault(shard.model, 0.0)
        if shard.state == "collected":  # what its rows cost, those that were sent again included
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


def collected_changes(shard: Shard, found: BatchScan, absent: str, files: dict[Path, str], now: float) -> dict:
    """What the journal notes when a batch has been collected and read."""
    tally = dict(found.tally.outcomes)
    if found.absent:
        tally[absent] = tally.get(absent, 0) + len(found.absent)
    return {
        "state": "collected",
        "collected_at": now,
        "tally": tally,
        "absent": absent,
        "spent": found.spent,
        "files": {path.name: sha256 for path, sha256 in files.items()},
    }


def summary_of(run: Run) -> dict | None:
    """A run's summary.json, None while it has none that is whole: it is derived, and the run's command makes it again."""
    try:
        found = orjson.loads((run.folder / "summary.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) and _is_whole(found) else None


def _is_whole(summary: dict) -> bool:
    """Whether what people are shown of a summary is there, in its types."""
    models = summary.get("by_model")
    tallies = [summary.get("outcomes"), models, *(models.values() if isinstance(models, dict) else ())]
    numbers = [summary.get(name) for name in ("seconds", "planned", "rows")]
    return (
        all(isinstance(tally, dict) for tally in tallies)
        and all(type(n) in (int, float) for n in numbers)
        and all(type(n) is int for tally in tallies for n in tally.values() if not isinstance(n, dict))
        and isinstance(summary.get("cost_by_model", {}), dict)
        and {"run", "provider", "simulated", "adds_up"} <= summary.keys()
    )

"""Facts about runs, batches and plans, built once: terminal, JSON and reports are renderers of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import orjson

from common.nouns import OUT, TO_SUBMIT, Batch, Model, Run, Shard, State
from common.outcomes import SUCCEEDED
from common.results.tally import Tally
from common.runs.journal import Journal
from common.runs.money import is_receipt, receipt
from common.text import iso

HOUR = 3600.0  # seconds that a prompt cache is kept after its last use


def plan_facts(run: Run, models: Sequence[Model], shards: Sequence[Shard], most: float | None) -> dict:
    """What a run asks, before any of it is sent: `most` is the USD that it can still cost at most."""
    return {
        "run": run.name,
        "folder": str(run.folder),
        "models": {m.alias: m.id for m in models},
        "requests": run.planned,
        "skipped": run.skipped,
        "bytes": sum(s.bytes for s in shards),
        "estimated_prompt_tokens": sum(s.tokens for s in shards),
        "max_cost_usd": most,
        "shards": [
            {
                "path": str(s.path),
                "model": s.model,
                "requests": s.count,
                "bytes": s.bytes,
                "sha256": s.sha256,
                "estimated_prompt_tokens": s.tokens,
                "max_cost_usd": s.reserve,
                "state": s.state,
            }
            for s in shards
        ],
    }


def grid_of(run: Run) -> dict:
    """What the plan of a run noted of its grid, and what is to be told of it; nothing where an earlier version made it."""
    with suppress(OSError, ValueError, TypeError, LookupError, AttributeError):
        manifest = orjson.loads((run.folder / "run.json").read_bytes())
        counted = {str(alias): str(kind) for alias, kind in manifest.get("counted", {}).items()}
        return {"grid": dict(manifest["grid"]), "told": [str(line) for line in manifest["told"]], "prompt_tokens_counted": counted}
    return {"grid": {}, "told": [], "prompt_tokens_counted": {}}


def counted_line(kinds: Mapping[str, str]) -> str:
    """How good the figure of prompt tokens is, by what the plan noted of each model: " (exact)"; "" where it noted nothing."""
    if len({*kinds.values()}) < 2:
        return f" ({next(iter(kinds.values()))})" if kinds else ""
    return f" ({', '.join(f'{alias}: {kind}' for alias, kind in kinds.items())})"


def run_facts(journal: Journal, run: Run) -> dict:
    """Where a run stands."""
    return {
        "provider": run.provider,
        "run": run.name,
        "created": time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at)),
        "requests": run.planned,
        "models": list(run.models),
        "address": run.address,
        "states": journal.states(run),
        "paused": run.paused,
        "cancelled": run.stopped,
        "imported": iso(run.imported),
    }


def waiting_facts(journal: Journal, run: Run) -> dict:
    """How many requests of a run wait to be sent for the first time and again, and whether anything of it was ever begun."""
    waiting = [(shard["count"], shard["attempt"] > 1) for shard in journal.facts(run, *TO_SUBMIT)]
    again = sum(count for count, is_again in waiting if is_again)
    return {"first": sum(count for count, _ in waiting) - again, "again": again, "started": started(journal, run)}


def started(journal: Journal, run: Run) -> bool:
    """Whether anything of a run was ever begun: else it is a plan, of which some may have been answered before."""
    if journal.states(run).keys() - {State.PLANNED, State.COLLECTED}:
        return True
    planned, collected = journal.facts(run, State.PLANNED), journal.facts(run, State.COLLECTED)
    return any(shard["attempt"] > 1 for shard in planned) or any(not shard.get("taken_from") for shard in collected)


def began(journal: Journal, run: Run) -> bool:
    """Whether anything of a run was sent or uploaded; as `started` says it, without reading the shards of a large plan."""
    return State.UPLOADED in journal.states(run) or journal.was_sent(run)


def has_begun(journal: Journal, run: Run) -> bool:
    """Whether a run is more than a plan: something was sent, or it has a table, all of which may have been taken over."""
    return started(journal, run) or (run.folder / "results.csv").exists()


def is_open(journal: Journal, run: Run) -> bool:
    """Whether anything of a run is out, owed or told to be sent. A plan of which nothing was begun is not, nor one that was cancelled."""
    states = set(journal.states(run))
    if states & {*OUT}:
        return True
    return bool(states & {*TO_SUBMIT}) and not run.stopped and started(journal, run)


def unclean(summary: Mapping) -> int:
    """How many rows of a run have no clean answer by its summary, those that are still to come included."""
    return summary["rows"] - summary["outcomes"].get(SUCCEEDED, 0)


def cache_is_old(shards: Sequence[Shard]) -> list[str]:
    """What is told where shards still wait to be sent whose prompts were cached for an hour, and that hour is over."""
    filled = max((shard.collected_at for shard in shards if shard.primes and not shard.taken_from), default=0.0)
    waits = any(shard.state in TO_SUBMIT and not shard.primes for shard in shards)
    if not (filled and waits) or (age := time.time() - filled) <= HOUR:
        return []
    return [f"the prompt cache was filled {age / HOUR:.1f} hours ago and is kept for one: what is still to be sent may find nothing there"]


def shard_facts(shard: Shard, batch: Batch | None, now: float) -> dict:
    """Where a shard and its batch stand; `batch` is the last look at it, if there was one."""
    running = batch is not None and not batch.ended
    return {
        "batch_id": shard.batch_id,
        "shard": shard.n,
        "model": shard.model,
        "state": shard.state,
        "status": batch.status if batch else "",
        "requests": shard.count,
        "succeeded": batch.succeeded if running else shard.tally.get("succeeded", 0),
        "failed": batch.errored if running else sum(n for name, n in shard.tally.items() if name != "succeeded"),
        "attempt": shard.attempt,
        "adopted": shard.adopted,
        "age_seconds": round(now - (batch.created_at or shard.intent_at)) if batch else None,
        "seconds_left": round(batch.expires_at - now) if running and batch.expires_at else None,
        "note": shard.note,
        "problems": [dict(p) for p in shard.problems],
    }


def batch_facts(batch: Batch, owner: Run | None) -> dict:
    """What the provider says of a batch, and whose it is."""
    return {
        "batch_id": batch.id,
        "status": batch.status,
        "requests": batch.total,
        "succeeded": batch.succeeded,
        "failed": batch.errored,
        "run": owner.name if owner else "",
    }


def summary(run: Run, shards: Sequence[Shard], found: Tally, now: float) -> dict:
    """The sum, the money and the batches of a run, as its summary.json holds them."""
    spent: dict[str, float | None] = {}
    for shard in shards:
        before = spent.setdefault(shard.model, 0.0)
        if shard.state == "collected":  # what its rows cost, those that were sent again included
            spent[shard.model] = None if before is None or shard.spent is None else before + shard.spent
    simulated = found.simulated > 0 or run.local
    asked_again = sum(shard.asked_again for shard in shards)
    return {
        "run": run.name,
        "provider": run.provider,
        "host": run.host,
        "address": run.address,
        "experiment": run.experiment,
        "simulated": simulated,
        "seconds": round(now - run.created_at, 1),
        "cost_usd": None if None in spent.values() else round(sum(spent.values()), 6),
        "cost_by_model": {name: cost if cost is None else round(cost, 6) for name, cost in spent.items()},
        "receipt": receipt(shards, simulated),
        "skipped_before_sending": run.skipped,
        **({"asked_again": asked_again} if asked_again else {}),
        "paused": run.paused,
        **found.as_dict(),
        "batches": _batches(shards),
    }


def _batches(shards: Sequence[Shard]) -> list[dict]:
    return [
        {"batch_id": s.batch_id, "state": s.state, "model": s.model, "requests": s.count, "attempt": s.attempt,
         "adopted": s.adopted, "rows": dict(s.tally), "note": s.note}
        for s in shards
    ]  # fmt: skip


def current_summary(run: Run, shards: Sequence[Shard]) -> dict | None:
    """A run's summary.json; None where a command was killed after it had collected more, but before it had derived anew."""
    found = summary_of(run)
    return found if found and found.get("batches") == _batches(shards) else None


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
        and isinstance(costs := summary.get("cost_by_model", {}), dict)
        and all(cost is None or type(cost) in (int, float) for cost in costs.values())
        and is_receipt(summary.get("receipt", {}))
        and all(isinstance(summary.get(name), str) for name in ("run", "provider"))
        and {"simulated", "adds_up"} <= summary.keys()
    )

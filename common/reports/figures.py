"""How well runs go, in figures: time, shares of success and of each class of error, tokens, money. From journal and summary.json only."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from common.nouns import Run, State
from common.outcomes import OWED, PENDING, SUCCEEDED
from common.runs.journal import Journal
from common.runs.overview import run_facts, summary_of

OPEN = (PENDING, OWED)  # rows that have not come


def figures(journal: Journal, run: Run) -> dict:
    """The figures of a run; None for what is not known. Times in seconds, money in USD, rates between 0 and 1."""
    summary = summary_of(run) or {}
    outcomes, taken = summary.get("outcomes", {}), summary.get("taken_over", 0)
    by_model, costs = summary.get("by_model", {}), summary.get("cost_by_model", {})
    # of answers that another run has paid nobody notes whose models they are
    models = {name: {**_rates(rows), **_cost(costs.get(name), rows, 0 if not taken else None)} for name, rows in by_model.items()}
    return {
        **{key: value for key, value in run_facts(journal, run).items() if key != "models"},
        "host": run.host,
        "simulated": bool(summary.get("simulated")) or run.local,
        "seconds": summary.get("seconds"),
        "batch_seconds": _batch_seconds(journal, run),
        "answers_checked": dict(summary.get("answers_checked", {})),
        "tokens": dict(summary.get("tokens", {})),
        **_rates(outcomes),
        **_cost(summary.get("cost_usd"), outcomes, taken),
        "committed_usd": journal.committed(run.key),
        "by_model": models,
    }


def _rates(outcomes: Mapping[str, int]) -> dict:
    """Rows by outcome, and what share of those that have come is a success or an error of each class."""
    come = sum(n for name, n in outcomes.items() if name not in OPEN)
    shares = {name: n / come for name, n in outcomes.items() if name not in OPEN} if come else {}
    errors = {name: share for name, share in sorted(shares.items()) if name != SUCCEEDED}
    return {"rows": dict(outcomes), "success_rate": shares.get(SUCCEEDED, 0.0) if come else None, "error_rate": errors}


def _cost(cost: float | None, outcomes: Mapping[str, int], taken: int | None) -> dict:
    """What was paid, in all and for each clean answer; those `taken` over were paid by another run, None: nobody knows how many."""
    bought = None if taken is None else outcomes.get(SUCCEEDED, 0) - taken
    return {"cost_usd": cost, "cost_per_clean_answer_usd": None if cost is None or not bought else cost / bought}


def _batch_seconds(journal: Journal, run: Run) -> dict:
    """How long batches took from being sent to being collected."""
    shards = [shard for shard in journal.shards(run, State.COLLECTED) if shard.intent_at and not shard.taken_from]
    times = [shard.collected_at - shard.intent_at for shard in shards if shard.collected_at > shard.intent_at]
    return {"batches": len(times), "median": median(times) if times else None, "longest": max(times, default=None)}

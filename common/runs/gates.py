"""Whether the next shard may be submitted: a list of pure gates, each of which answers "" or why not."""

from __future__ import annotations

from common.nouns import IN_FLIGHT, RESTING, Shard
from common.runs.desk import Desk


def stopped(desk: Desk, shard: Shard) -> str:
    """A run that is paused or cancelled submits nothing, nor one whose account was turned away."""
    return desk.run.paused or ("cancelled" if desk.run.stopped else "") or str(desk.halted or "")


def one_lost_answer(desk: Desk, shard: Shard) -> str:
    """One lost answer at a time: an Anthropic batch is known again only by when it was made and how large it is."""
    return "a lost batch is looked for" if desk.looked_for() else ""


def parallel(desk: Desk, shard: Shard) -> str:
    """No more batches in flight than the options allow."""
    return "enough batches are in flight" if desk.count(*IN_FLIGHT) >= desk.options.parallel else ""


def primed(desk: Desk, shard: Shard) -> str:
    """What would read from the prompt cache waits until those that fill it have ended, or can get no further."""
    first = [desk.shards[n] for n in desk.primers] if not shard.primes else []
    waits = any(one.model == shard.model and one.state not in RESTING and not desk.memory[one.n].stuck for one in first)
    return "the prompt cache is filled first" if waits else ""


def queue(desk: Desk, shard: Shard) -> str:
    """No more in the host's queue than it takes, by what all runs of the folder have there; a refusal is waited out."""
    return desk.queues.full(shard)


GATES = (stopped, one_lost_answer, parallel, primed)  # what the run's own shards and people decide


def queued(desk: Desk, shard: Shard) -> bool:
    """Whether all that a shard waits for is the host's queue: it moves without us."""
    return not barred(desk, shard) and bool(queue(desk, shard))


def closed(desk: Desk, shard: Shard) -> str:
    """Why a shard may not be submitted now; "" when all gates are open."""
    return barred(desk, shard) or queue(desk, shard)


def barred(desk: Desk, shard: Shard) -> str:
    """Why a shard may not be submitted, the queue apart."""
    return next(filter(None, (gate(desk, shard) for gate in GATES)), "")

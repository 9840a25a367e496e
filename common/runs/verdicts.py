"""What the end of a batch means: pure judgements over what came back, without a step of their own."""

from __future__ import annotations

from collections.abc import Mapping

from common.nouns import Batch, Shard
from common.outcomes import OWED, POLICY, Policy
from common.results.scan import BatchScan

ANSWERED = ("succeeded", "truncated", "refused", "empty", "unreadable")  # what a provider counts as succeeded, and bills


def answered(found: BatchScan) -> int:
    """How many rows a provider should count as succeeded, by the files."""
    outcomes = found.tally.outcomes
    return sum(outcomes[outcome] for outcome in ANSWERED)


def broken(found: BatchScan) -> int:
    """Lines that may have been answers, but cannot be read."""
    bad = found.tally.bad
    return bad["malformed"] + bad["truncated"] + bad["too long"]


def absent_outcome(shard: Shard, batch: Batch, found: BatchScan) -> str:
    """The outcome of rows that no file mentions: OWED unless the counts positively leave them open.

    Absence alone is never a reason to buy: counts that are null, zero, late or contradict the files say nothing.
    """
    counted = batch.total == shard.count and batch.succeeded + batch.errored <= batch.total
    # one that was cancelled while it was checked has no counts; such rows are never sent again by themselves
    if not (counted or batch.status == "cancelled") or batch.succeeded > answered(found):
        return OWED
    return {"expired": "expired", "cancelled": "cancelled"}.get(batch.status, "missing")


def has_holes(batch: Batch, found: BatchScan) -> bool:
    """Whether the files seem to lack what is there to be had, so that they should be fetched again."""
    whole = batch.status not in ("expired", "cancelled")
    return bool(broken(found) or (found.absent and (whole or batch.succeeded > answered(found))))


def outcomes(found: BatchScan, absent: str) -> dict[str, str]:
    """The outcomes by id of all rows whose policy is to be applied."""
    return {**found.unclean, **dict.fromkeys(found.absent, absent)}


def to_send_again(unclean: Mapping[str, str], again: bool, longer: bool) -> dict[Policy, set[str]]:
    """The ids to send once more, by policy: RETRY and LONGER as far as they are allowed; what stands still for money
    has no limit, because a person sees to it each time."""
    allowed = {Policy.PAUSE} | ({Policy.RETRY} if again else set()) | ({Policy.LONGER} if longer else set())
    groups: dict[Policy, set[str]] = {}
    for request_id, outcome in unclean.items():
        if (policy := POLICY[outcome]) in allowed:
            groups.setdefault(policy, set()).add(request_id)
    return groups


def complaints(shard: Shard, batch: Batch, found: BatchScan) -> str:
    """What was odd about a batch's files, in one line; "" when nothing was."""
    said = [f"{n} {kind} lines" for kind, n in sorted(found.tally.bad.items())]
    if found.tally.shown:
        first = found.tally.shown[0]
        said[-1] += f" (first: {first.file} line {first.line}: {first.why})"
    got = answered(found)
    if batch.total and (batch.succeeded != got or batch.total != shard.count):
        counted = f"the provider counts {batch.succeeded} of {batch.total} succeeded"
        said.append(f"{counted}, the files hold {got} of {shard.count}")
    if found.absent:
        said.append(f"{len(found.absent)} requests without a line")
    return "; ".join(said)

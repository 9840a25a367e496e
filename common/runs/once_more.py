"""What a person asks once more: every request without a clean answer, or those whose answers were cut off."""

from __future__ import annotations

from common.errors import InputError
from common.experiment import ids_file, shards
from common.experiment.marks import moved
from common.nouns import FINAL, Shard, State
from common.outcomes import PAID
from common.runs import verdicts
from common.runs.collect import scan_of
from common.runs.desk import Desk


def retry_failed(desk: Desk, cap: int | None = None) -> int:
    """Plan new shards for every request without a clean answer, whatever its class; returns how many requests.

    With a `cap` on tokens only for answers that were cut off by a lower one. Raises InputError when no cap was lower.
    """
    waiting = {sent for s in desk.shards.values() if s.state not in FINAL for sent in _ids(s)}
    by_shard: dict[int, set[str]] = {}
    for last_asked in (_cut_off if cap else _unclean)(desk).values():
        for sent, shard in last_asked.items():
            if sent not in waiting:
                by_shard.setdefault(shard.n, set()).add(sent)
    lower = [n for n in by_shard if not cap or desk.shards[n].max_tokens < cap]
    if by_shard and not lower:
        raise InputError(f"--max-tokens {cap}: these answers were cut off at {desk.shards[max(by_shard)].max_tokens}; name a higher cap")
    count = 0
    for n in lower:
        shard = desk.shards[n]
        how = {"attempt": 1 + shard.attempt, "longer": cap, "with_cap": desk.provider.with_cap}
        new = shards.retry(shard, desk.next_n(), {moved(sent, "", shard.mark) for sent in by_shard[n]}, **how)
        count += new.count
        desk.record(shard, "retry_asked", [new])
    return count


def _cut_off(desk: Desk) -> dict[int, dict[str, Shard]]:
    """By family of shards: request id without its mark → the last shard that answered it, if that answer was cut off.

    A later failure without an answer changes nothing; one that may have been answered and paid does.
    """
    latest: dict[int, dict[str, Shard]] = {}
    for shard in sorted(desk.of(State.COLLECTED), key=lambda s: s.n):
        rows, found = latest.setdefault(shard.root, {}), scan_of(desk, shard)
        outcomes = {**dict.fromkeys(ids_file.ids(shard), "succeeded"), **verdicts.outcomes(found, shard.absent)}
        for sent, outcome in outcomes.items():
            sent = moved(sent, shard.mark, "")
            if outcome == "truncated":
                rows[sent] = shard
            elif outcome in PAID or outcome in verdicts.ANSWERED:
                rows.pop(sent, None)
    return latest


def _ids(shard: Shard) -> set[str]:
    """The ids that a shard asks, without their marks: the same over all attempts."""
    return {moved(sent, shard.mark, "") for sent in ids_file.ids(shard)}


def _unclean(desk: Desk) -> dict[int, dict[str, Shard]]:
    """By family of shards: request id without its mark → the last shard that asked it in vain."""
    latest: dict[int, dict[str, Shard]] = {}
    for shard in sorted(desk.of(*FINAL), key=lambda s: s.n):
        rows = latest.setdefault(shard.root, {})
        asked = _ids(shard)
        if shard.state is State.REFUSED:
            unclean = set(asked)
        else:
            found = scan_of(desk, shard)
            paid = {sent for sent, outcome in found.unclean.items() if outcome in PAID}
            unclean = {*found.unclean, *(() if shard.absent in PAID else found.absent)} - paid
            unclean = {moved(sent, shard.mark, "") for sent in unclean}
            for sent in asked - unclean:
                rows.pop(sent, None)
        rows.update(dict.fromkeys(unclean, shard))
    return latest

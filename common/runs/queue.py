"""The host's queue: how much an account may have there at once, how much this results folder has there, and what still fits.

A limit is, in this order, what a person has set, what the host has named when it refused a batch (believed for a week,
for accounts grow), or what the catalog knows of the account's tier. Where nobody has told us, there is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from common.nouns import TO_SUBMIT, Host, Limits, Model, Quota, Shard
from common.providers import quota
from common.retry import Clock, backoff
from common.runs.enqueued import Enqueued, enqueued, noted_quota
from common.runs.journal import Journal
from common.text import iso, many

WEEK = 7 * 86400.0
WAVE = 4  # a shard is at most so much of a queue: as one ends there is room for the next, while the others are at work
MARGIN = 0.99  # of a queue is used: a host counts a few tokens of its own around each message
LONGEST_HOLD = 600.0  # seconds between two tries at a queue that is full of what we do not know
DOUBT = 3600.0  # seconds for which it is believed that a host counts more than we do
ALONE = 3600.0  # seconds after which another run's creation without an answer is taken to have made nothing


@dataclass
class _Held:
    """A queue that has refused what should have fitted."""

    until: float = 0.0  # nothing more is tried before, on the steady clock
    refusals: int = 0
    weight: float = 1.0  # the host's tokens to one of ours, or what others have there; believed until …
    doubt_until: float = 0.0


@dataclass
class Queues:
    """An account's queues: one for each model, or one for all where the host counts requests of all together."""

    journal: Journal
    account: str = ""
    run: str = ""  # whose shards these are: others' are looked at here, for nobody else may be at work on them
    shared: bool = False
    person: Mapping[str, Quota] = field(default_factory=dict)  # by model
    tier: Mapping[str, Quota] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    over: set[str] = field(default_factory=set)  # other runs' batches that have ended, though their runs do not know it yet
    _held: dict[str, _Held] = field(default_factory=dict)
    _seen: dict[str, tuple[int, list[Enqueued]]] = field(default_factory=dict)
    _limits: dict[str, Quota | None] = field(default_factory=dict)  # before this command has learned anything
    _said: dict[str, Quota] = field(default_factory=dict)  # what it has learned
    _beside: dict[int, int] = field(default_factory=dict)  # by shard: tokens that stood in the queue when it was sent

    # ---- how much there may be

    def limit(self, model: str) -> Quota | None:
        """What may stand in a model's queue; None where nobody has told us."""
        if model not in self._limits:
            self._limits[model] = self.person.get(model) or self._noted(model) or self.tier.get(model)
        own, said = self._limits[model], self._said.get(self._key(model))
        return said if said and not (own and _is_below(own, said)) else own

    def _noted(self, model: str) -> Quota | None:
        at, quota = noted_quota(self.journal, self._name(model)) or (0.0, None)
        return quota._replace(source=f"as the host said on {iso(at)[:10]}") if self.clock.now() - at < WEEK else None

    def learn(self, model: str, said: Quota) -> None:
        """Note what the host has named: from now on this command believes nobody who says more."""
        if self._said.get(self._key(model)) != said:
            self._said[self._key(model)] = said
            self.journal.note_quota(self._name(model), said)

    def _name(self, model: str) -> str:
        return f"queue of {self.account}" if self.shared else f"queue of {self.account} for {model}"

    def cut(self, limits: Limits, model: str) -> dict[str, int | None]:
        """By name, what of a batch's limits is other than the host's own, so that several batches fit into the queue."""
        if (most := self.limit(model)) is None:
            return {}
        tokens = max(1, int(MARGIN * most.tokens) // WAVE) if most.tokens else None
        requests = {"requests": min(max(1, most.requests // WAVE), limits.requests or most.requests)} if most.requests else {}
        return {"tokens": tokens, "request_tokens": most.tokens, **requests}

    def plan(self, shards: Iterable[Shard]) -> dict[str, str]:
        """By model whose queue is limited: how its shards that are to be sent go through it, in a line for people."""
        mine: dict[str, list[Shard]] = {}
        for shard in shards:
            if shard.state in TO_SUBMIT and self.limit(shard.model):
                mine.setdefault(shard.model, []).append(shard)
        return {
            model: f"{model}: {many(len(of), 'shard')} in {many(self._waves(of), 'wave')}; its queue {self.words(model)}"
            for model, of in mine.items()
        }

    def _waves(self, shards: Iterable[Shard]) -> int:
        waves, there = 0, []
        for shard in shards:
            one = Enqueued(shard.run, shard.n, "", shard.count, shard.tokens, self.clock.now())
            if not there or not self._fits(shard, there):
                waves, there = waves + 1, []
            there.append(one)
        return waves

    def words(self, model: str) -> str:
        """What is known of a queue, as the end of a sentence."""
        if (most := self.limit(model)) is None:
            return "names no limit"
        figures = [f"{n:,} {unit}" for n, unit in ((most.tokens, "prompt tokens"), (most.requests, "requests")) if n]
        return f"holds {' and '.join(figures)} ({most.source})"

    # ---- how much there is

    def full(self, shard: Shard) -> str:
        """Why a shard has to wait for the queue; "" where it fits, or where no limit is known."""
        if (held := self._held.get(self._key(shard.model))) and held.until > self.clock.steady():
            return "the host has said that its queue is full"
        return "" if self.limit(shard.model) is None or self._fits(shard, self._enqueued(shard.model)) else "the queue is full"

    def fits(self, shard: Shard) -> bool:
        """The same of a limit's figures only, read afresh: for the transaction that writes an intent."""
        if self.limit(shard.model) is None:
            return True
        there = self._read(shard.model)
        self._beside[shard.n] = sum(one.tokens for one in there if self._counts(one, shard))
        return self._fits(shard, there)

    def is_too_large(self, shard: Shard) -> bool:
        """Whether a shard can never go as it is."""
        if (most := self.limit(shard.model)) is None:
            return False
        return shard.tokens > (MARGIN if shard.count > 1 else 1) * (most.tokens or math.inf) or shard.count > (most.requests or math.inf)

    def held_elsewhere(self, models: Iterable[str]) -> list[str]:
        """The ids of other runs' batches that stand in the queues of these models."""
        seen = (one for key in {self._key(model): model for model in models}.values() for one in self._enqueued(key))
        return sorted({one.batch_id for one in seen if one.run != self.run and one.batch_id} - self.over)

    def _fits(self, shard: Shard, seen: list[Enqueued]) -> bool:
        there = [one for one in seen if self._counts(one, shard)]
        if not there:
            return True  # what is larger than the queue was cut before; a host that still refuses is asked with growing pauses
        most, weight = self.limit(shard.model), self._weight(shard.model)
        tokens = weight * (shard.tokens + sum(one.tokens for one in there))
        requests = shard.count + sum(one.requests for one in there)
        return tokens <= MARGIN * (most.tokens or math.inf) and requests <= (most.requests or math.inf)

    def _counts(self, one: Enqueued, shard: Shard) -> bool:
        if one.run == self.run:
            return one.n != shard.n
        if not one.batch_id:
            return self.clock.now() - one.intent_at < ALONE
        return one.batch_id not in self.over

    def _key(self, model: str) -> str:
        return "" if self.shared else model

    def _enqueued(self, model: str) -> list[Enqueued]:
        """What stands in a queue, read again whenever anything has happened in the folder."""
        key, moment = self._key(model), self.journal.moment()
        if key not in self._seen or self._seen[key][0] != moment:
            self._seen[key] = moment, self._read(model)
        return self._seen[key][1]

    def _read(self, model: str) -> list[Enqueued]:
        return enqueued(self.journal, self.account, None if self.shared else model)

    # ---- refusals

    def _weight(self, model: str) -> float:
        held = self._held.get(self._key(model))
        return held.weight if held and held.doubt_until > self.clock.steady() else 1.0

    def refused(self, shard: Shard, said: str, start: float) -> float:
        """The host has refused a shard for its full queue: learn what it says; seconds for which nothing more is tried.

        None are lost where the limit explains it. Where by our count there was room, others have something there, or the
        host counts more than we do: then each further refusal doubles the wait, from `start` seconds on.
        """
        if (named := quota.said(said)) is not None:
            self.learn(shard.model, named)
        limit, now = self.limit(shard.model), self.clock.steady()
        if limit is not None and (self.is_too_large(shard) or not self._fits(shard, self._read(shard.model))):
            return 0.0
        held = self._held.setdefault(self._key(shard.model), _Held())
        if limit and limit.tokens and (beside := self._beside.get(shard.n)):
            held.weight = max(self._weight(shard.model), 1.02 * MARGIN * limit.tokens / (beside + shard.tokens))
            held.doubt_until = now + DOUBT
        if held.until <= now:  # one refusal of several that were sent together
            held.refusals += 1
            held.until = now + backoff(held.refusals, start, LONGEST_HOLD)
        return held.until - now

    def went_through(self, shard: Shard) -> None:
        """A batch was let in: pauses begin anew."""
        if held := self._held.get(self._key(shard.model)):
            held.refusals = 0


def _is_below(own: Quota, said: Quota) -> bool:
    """Whether a limit is stricter than another of the same unit."""
    return any(mine and theirs and mine < theirs for mine, theirs in zip(own[:2], said[:2], strict=True))


def queues(
    journal: Journal, account: str, host: Host, models: Iterable[Model], tier: str = "", run: str = "", clock: Clock | None = None
) -> Queues:
    """The queues of an account for these models. `tier`: as a person says, "" for what the environment does. Raises InputError."""
    quota.check_person()
    models = list(models)
    said = {
        "person": {model.alias: found for model in models if (found := quota.of_person(host, model))},
        "tier": {model.alias: found for model in models if (found := quota.of_tier(host, model, tier))},
    }
    return Queues(journal, account, run, bool(host.queue_requests), **said, clock=clock or Clock())

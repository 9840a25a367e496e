"""Owns the plan of faults: which call goes wrong, at which occurrence, on which object, and how."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .edits import at

FOREVER = 1 << 62


@dataclass
class Count:
    """How often a rule was asked and has struck, and since when (monotonic seconds)."""

    seen: int = 0
    fired: int = 0
    since: float | None = None


@dataclass
class Rule:
    """One rule of the plan; its counts begin when the plan is given, with `each` for every object by itself."""

    call: str
    action: dict
    nth: int = 1
    times: int | None = None
    seconds: float | None = None
    each: bool = False
    where: dict | None = None
    profile: str | None = None
    probability: float | None = None
    seed: int = 0
    counts: dict[str, Count] = field(default_factory=dict)
    dice: random.Random = field(default_factory=random.Random)

    @property
    def of_objects(self) -> bool:
        """Whether the rule speaks of objects, not of calls."""
        return self.each or self.where is not None

    def matches(self, call: str, profile: str) -> bool:
        """Whether the rule speaks of this call."""
        return self.call in ("*", call) and self.profile in (None, profile)

    def speaks_of(self, item: dict) -> bool:
        """Whether an object's fields are as `where` says."""
        return bool(item) and all(at(item, path) in (value if isinstance(value, list) else [value])
                                  for path, value in (self.where or {}).items())

    def fires(self, item_id: str = "") -> bool:
        """Count one matching call and say whether it goes wrong."""
        count = self.counts.setdefault(item_id if self.each else "", Count())
        count.seen += 1
        if count.seen < self.nth or count.fired >= self._most() or self._too_late(count):
            return False
        if self.probability is not None and self.dice.random() >= self.probability:
            return False
        count.fired += 1
        return True

    def fires_on(self, item: dict) -> bool:
        """The same for a call that is about an object."""
        return self.speaks_of(item) and self.fires(str(item.get("id")))

    def _most(self) -> int:
        times = self._times()
        return FOREVER if times < 0 else times

    def _times(self) -> int:
        if self.times is None:
            return 1 if self.seconds is None else -1
        return self.times

    def _too_late(self, count: Count) -> bool:
        """The seconds begin with the first call that the rule would strike."""
        count.since = time.monotonic() if count.since is None else count.since
        return self.seconds is not None and time.monotonic() - count.since >= self.seconds

    def shown(self) -> dict:
        """The rule as it is understood, defaults included, with its counters."""
        told = {"call": self.call, "nth": self.nth, "times": self._times(), "seconds": self.seconds, "each": self.each or None,
                "where": self.where, "profile": self.profile, "probability": self.probability,
                "seed": None if self.probability is None else self.seed, "action": self.action,
                "seen": sum(count.seen for count in self.counts.values()), "fired": sum(count.fired for count in self.counts.values())}
        return {key: value for key, value in told.items() if value is not None}


def answered(call: str) -> bool:
    """Whether the objects of a call are known only from its answer: lists and creations."""
    return call.endswith((".list", ".create"))


class Faults:
    """The plan in force."""

    def __init__(self, rules: list[Rule]):
        self.rules = rules

    def pick(self, call: str, profile: str, subject: Callable[[], dict]) -> dict:
        """The action for this call, put together from all rules that fire; an empty one means that all is well."""
        rules = [rule for rule in self.rules if rule.matches(call, profile) and not (rule.of_objects and answered(call))]
        item = subject() if any(rule.of_objects for rule in rules) else {}
        return merged([rule.action for rule in rules if (rule.fires_on(item) if rule.of_objects else rule.fires())])

    def pick_for(self, call: str, profile: str, item: dict) -> dict:
        """The action for one object of the answer of a list or creation."""
        rules = [rule for rule in self.rules if rule.of_objects and answered(call) and rule.matches(call, profile)]
        return merged([rule.action for rule in rules if rule.fires_on(item)])


def merged(actions: list[dict]) -> dict:
    """Actions put together: the first one wins where they disagree, edits of different fields add up."""
    whole: dict = {}
    for action in reversed(actions):
        edits = {**whole.get("object", {}), **action.get("object", {})}
        without = [*whole.get("without", []), *action.get("without", [])]
        whole |= action
        whole |= {key: value for key, value in (("object", edits), ("without", without)) if value}
    return whole

"""Owns the plan of faults: which call goes wrong, at which occurrence, and how."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .errors import ApiError

CALLS = frozenset((
    "files.create", "files.retrieve", "files.list", "files.content", "files.delete",
    "batches.create", "batches.retrieve", "batches.list", "batches.cancel",
    "messages.batches.create", "messages.batches.retrieve", "messages.batches.list", "messages.batches.cancel",
    "messages.batches.delete", "messages.batches.results", "chat.completions", "messages", "models.list", "*",
))
ACTIONS = frozenset((
    "status", "headers", "body", "when", "drop", "truncate", "delay", "slow", "counts", "lines", "lag", "hide_output", "fate",
))
RULE_KEYS = frozenset(("call", "nth", "times", "profile", "probability", "seed", "action"))
FOREVER = 1 << 62


@dataclass
class Rule:
    """One rule of the plan; `seen` and `fired` count matching calls since the plan was given."""

    call: str
    action: dict
    nth: int = 1
    times: int | None = None
    profile: str | None = None
    probability: float | None = None
    seed: int = 0
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def matches(self, call: str, profile: str) -> bool:
        """Whether the rule speaks of this call."""
        return self.call in ("*", call) and self.profile in (None, profile)

    def fires(self) -> bool:
        """Count one matching call and say whether it goes wrong."""
        self.seen += 1
        if self.seen < self.nth or self.fired >= self._most():
            return False
        if self.probability is not None and self.dice.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def _most(self) -> int:
        if self.times is None:
            return 1 if self.probability is None else FOREVER
        return FOREVER if self.times < 0 else self.times

    def shown(self) -> dict:
        """The rule as it was given, with its counters."""
        given = {"call": self.call, "nth": self.nth, "times": self.times, "profile": self.profile,
                 "probability": self.probability, "action": self.action, "seen": self.seen, "fired": self.fired}
        return {key: value for key, value in given.items() if value is not None}


class Faults:
    """The plan in force."""

    def __init__(self, rules: object = ()):
        self.rules: list[Rule] = parse(rules)

    def pick(self, call: str, profile: str) -> dict:
        """The action for this call: the first rule that fires. An empty one means that all is well."""
        fired = [rule for rule in self.rules if rule.matches(call, profile) and rule.fires()]
        merged: dict = {}
        for rule in reversed(fired):
            merged |= rule.action
        return merged


def parse(rules: object) -> list[Rule]:
    """Rules from their JSON form; raises ApiError 400 that names the rule and what was expected."""
    if isinstance(rules, dict) and "rules" in rules:
        rules = rules["rules"]
    if not isinstance(rules, (list, tuple)):
        raise ApiError(400, "faults: expected a list of rules like {\"call\": \"batches.create\", \"action\": {\"status\": 500}}")
    return [_rule(rule, number) for number, rule in enumerate(rules)]


def _rule(rule: object, number: int) -> Rule:
    where = f"faults[{number}]"
    if not isinstance(rule, dict) or not isinstance(rule.get("action"), dict):
        raise ApiError(400, f"{where}: expected an object with \"call\" and an object \"action\"")
    if rule.get("call") not in CALLS:
        raise ApiError(400, f"{where}.call: expected one of {', '.join(sorted(CALLS))}")
    unknown = [f"{where}.{key}" for key in rule if key not in RULE_KEYS]
    unknown += [f"{where}.action.{key}" for key in rule["action"] if key not in ACTIONS]
    if unknown:
        raise ApiError(400, f"{unknown[0]}: unknown; rules take {sorted(RULE_KEYS)}, actions {sorted(ACTIONS)}")
    for key, kinds in (("nth", int), ("times", int), ("seed", int), ("probability", (int, float)), ("profile", str)):
        if rule.get(key) is not None and not isinstance(rule[key], kinds):
            raise ApiError(400, f"{where}.{key}: wrong type")
    _check_action(rule["action"], where)
    known = {key: value for key, value in rule.items() if value is not None}
    return Rule(**known, dice=random.Random(rule.get("seed", 0)))


def _check_action(action: dict, where: str) -> None:
    numbers = {"status": (100, 599), "truncate": (0, FOREVER), "delay": (0, 3600), "slow": (1, FOREVER), "lag": (0, FOREVER)}
    for key, (low, high) in numbers.items():
        value = action.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high):
            raise ApiError(400, f"{where}.action.{key}: expected a number from {low} to {high}")
    for key in ("headers", "counts", "lines", "fate"):
        if key in action and not isinstance(action[key], dict):
            raise ApiError(400, f"{where}.action.{key}: expected an object")
    for key in ("when", "drop"):
        if action.get(key, "before") not in ("before", "after"):
            raise ApiError(400, f"{where}.action.{key}: expected \"before\" or \"after\"")

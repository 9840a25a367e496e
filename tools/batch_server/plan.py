"""Owns the JSON form of a plan of faults: what a rule may say, and the words in which a mistake is refused."""

from __future__ import annotations

import math
import random

from .edits import FORMS
from .elsewhere import HOSTS
from .errors import ApiError
from .faults import FOREVER, Rule, answered

CALLS = frozenset((
    "files.create", "files.retrieve", "files.list", "files.content", "files.delete",
    "batches.create", "batches.retrieve", "batches.list", "batches.cancel", "batches.delete",
    "messages.batches.create", "messages.batches.retrieve", "messages.batches.list", "messages.batches.cancel",
    "messages.batches.delete", "messages.batches.results", "chat.completions", "messages", "models.list", "*",
))
PROFILES = ("openai", "anthropic", "kluster", "openrouter")
EDITS = frozenset(("object", "without"))
ACTIONS = EDITS | frozenset((
    "status", "headers", "body", "when", "drop", "truncate", "delay", "slow", "counts", "lines", "lag", "hide_output", "fate",
    "list", "rows", "rows_of",
))
LIST_KEYS = frozenset(("order", "circle", "page", "odd"))
NUMBERS = {"nth": (1, FOREVER), "times": (-1, FOREVER), "seconds": (0, FOREVER), "probability": (0, 1), "seed": (-FOREVER, FOREVER)}
ACTION_NUMBERS = {"status": (200, 599), "truncate": (0, FOREVER), "delay": (0, 3600), "slow": (1, FOREVER), "lag": (0, FOREVER),
                  "rows": (0, FOREVER)}
RULE_KEYS = frozenset(("call", "each", "where", "profile", "action", *NUMBERS))


def parse(rules: object) -> list[Rule]:
    """Rules from their JSON form; raises ApiError 400 that names the rule and what was expected."""
    if isinstance(rules, dict) and "rules" in rules:
        rules = rules["rules"]
    if not isinstance(rules, (list, tuple)):
        raise ApiError(400, "faults: expected a list of rules like {\"call\": \"batches.create\", \"action\": {\"status\": 500}}")
    return [_rule(rule, f"faults[{number}]") for number, rule in enumerate(rules)]


def _rule(rule: object, where: str) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("action"), dict):
        raise ApiError(400, f"{where}: expected an object with \"call\" and an object \"action\"")
    known = {key: value for key, value in rule.items() if value is not None}
    if not isinstance(known.get("call"), str) or known["call"] not in CALLS:
        raise ApiError(400, f"{where}.call: expected one of {', '.join(sorted(CALLS))}")
    _known(known, RULE_KEYS, where)
    _numbers(known, NUMBERS, where)
    if known.get("profile", PROFILES[0]) not in (*PROFILES, *HOSTS):
        raise ApiError(400, f"{where}.profile: expected one of {', '.join((*PROFILES, *HOSTS))}")
    if not isinstance(known.get("each", False), bool) or not isinstance(known.get("where", {}), dict):
        raise ApiError(400, f"{where}: \"each\" is true or false, \"where\" an object of fields and values")
    _check_action(known["action"], f"{where}.action")
    made = Rule(**known, dice=random.Random(known.get("seed", 0)))
    if made.of_objects and answered(made.call) and set(made.action) - EDITS:
        raise ApiError(400, f"{where}: with \"each\" or \"where\" a list or creation takes the actions {sorted(EDITS)} only")
    return made


def _known(given: dict, keys: frozenset[str], where: str) -> None:
    if unknown := sorted(set(given) - keys):
        raise ApiError(400, f"{where}.{unknown[0]}: unknown; expected {sorted(keys)}")


def _numbers(given: dict, ranges: dict, where: str) -> None:
    whole = {"nth", "times", "seed", "status", "rows"}
    for key, (low, high) in ranges.items():
        value = given.get(key, max(low, 1))
        kinds = int if key in whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value) or not low <= value <= high:
            kind = "a whole number" if key in whole else "a number"
            raise ApiError(400, f"{where}.{key}: expected {kind} from {low} to {'any' if high == FOREVER else high}")


def _check_action(action: dict, where: str) -> None:
    _known(action, ACTIONS, where)
    _numbers({key: value for key, value in action.items() if value is not None}, ACTION_NUMBERS, where)
    for key in ("headers", "counts", "lines", "fate", "object", "list"):
        if not isinstance(action.get(key, {}), dict):
            raise ApiError(400, f"{where}.{key}: expected an object")
    for key in ("when", "drop"):
        if action.get(key, "before") not in ("before", "after"):
            raise ApiError(400, f"{where}.{key}: expected \"before\" or \"after\"")
    without = action.get("without", [])
    if not isinstance(without, list) or not all(isinstance(path, str) for path in without):
        raise ApiError(400, f"{where}.without: expected a list of fields")
    for path, value in action.get("object", {}).items():
        if isinstance(value, dict) and set(value) == {"as"} and value["as"] not in FORMS:
            raise ApiError(400, f"{where}.object.{path}: expected one of {sorted(FORMS)}")
    if not isinstance(action.get("rows_of", ""), str):
        raise ApiError(400, f"{where}.rows_of: expected \"another\" or a batch's id")
    _check_list(action.get("list", {}), f"{where}.list")


def _check_list(bend: dict, where: str) -> None:
    _known(bend, LIST_KEYS, where)
    if bend.get("order", "desc") not in ("asc", "desc") or not isinstance(bend.get("circle", False), bool):
        raise ApiError(400, f"{where}: \"order\" is \"asc\" or \"desc\", \"circle\" true or false")
    _numbers(bend, {"page": (1, FOREVER)}, where)
    if isinstance(bend.get("page"), float) or not isinstance(bend.get("odd", []), list):
        raise ApiError(400, f"{where}: \"page\" is a whole number, \"odd\" a list of anything")

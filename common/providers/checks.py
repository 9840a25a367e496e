"""How a request parameter is checked: each check is a function value → what was expected instead; "" for a value that is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import orjson

from common.nouns import Model
from common.text import one_line

Check = Callable[[object], str]
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def number(low: float, high: float) -> Check:
    """A number within closed bounds."""
    said = f"a number from {low:g} to {high:g}"
    return lambda value: "" if type(value) in (int, float) and low <= value <= high else said


def whole(low: float = -math.inf, high: float = math.inf) -> Check:
    """A whole number within closed bounds."""
    said = "a whole number" + (f" of at least {low}" if high == math.inf != -low else f" from {low} to {high}" if high < math.inf else "")
    return lambda value: "" if type(value) is int and low <= value <= high else said


def true_or_false(value: object) -> str:
    """true or false."""
    return "" if isinstance(value, bool) else "true or false"


def text(value: object) -> str:
    """A text that is not blank."""
    return "" if isinstance(value, str) and value.strip() else "a text"


def any_table(value: object) -> str:
    """A table of any content."""
    return "" if isinstance(value, Mapping) else "a table"


def one_of(*words: object) -> Check:
    """One of a few values."""
    said = ", ".join(map(_shown, words[:-1])) + f" or {_shown(words[-1])}" if len(words) > 1 else _shown(words[0])
    return lambda value: "" if any(value == word and type(value) is type(word) for word in words) else said


def texts(most: int) -> Check:
    """A list of one to so many texts that are not blank."""
    said = f"a list of 1 to {most:,} texts"
    return lambda value: "" if isinstance(value, list) and 0 < len(value) <= most and not any(map(text, value)) else said


def either(*checks: Check) -> Check:
    """What one of several checks takes."""
    return lambda value: "" if not all(said := [check(value) for check in checks]) else " or ".join(said)


def with_keys(**checks: Check) -> Check:
    """A table whose known keys are right; others are let through."""

    def check(value: object) -> str:
        if said := any_table(value):
            return said
        wrong = ((key, one(value[key])) for key, one in checks.items() if key in value)
        return next((f"{key} to be {said}" for key, said in wrong if said), "")

    return check


def pairs(most: int, key: int, length: int) -> Check:
    """A table of so many short texts: metadata."""
    said = f"a table of at most {most} texts, names up to {key} and texts up to {length} characters"

    def fits(value: object) -> bool:
        if not isinstance(value, Mapping) or len(value) > most:
            return False
        return all(len(name) <= key and isinstance(one, str) and len(one) <= length for name, one in value.items())

    return lambda value: "" if fits(value) else said


def biases(value: object) -> str:
    """Token ids with a bias each."""
    fits = isinstance(value, Mapping) and all(type(one) in (int, float) and -100 <= one <= 100 for one in value.values())
    return "" if fits else "a table of token ids, each with a number from -100 to 100"


def listing(value: object) -> str:
    """A list of tables."""
    return "" if isinstance(value, list) and value and not any(map(any_table, value)) else "a list of tables"


def complaint(name: str, value: object, check: Check) -> str:
    """The problem of a parameter that is not as its check has it; "" if it is."""
    said = check(value)
    return f"{name} is {_shown(value)}; expected {said}" if said else ""


def refused(name: str, model: Model) -> str:
    """The problem of a parameter that a model does not have."""
    return f"{model.alias} takes no {name}; leave it out, or ask another model"


def called(choice: object) -> str | None:
    """The name of the tool that a choice forces, in any API's form; None where it names none."""
    inner = choice.get("function", choice) if isinstance(choice, Mapping) else {}
    found = inner.get("name") if isinstance(inner, Mapping) else None
    return found if isinstance(found, str) else None


def tool_names(tools: object) -> list[str]:
    """The names of the tools in a list, in any API's form."""
    inner = [tool.get("function", tool) for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    return [tool["name"] for tool in inner if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)]


def choice_problem(choice: object, tools: object) -> str:
    """Why no such choice can be made among the tools; "" where nothing is against it."""
    if not tools:
        return "tool_choice chooses among tools, and there are none; add tools"
    name = called(choice)
    if name is not None and name not in tool_names(tools):
        return f"tool_choice names the tool {_shown(name)}, which is not among tools ({', '.join(tool_names(tools)) or 'none has a name'})"
    return ""


def costs_unknown(name: str, value: object) -> bool:
    """Whether a parameter of any API buys more than tokens at the usual price: tools at the provider, a faster or nearer service."""
    if name == "tools":
        return any(isinstance(tool, Mapping) and tool.get("type", "custom") not in ("function", "custom") for tool in value)
    usual = {"service_tier": ("auto", "default", "standard_only", "flex"), "speed": ("standard",), "inference_geo": ("global",)}
    return name == "web_search_options" or name in usual and value not in usual[name]


def _shown(value: object) -> str:
    try:
        return one_line(orjson.dumps(value).decode(), 60)
    except TypeError:
        return one_line(value, 60)

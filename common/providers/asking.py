"""What requests of every shape share: a JSON Schema as the APIs take it or in words, and parameters beside our own keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

import orjson

WORDS = "Answer with one JSON {} that fits this JSON Schema, and nothing else:\n{}"
_HOLD = ("properties", "$defs", "definitions")  # keywords that hold schemas by name
_LIST = ("anyOf", "allOf", "oneOf", "prefixItems")  # and in a list
# What OpenAI takes under strict: https://developers.openai.com/api/docs/guides/structured-outputs ("Supported schemas").
_STRICT = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "definitions",
    "title", "description", "pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minItems", "maxItems",
}  # fmt: skip
# What Claude takes: anthropic 2.12.0 lib/_parse/_transform.py, which also writes the rest into the description, as we do.
_CLAUDE = {"type", "enum", "const", "required", "$ref", "title", "description"}
_CLAUDE_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_SILENT = {"$schema", "$id", "$comment", "additionalProperties", "minimum", "maximum"}  # said otherwise, or to nobody
_REF = re.compile(rb'"\$ref":"([^"]*)"')
_OWN = re.compile(rb"#/(?:\$defs|definitions)/([^/]+)")
_SAYS = {"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"}  # one of these must be there: neither API takes a schema of anything


@lru_cache(64)
def schema_of(text: str) -> dict:
    """The schema in a JSON text, which is to be read only; {} where it is no object."""
    found = orjson.loads(text)
    return found if isinstance(found, dict) else {}


@lru_cache(64)
def is_object(text: str) -> bool:
    """Whether what fits the schema is an object: no API takes another one as a form."""
    return schema_of(text).get("type") == "object"


@lru_cache(64)
def in_words(text: str) -> str:
    """A schema as a paragraph for a model that cannot be bound to it."""
    return WORDS.format("object" if is_object(text) else "value", text)


@lru_cache(64)
def is_strict(text: str) -> bool:
    """Whether OpenAI can keep an answer to the letter of a schema: closed objects, all properties required, known keywords."""
    return is_object(text) and all(_is_strict(schema) for schema in _within(schema_of(text)))


def _is_strict(schema: object) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _STRICT or not schema.keys() & _SAYS:
        return False
    fields = schema.get("properties")
    if fields is None and schema.get("type") != "object":
        return True
    return schema.get("additionalProperties") is False and set(fields or {}) == set(schema.get("required") or ())


def _within(schema: object) -> Iterator[object]:
    """A schema and all that stand in it."""
    yield schema
    if not isinstance(schema, dict):
        return
    for key in _HOLD:
        for inner in schema[key].values() if isinstance(schema.get(key), dict) else ():
            yield from _within(inner)
    for key in _LIST:
        for inner in schema[key] if isinstance(schema.get(key), list) else ():
            yield from _within(inner)
    if "items" in schema:
        yield from _within(schema["items"])


@lru_cache(64)
def for_claude(text: str) -> orjson.Fragment | None:
    """A schema, written out, in the narrower form that Claude takes; None where that would ask for something else.

    Open objects and definitions that contain themselves have no such form. What is left out of it stands in the descriptions.
    """
    schema = schema_of(text)
    if not is_object(text) or not _is_flat(schema) or not all(map(_can_close, _within(schema))):
        return None
    return orjson.Fragment(orjson.dumps(_narrowed(schema)))


def _can_close(schema: object) -> bool:
    if not isinstance(schema, dict) or not schema.keys() & _SAYS:
        return False
    kind = schema.get("type")
    if kind != "object":
        several = isinstance(kind, list) and not {"object", "array"}.isdisjoint(kind)
        return not several and schema.keys().isdisjoint(("properties", "patternProperties"))
    return bool(schema.get("properties")) and schema.get("additionalProperties") in (None, False)


def _is_flat(schema: dict) -> bool:
    """Whether references lead to the schema's own definitions, and none of those to itself."""
    named = {name: orjson.dumps(one) for key in ("$defs", "definitions") for name, one in (schema.get(key) or {}).items()}
    if not all(_OWN.fullmatch(ref) for ref in _REF.findall(orjson.dumps(schema))):
        return False
    try:
        graph = {name: {_OWN.fullmatch(ref)[1].decode() for ref in _REF.findall(one)} for name, one in named.items()}
        TopologicalSorter(graph).prepare()
    except CycleError:
        return False
    return True


def _narrowed(schema: dict) -> dict:
    made, rest = {}, []
    for key, value in schema.items():
        if key in _HOLD:
            made[key] = {name: _narrowed(inner) for name, inner in value.items()}
        elif key in ("anyOf", "allOf", "oneOf"):
            made["allOf" if key == "allOf" else "anyOf"] = [_narrowed(inner) for inner in value]
        elif key == "items":
            made[key] = _narrowed(value)
        elif key == "type" and isinstance(value, list):
            made |= {} if schema.keys() & {"enum", "const"} else {"anyOf": [{"type": one} for one in value]}
        elif key in _CLAUDE or key == "format" and value in _CLAUDE_FORMATS or key == "minItems" and value in (0, 1):
            made[key] = value
        elif key not in _SILENT:
            rest.append(f"{key}: {orjson.dumps(value).decode()}")
    if made.get("type") == "object":
        made["additionalProperties"] = False
    if said := [*_bounds(schema), *rest]:
        made["description"] = " ".join(filter(None, (made.get("description"), f"({', '.join(said)})")))
    return made


def _bounds(schema: dict) -> list[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return [f"from {low} to {high}"]
    return [f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None)


def merged(theirs: Mapping, ours: Mapping) -> dict:
    """Parameters of a person's beside our own keys, tables within tables; what is in both is ours."""
    made = {**theirs, **ours}
    for key in theirs.keys() & ours.keys():
        if isinstance(theirs[key], Mapping) and isinstance(ours[key], Mapping):
            made[key] = merged(theirs[key], ours[key])
    return made

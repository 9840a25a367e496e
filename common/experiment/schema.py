"""The JSON Schema that an experiment's questions make, and the schemas that people give for answers of free shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import orjson

from common.nouns import Question

_TYPES = {"integer": int, "number": float, "boolean": bool, "string": str}
_JSON_TYPES = {"number": "number", "integer": "integer", "yes_no": "boolean"}


class Validator(Protocol):
    """What says whether a value is as its schema wants it."""

    def is_valid(self, value: object) -> bool: ...


@lru_cache(64)
def validator(schema: str) -> Validator:
    """The validator of a JSON Schema given as text. Raises ValueError with what is wrong in the schema, in one line.

    Nothing is fetched, and patterns are tried in linear time, whoever wrote them.
    """
    import jsonschema_rs  # 15 MB, for those few who need it

    patterns = jsonschema_rs.RegexOptions()
    try:
        return jsonschema_rs.validator_for(orjson.loads(schema), offline=True, pattern_options=patterns)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(map(str, error.instance_path))
        raise ValueError(f"{where}: {error.message}" if where else str(error.message)) from None


def schema_of(questions: Sequence[Question]) -> dict:
    """The schema of an answer in the form "json": a flat object, all keys required and no others.

    It keeps to what OpenAI's strict mode and Anthropic's structured output take, so ranges stand in descriptions.
    """
    properties: dict[str, dict] = {}
    definitions: dict[str, dict] = {}
    for n, question in enumerate(questions, 1):
        properties[question.id] = _value(question, n, definitions)
        if question.reason != "no":
            kind = "string" if question.reason == "yes" else ["string", "null"]
            properties[f"{question.id}_reason"] = {"type": kind, "description": f"{question.name}: {question.reason_label}"}
    made = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {**made, "$defs": definitions} if definitions else made


def _value(question: Question, n: int, definitions: dict[str, dict]) -> dict:
    """The schema of one question's value; what its own schema defines goes to the root's definitions."""
    if question.type == "json":
        return _nested(question, n, definitions)
    told = {"description": question.name}
    names = [name for name, _ in question.choices]
    if question.type == "choice":
        return {"type": "string", "enum": names, **told}
    if question.type == "choices":
        return {"type": "array", "items": {"type": "string", "enum": names}, **told}
    if question.type in ("number", "integer"):
        told["description"] += f", from {question.minimum:g} to {question.maximum:g}"
    return {"type": _JSON_TYPES.get(question.type, "string"), **told}


def _nested(question: Question, n: int, definitions: dict[str, dict]) -> dict:
    own = orjson.loads(question.schema or "{}")
    if not isinstance(own, dict):
        return {"description": question.name}
    names = {}
    for place in ("$defs", "definitions"):
        for name, schema in own.pop(place, {}).items():
            names[f"#/{place}/{name}"] = f"{name}_{n}" if name in definitions else name
            definitions[names[f"#/{place}/{name}"]] = schema
    for name in names.values():
        definitions[name] = _moved(definitions[name], names, question.id)
    own.pop("$schema", None)
    own.pop("$id", None)
    return {"description": question.name, **_moved(own, names, question.id)}


def _moved(schema: object, names: dict[str, str], question_id: str) -> object:
    """A schema whose references lead to where its definitions stand now."""
    if isinstance(schema, list):
        return [_moved(one, names, question_id) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _moved(value, names, question_id) for key, value in schema.items()}
    target = schema.get("$ref")
    if isinstance(target, str) and target.startswith("#"):
        root, _, rest = target.removeprefix("#/").partition("/")
        name, _, below = rest.partition("/")
        known = names.get(f"#/{root}/{name}")
        here = f"#/properties/{question_id.replace('~', '~0').replace('/', '~1')}"
        made["$ref"] = f"#/$defs/{known}{'/' * bool(below)}{below}" if known else here + target[1:]
    return made


def field_type(schema: str, path: str) -> type:
    """The type of a column made of a field (names joined by dots) of values of this schema; text where it does not say."""
    at = orjson.loads(schema or "{}")
    for name in path.split("."):
        inner = at.get("properties") if isinstance(at, dict) else None
        at = inner.get(name) if isinstance(inner, dict) else None
    kind = at.get("type") if isinstance(at, dict) else None
    if isinstance(kind, list):
        kind = next(iter({*kind} - {"null"}), None) if len({*kind} - {"null"}) == 1 else None
    return _TYPES.get(kind, str) if isinstance(kind, str) else str

"""Owns values invented for a JSON schema: valid for the common part of it, the same every time for the same dice."""

from __future__ import annotations

import random
from urllib.parse import unquote

DEEP = 5  # from this depth on the shortest way out is taken
DEEPEST = 60
MANY = 2000
TOO_MANY = 100_000
FORMATS = {
    "date-time": "2026-01-02T03:04:05Z", "date": "2026-01-02", "time": "03:04:05Z", "duration": "P1D", "email": "someone@example.com",
    "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/", "url": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}
WORDS = ("simulated", "quiet", "bright", "river", "lantern", "harbor", "winter", "paper")
KEYWORDS = {"properties": "object", "required": "object", "items": "array", "prefixItems": "array", "minLength": "string",
            "format": "string", "minimum": "number", "maximum": "number"}


class NoSchema(ValueError):
    """What was given is no schema that a value can be made for; the message says why."""


class Inventor:
    """Makes one value of a schema; `root` is where $ref looks."""

    def __init__(self, root: dict, dice: random.Random):
        self.root, self.dice, self.made = root, dice, 0

    def value(self, schema: object, depth: int = 0) -> object:
        """A value that is valid for a schema; raises NoSchema."""
        self.made += 1
        if self.made > TOO_MANY:
            raise NoSchema("its values are too large")
        if depth > DEEPEST:
            raise NoSchema("it has no end: every value would contain another one")
        schema = self._plain(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._pick(schema["enum"])
        return self._typed(self._type(schema, depth), schema, depth)

    def _pick(self, options: list) -> object:
        return self.dice.choice(options)

    def _field(self, name: str, schema: object, depth: int) -> object:
        """A property's value; `name` is for those who make it look like what it is called."""
        return self.value(schema, depth + 1)

    def _short(self, depth: int) -> bool:
        return depth >= DEEP or self.made > MANY

    def _plain(self, schema: object, depth: int) -> dict:
        """The schema with references followed and branches chosen."""
        for _ in range(DEEPEST):
            if schema is True:
                return {}
            if not isinstance(schema, dict):
                raise NoSchema(f"{str(schema)[:40]!r} is not a schema")
            rest = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "oneOf", "allOf")}
            if "$ref" in schema:
                more = [self._at(schema["$ref"])]
            elif branches := schema.get("anyOf") or schema.get("oneOf"):
                more = [self._branch(branches, depth)]
            elif schema.get("allOf"):
                more = schema["allOf"]
            else:
                return schema
            rest |= {key: schema[key] for key in ("allOf",) if "allOf" in schema and more is not schema["allOf"]}
            schema = _joined([*more, rest])
        raise NoSchema("a $ref leads back to itself")

    def _at(self, pointer: object) -> object:
        found: object = self.root
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            raise NoSchema(f"$ref {str(pointer)[:80]!r} does not lead into the schema")
        for name in filter(None, pointer[1:].split("/")):
            name = unquote(name).replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                raise NoSchema(f"$ref {pointer[:80]!r} leads nowhere")
            found = found[name]
        return found

    def _branch(self, branches: list, depth: int) -> object:
        """The first one; deep down one that is null or plain, where there is one."""
        if self._short(depth):
            plain = [b for b in branches if isinstance(b, dict) and b.get("type") in ("null", "boolean", "integer", "number", "string")]
            return next((b for b in plain if b["type"] == "null"), (plain or branches)[0])
        return branches[0]

    def _type(self, schema: dict, depth: int) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, list) and kinds:
            return "null" if "null" in kinds and self._short(depth) else next((kind for kind in kinds if kind != "null"), "null")
        return kinds if kinds else next((kind for key, kind in KEYWORDS.items() if key in schema), "string")

    def _typed(self, kind: str, schema: dict, depth: int) -> object:
        makers = {"object": self._object, "array": self._array}
        if kind in makers:
            return makers[kind](schema, depth)
        plain = {"string": self._string, "integer": self._integer, "number": self._number,
                 "boolean": lambda _: self.dice.random() < 0.5, "null": lambda _: None}
        if kind not in plain:
            raise NoSchema(f"{str(kind)[:40]!r} is not a type")
        return plain[kind](schema)

    def _object(self, schema: dict, depth: int) -> dict:
        fields, required = schema.get("properties", {}), schema.get("required", [])
        names = [name for name in fields if name in required or not self._short(depth)]
        made = {name: self._field(name, fields[name], depth) for name in names}
        other = schema.get("additionalProperties", True)
        more = [name for name in required if name not in made]
        more += [f"key{n}" for n in range(max(0, schema.get("minProperties", 0) - len(made) - len(more)))]
        return made | {name: self.value(other if isinstance(other, dict) else {}, depth + 1) for name in more}

    def _array(self, schema: dict, depth: int) -> list:
        first, items = schema.get("prefixItems", []), schema.get("items", {})
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, 3))
        size = least if self._short(depth) else max(least, min(most, self.dice.randint(1, 3)))
        if items is False:
            size = min(size, len(first))
        made: list = []
        if size > TOO_MANY:
            raise NoSchema("its values are too large")
        for tries in range(size * 20):
            one = self.value(first[len(made)] if len(made) < len(first) else items, depth + 1)
            if not schema.get("uniqueItems") or one not in made or tries >= size * 19:
                made.append(one)
            if len(made) >= size:
                break
        return made

    def _string(self, schema: dict) -> str:
        text = FORMATS.get(schema.get("format", ""), " ".join(self.dice.choices(WORDS, k=3)))
        least, most = schema.get("minLength", 0), schema.get("maxLength", len(text))
        while len(text) < min(least, 100_000):
            text += " " + self.dice.choice(WORDS)
        return text[: max(least, most)]

    def _bounds(self, schema: dict, step: float) -> tuple[float, float]:
        low, high = schema.get("minimum"), schema.get("maximum")
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        lows = [bound for bound in (low, None if above is None else above + step) if bound is not None]
        highs = [bound for bound in (high, None if below is None else below - step) if bound is not None]
        least = max(lows) if lows else min(0, *highs) if highs else 0
        return least, min(highs) if highs else max(100, least + 100)

    def _integer(self, schema: dict) -> int:
        low, high = self._bounds(schema, 1)
        step = int(schema.get("multipleOf", 1)) or 1
        first, last = -(-low // step), high // step
        return int(self.dice.randint(int(first), max(int(first), int(last))) * step)

    def _number(self, schema: dict) -> float:
        low, high = self._bounds(schema, 0)
        if step := schema.get("multipleOf"):
            return round(-(-low // step) * step + step * self.dice.randint(0, max(0, int((high - low) // step) - 1)), 9)
        middle = round(low + (high - low) * self.dice.uniform(0.05, 0.95), 3)
        return middle if low < middle < high else low + (high - low) / 2


def _joined(schemas: list) -> dict:
    """Several schemas that all hold, as one: properties and requirements add up, for the rest the last one speaks."""
    whole: dict = {}
    for schema in schemas:
        if schema is True:
            continue
        if not isinstance(schema, dict):
            raise NoSchema(f"{str(schema)[:40]!r} is not a schema")
        fields = {**whole.get("properties", {}), **schema.get("properties", {})}
        required = [*whole.get("required", []), *schema.get("required", [])]
        whole |= schema
        whole |= {key: value for key, value in (("properties", fields), ("required", required)) if value}
    return whole


def invented(schema: object, seed: bytes) -> object:
    """A value for a schema, the same for the same seed; raises NoSchema for what is none."""
    try:
        return Inventor(schema if isinstance(schema, dict) else {}, random.Random(seed)).value(schema)
    except (TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError, ZeroDivisionError) as problem:
        raise NoSchema("a keyword has a value of the wrong type") from problem

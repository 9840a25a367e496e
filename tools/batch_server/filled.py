"""Owns values for a JSON schema that look like a model's: numbers and choices are opinions, strings are sentences."""

from __future__ import annotations

import random
from functools import lru_cache

from .invented import FORMATS, Inventor
from .opinions import Mind, number
from .scales import Kind, choices_in, scale_in

NULLS = 0.2  # of what may be null
LONG = 30  # from this length on a string is a sentence
_scale, _choices = lru_cache(maxsize=512)(scale_in), lru_cache(maxsize=512)(choices_in)


class Filler(Inventor):
    """An inventor with opinions: what stands in a property depends on its name, the reader and the text."""

    def __init__(self, root: dict, mind: Mind) -> None:
        super().__init__(root, random.Random(mind.dice))
        self.mind, self.name = mind, ""
        self.shares: dict[str, float] = {}  # property → how high its number is, for the reason beside it

    def _field(self, name: str, schema: object, depth: int) -> object:
        before, self.name = self.name, name
        try:
            return super()._field(name, schema, depth)
        finally:
            self.name = before

    def _pick(self, options: list) -> object:
        return options[self.mind.pick(self.name, options)]

    def _branch(self, branches: list, depth: int) -> object:
        null = next((branch for branch in branches if isinstance(branch, dict) and branch.get("type") == "null"), None)
        return null if null is not None and self.dice.random() < NULLS else super()._branch(branches, depth)

    def _type(self, schema: dict, depth: int) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, list) and "null" in kinds and self.dice.random() < NULLS:
            return "null"
        return super()._type(schema, depth)

    def _bounds(self, schema: dict, step: float) -> tuple[float, float]:
        """The schema's own bounds; where it has none, those that its description names."""
        free = schema.keys().isdisjoint(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))
        if free and (scale := self._said(_scale, schema)):
            return scale.low, scale.high
        return super()._bounds(schema, step)

    def _said(self, look, schema: dict) -> Kind | None:
        said = schema.get("description")
        return look(said) if isinstance(said, str) else None

    def _integer(self, schema: dict) -> int:
        if schema.get("multipleOf", 1) != 1:
            return super()._integer(schema)
        low, high = self._bounds(schema, 1)
        first, last = -(-low // 1), high // 1
        return int(number(Kind(first, max(first, last)), self._share()))

    def _share(self) -> float:
        share = self.shares[self.name] = self.mind.share(self.name)
        return share

    def _number(self, schema: dict) -> float:
        low, high = self._bounds(schema, 0)
        if "multipleOf" in schema or not schema.keys().isdisjoint(("exclusiveMinimum", "exclusiveMaximum")):
            return super()._number(schema)
        return number(Kind(low, high, 0 if high - low > 2 and low == low // 1 else 2), self._share())

    def _array(self, schema: dict, depth: int) -> list:
        options = schema["items"].get("enum") if isinstance(schema.get("items"), dict) else None
        if not options or not schema.keys().isdisjoint(("minItems", "maxItems", "prefixItems")):
            return super()._array(schema, depth)
        return [options[place] for place in self.mind.some(self.name, options)]

    def _string(self, schema: dict) -> str:
        if schema.get("format") in FORMATS or schema.get("maxLength", LONG) < LONG or not self.name:
            return super()._string(schema)
        if kind := self._said(_choices, schema):
            return kind.choices[self.mind.pick(self.name, kind.choices)]
        said, of = schema.get("description"), self.name.removesuffix("_reason")
        name = said.partition(":")[0] if of != self.name and isinstance(said, str) else of.replace("_", " ")
        text = self.mind.why(name, self.shares[of] if of in self.shares else self.mind.share(name))
        while len(text) < min(schema.get("minLength", 0), 100_000):
            text += f" {text}"
        return text[: max(schema.get("minLength", 0), schema.get("maxLength", len(text)))]


def filled(schema: dict, mind: Mind) -> object:
    """A value for a schema that was found to be one; the same for the same mind."""
    return Filler(schema, mind).value(schema)

"""Who answers and what is varied beside models and texts: personas, and further factors with their levels."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.errors import InputError
from common.experiment.keys import Table, distinct, in_message, keyed
from common.experiment.parameters import Parameters, read_parameters

_LEVELS = "a list of at least two values, or [[factor.level]] tables"


@dataclass(frozen=True, slots=True)
class Persona:
    """Who answers: `id` as in custom_id (p1_…), base temperature, and all keys that the prompt may name."""

    id: str
    name: str
    temperature: float | None
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a factor: its id, what it sets in the request, and the keys that the prompt may name."""

    id: str
    temperature: float | None = None
    effort: str = ""
    parameters: Parameters = Parameters()
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def sets(self) -> bool:
        """Whether the request differs by this level, whatever the prompt says."""
        return self.temperature is not None or bool(self.effort or self.parameters)

    def listed(self) -> list:
        """All of it, for a digest."""
        return [self.id, self.temperature, self.effort, self.parameters.listed(), sorted(self.keys.items())]


@dataclass(frozen=True, slots=True)
class Factor:
    """What is varied, and its levels in order."""

    name: str
    levels: tuple[Level, ...]


def read_personas(table: Table, needed: bool) -> tuple[Persona, ...]:
    """The [[persona]] tables; where there are none and none is needed, one persona "1" of whom nothing is said. Raises InputError."""
    if not needed and not table.has("persona"):
        return (Persona("1", "", None),)
    found = []
    for row in table.tables("persona"):
        own_id, name, temperature = row.identifier(), row.text("name"), row.temperature()
        found.append(Persona(own_id, name, temperature, {"id": own_id, "name": name, **keyed(row)}))
    distinct(table.path, "persona", (p.id for p in found))
    return tuple(found)


def read_factors(table: Table) -> tuple[Factor, ...]:
    """The [[factor]] tables. Raises InputError."""
    found = tuple(map(_factor, table.tables("factor", ())))
    distinct(table.path, "factor", (factor.name for factor in found))
    return found


def _factor(table: Table) -> Factor:
    name = table.identifier("name")
    if "." in name or not name.isidentifier():
        raise table.fail("name", f"is {name!r}; expected one word of letters, digits and _, as prompts name it")
    if table.has("level"):
        levels = tuple(map(_level, table.tables("level")))
    else:
        sets, values = table.text("sets", "a request parameter", ""), table.take("levels", list, _LEVELS)
        levels = tuple(_plain(table, sets, value) for value in values)
    table.done()
    if len(levels) < 2:
        raise table.fail("levels", f"has {len(levels)}; expected {_LEVELS}")
    distinct(table.path, f"factor {name}", (level.id for level in levels))
    ids = sorted(level.id for level in levels)
    for one in ids:
        if tail := next((other for other in ids if other.endswith(f"_{one}")), ""):
            raise table.fail("levels", f"{tail!r} ends in _{one}, which is a level too, so custom_ids could not be taken apart; rename one")
    return Factor(name, levels)


def _level(row: Table) -> Level:
    own_id, temperature, effort = row.identifier(), row.temperature(), row.text("reasoning_effort", default="")
    parameters = read_parameters(row.table("request", None))
    return Level(own_id, temperature, effort, parameters, {"id": own_id, **keyed(row)})


def _plain(table: Table, sets: str, value: object) -> Level:
    """A level that is one value, which is its id too, and which a request parameter may be set to."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise table.fail("levels", f"holds {in_message(value)}; expected {_LEVELS}")
    where = f"{table.where}.levels"
    own_id = Table(table.path, {"id": str(value)}, where).identifier()
    if sets == "temperature":
        given = Table(table.path, {"temperature": value}, where).temperature()
        return Level(own_id, temperature=given, keys={"id": own_id})
    if sets == "reasoning_effort":
        return Level(own_id, effort=own_id, keys={"id": own_id})
    return Level(own_id, parameters=Parameters({sets: value}) if sets else Parameters(), keys={"id": own_id})


def check_names(factors: tuple[Factor, ...], taken: dict[str, str], path: object) -> None:
    """Refuse a factor whose name would be a second column of the results; `taken`: the others and what they are."""
    for factor in factors:
        if what := taken.get(factor.name):
            raise InputError(f"{path}: factor {factor.name}: its name is that of {what}; choose another")

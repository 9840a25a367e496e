"""Request parameters that a person passes through to an API: for all models, or by API, host or model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import orjson

from common.catalog.hosts import hosts
from common.catalog.models import models
from common.experiment.keys import Table
from common.nouns import Host, Model


@dataclass(frozen=True, slots=True)
class Parameters:
    """What [request] says: `every` for all, `named` by API shape or host, `models` by alias; the narrower wins."""

    every: Mapping[str, object] = field(default_factory=dict)
    named: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def of(self, model: Model, host: Host) -> dict[str, object]:
        """The parameters of a model's requests at a host."""
        return {**self.every, **self.named.get(host.api, {}), **self.named.get(host.name, {}), **self.models.get(model.alias, {})}

    def __bool__(self) -> bool:
        return bool(self.every or self.named or self.models)

    def listed(self) -> list:
        """All of it, for a digest."""
        return [self.every, self.named, self.models]


def read_parameters(table: Table | None) -> Parameters:
    """A [request] table. Raises InputError for what is no JSON, or a table of models that is none."""
    if table is None:
        return Parameters()
    named_models = table.table("model", None)
    by_model = {} if named_models is None else {name: _of_model(named_models, name) for name in named_models.names()}
    names = {host.api for host in hosts().values()} | {*hosts()}
    named = {name: _values(table, name) for name in sorted(names) if table.has(name)}
    every = table.rest()
    _check(table, every)
    return Parameters(every, named, by_model)


def _of_model(table: Table, name: str) -> dict[str, object]:
    known = {model.alias for model in models()}
    if name not in known:
        nearest = get_close_matches(name, sorted(known), 3)
        raise table.fail(name, f"no model has this alias; expected one as --model takes it{', e.g. ' * bool(nearest)}{', '.join(nearest)}")
    return _values(table, name)


def _values(table: Table, name: str) -> dict[str, object]:
    inner = table.table(name)
    found = inner.rest()
    _check(inner, found)
    return found


def _check(table: Table, found: Mapping[str, object]) -> None:
    for key, value in found.items():
        try:
            orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)
        except (TypeError, ValueError):
            raise table.fail(key, "is no JSON value; expected a text, a number, true, false, a list or a table") from None

"""The models, as models.toml describes them, and what may be said of a name that a person typed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from common.catalog.hosts import hosts
from common.catalog.prices import as_sent
from common.catalog.rows import build, load
from common.errors import InputError
from common.nouns import Model

FILE = Path(__file__).with_name("models.toml")


@cache
def models() -> tuple[Model, ...]:
    """All rows of models.toml."""
    return read_models(FILE)


def read_models(path: Path) -> tuple[Model, ...]:
    """All rows of a TOML file, each over the defaults of its host. Raises InputError for a wrong row."""
    tables = load(path)
    defaults = tables.get("defaults", {})
    return tuple(
        _model(host, {**_of_host(host), **defaults.get(host, {}), **row}, f"{path}: {host}, row {n}")
        for host, rows in tables.get("model", {}).items()
        for n, row in enumerate(rows, 1)
    )


def _of_host(name: str) -> dict:
    """What a host's own row says of all its models."""
    host = hosts().get(name)
    return {"batch_discount": host.discount} if host and host.discount is not None else {}


def _model(host: str, row: dict, where: str) -> Model:
    named = {"alias": row["id"]} if "id" in row else {}
    return build(Model, {"provider": host, **named, **row}, f"{where} ({row.get('id', 'without id')})")


def _lender(provider: str) -> str:
    """The host whose models run at this one too, at prices that nobody has told us; "" for one with rows of its own."""
    host = hosts().get(provider)
    return host.like if host else ""


def find(name: str, provider: str) -> Model | None:
    """The model that an alias or an id means at a provider; None when the catalog does not know it."""
    if lender := _lender(provider):
        known = find(name, lender)
        return known and replace(known, provider=provider, input=None, output=None, retired_on="")
    rows = [m for m in models() if m.provider == provider]
    return next((m for m in rows if m.alias == name), None) or next((m for m in rows if m.id == name), None)


def find_id(model_id: str, providers: Iterable[str] = ()) -> Model | None:
    """The model whose id an API reported, dated snapshots included (`gpt-4.1-2025-04-14` is gpt-4.1)."""
    rows = [m for m in models() if not providers or m.provider in providers]
    exact = [m for m in rows if m.id == model_id]
    dated = [m for m in rows if model_id.startswith(m.id + "-2")]
    return (exact or sorted(dated, key=lambda m: -len(m.id)) or [None])[0]


def _looks_like_id(name: str) -> bool:
    return any(c.isdigit() for c in name) and any(c in name for c in "-./:") and not any(c.isspace() for c in name)


def _is_slip(name: str, alias: str) -> bool:
    """Whether a name is an alias with a typing error; another version number alone is another model, not a slip."""
    skeleton = str.maketrans("", "", "0123456789.")
    close = difflib.SequenceMatcher(None, name.lower(), alias.lower()).ratio() >= 0.8
    return close and name.translate(skeleton) != alias.translate(skeleton)


def resolve(name: str, provider: str) -> tuple[Model, str]:
    """What a person typed → (Model, notice or ""). Raises InputError with the nearest aliases for an unknown name."""
    if model := find(name, provider):
        return model, ""
    if hosts()[provider].own:
        return Model(alias=name, id=name, provider=provider), ""
    aliases = [m.alias for m in models() if m.provider == (_lender(provider) or provider)]
    if (host := hosts().get(provider)) and host.deployments:
        return Model(alias=name, id=name, provider=provider), f"{name}: a deployment; its model's price and abilities are not known here"
    near = ", ".join(difflib.get_close_matches(name, aliases, n=4, cutoff=0.5))
    if not _looks_like_id(name) or any(_is_slip(name, alias) for alias in aliases):
        raise InputError(f"unknown model {name!r} for {provider}; " + (f"nearest: {near}" if near else f"known: {', '.join(aliases)}"))
    if known := find_id(name, [provider]):
        return replace(known, alias=name, id=name), f"{name}: a snapshot of {known.alias}, taken with its price and abilities"
    nearest = f" (nearest known: {near})" if near else ""
    return (
        Model(alias=name, id=name, provider=provider),
        f"{name}: not in common/catalog/models.toml, taken as a raw model id; its price and abilities are unknown{nearest}",
    )


def in_window(model: Model, window: str) -> Model:
    """A model as it costs in batches of another window than its host's usual one: nobody has told us."""
    host = hosts().get(model.provider)
    return replace(model, input=None, output=None) if window and host and window != host.window else model


def of_run(name: str, provider: str, way: str, window: str = "") -> Model | None:
    """The model that an alias of a run, else an id that the API reported, means at the run's host; at the prices of its way."""
    host = hosts().get(provider)
    model = resolve(name, provider)[0] if host and host.own else find(name, provider) or find_id(name, [provider])
    return model and as_sent(in_window(model, window), way)


def is_retired(model: Model, today: date) -> bool:
    """Whether the announced end of a model has come."""
    return bool(model.retired_on) and date.fromisoformat(model.retired_on) <= today

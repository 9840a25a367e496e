"""make models [DOCS=1] [CHECK=1]: what models cost, can and until when, from the catalog; DOCS=1 writes the tables of docs/."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from common import catalog, settings
from common.cli.exits import OK, UNFINISHED, guarded
from common.cli.text import table
from common.errors import InputError
from common.nouns import Model
from tools import hosts
from tools.models_check import check

DOCS = Path(__file__).resolve().parent.parent / "docs/models.md"
PLACE = re.compile(r"(<!-- models: (\S+) -->\n).*?(<!-- /models -->)", re.DOTALL)
UNKNOWN = "–"
SOON = 60  # days before its end from which a model is warned of
HEADER = ("provider", "alias", "", "in", "cached", "out", "off", "context", "abilities", "ends", "successor", "id")


def main(arguments: Sequence[str]) -> int:
    """Print the table, with --docs write it into the documents, with --check ask the hosts; returns the exit code."""
    if not arguments:
        print(table(HEADER, map(_row, catalog.models())))
        print("\nUSD per 1,000,000 tokens at list price; off: what a batch costs less. A dash: not known.")
        print(*_warnings(date.today()), sep="", end="")
    elif arguments[0] == "--check":
        settings.load_env()
        return OK if check(arguments[1:]) else UNFINISHED
    elif list(arguments) == ["--docs"]:
        for page, written in ((DOCS, with_tables), (hosts.DOCS, hosts.with_table)):
            page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
            print(f"{page}: tables written")
    else:
        raise InputError(f"unknown arguments {' '.join(arguments)}; expected none, or --docs, or --check [HOST …]")
    return OK


def with_tables(text: str) -> str:
    """A document with the models of each marked provider between its marks. Raises InputError where marks and catalog differ."""
    marked, known = [name for _, name, _ in PLACE.findall(text)], list(dict.fromkeys(m.provider for m in catalog.models()))
    if sorted(marked) != sorted(known):
        raise InputError(f"{DOCS}: marks for {', '.join(marked) or 'none'}; the catalog has {', '.join(known)}")
    return PLACE.sub(lambda place: place[1] + markdown([m for m in catalog.models() if m.provider == place[2]]) + place[3], text)


def markdown(models: Sequence[Model]) -> str:
    """The models of one provider as a Markdown table; a column in which nothing stands is left out."""
    header = ("Alias", "Id", "Input", "Cached", "Output", "Temperature", "Ends", "Successor")
    columns = [column for column in zip(header, *map(_cells, models), strict=True) if any(column[1:])]
    rows = [f"| {' | '.join(row)} |\n" for row in zip(*columns, strict=True)]
    return "".join([rows[0], "|" + "---|" * len(columns) + "\n", *rows[1:]])


def _row(model: Model) -> tuple[str, ...]:
    """A model as the terminal shows it."""
    provider, alias, model_id, *prices, ends, successor = _line(model)
    state = "retired" if catalog.is_retired(model, date.today()) else "alive"
    off = f"{100 * model.batch_discount:.0f} %" if model.batch_discount else UNKNOWN if _is_unknown(model) else "none"
    context = UNKNOWN if model.context is None else f"{model.context:,}"
    return provider, alias, state, *prices, off, context, ", ".join(_abilities(model)), ends, successor, model_id


def _is_unknown(model: Model) -> bool:
    host = catalog.hosts().get(model.provider)
    return host is not None and host.discount is None


def _abilities(model: Model) -> Iterator[str]:
    heat = _temperature(model)
    yield from ["temperature" if heat == "yes" else f"temperature {heat}"] * (heat != "no")
    yield from [{"schema": "JSON schema", "object": "JSON"}.get(model.structured, "")] * bool(model.structured)
    yield from ["reasons"] * model.reasoning
    yield from ["no system prompt"] * (not model.supports_system)


def _warnings(today: date) -> Iterator[str]:
    """A line for each model that ends soon."""
    for model in catalog.models():
        if model.retired_on and 0 < (left := (date.fromisoformat(model.retired_on) - today).days) <= SOON:
            successor = f"; its successor is {model.replacement}" if model.replacement else ""
            yield f"warning: {model.alias} at {model.provider} ends on {model.retired_on}, in {left} days{successor}\n"


def _line(model: Model) -> tuple[str, ...]:
    prices = map(_price, (model.input, model.cached_input, model.output))
    return model.provider, model.alias, model.id, *prices, model.retired_on, model.replacement


def _cells(model: Model) -> tuple[str, ...]:
    _, alias, model_id, *prices, ends, successor = _line(model)
    shown_id = "" if model_id == alias else f"`{model_id}`"
    return f"`{alias}`", shown_id, *prices, _temperature(model), ends or UNKNOWN, successor and f"`{successor}`"


def _price(price: float | None) -> str:
    return UNKNOWN if price is None else f"{price:g}"


def _temperature(model: Model) -> str:
    if model.temperature_with_effort_none:
        return "with effort none"
    return "yes" if model.supports_temperature else "no"


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:]), "make models", "stopped"))

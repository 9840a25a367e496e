"""make models [DOCS=1]: what models cost and until when, from the catalog; DOCS=1 writes the tables of docs/providers.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from common import catalog
from common.cli.exits import OK, guarded
from common.cli.text import table
from common.errors import InputError
from common.nouns import Model

DOCS = Path(__file__).resolve().parent.parent / "docs/providers.md"
PLACE = re.compile(r"(<!-- models: (\S+) -->\n).*?(<!-- /models -->)", re.DOTALL)
UNKNOWN = "–"


def main(arguments: Sequence[str]) -> int:
    """Print the table, or with --docs write it into the documents; returns the exit code."""
    if not arguments:
        print(table(("provider", "alias", "id", "in", "cached", "out", "ends", "successor"), map(_line, catalog.models())))
        print("\nUSD per 1,000,000 tokens at list price; a batch costs less by the provider's discount (docs/providers.md).")
    elif list(arguments) == ["--docs"]:
        DOCS.write_text(with_tables(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{DOCS}: tables written")
    else:
        raise InputError(f"unknown arguments {' '.join(arguments)}; expected none, or --docs")
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

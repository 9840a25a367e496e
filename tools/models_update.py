"""make models-update [WRITE=1]: compares models.toml with what installed packages know of prices, ends and successors.

The packages are genai-prices (among those for tests) and litellm, if somebody has installed it (44 MB): only its file is
read, it is not imported, for that fetches a newer one. Nothing else is asked. Models that have ended are left out. Exit code 1
when anything differs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import orjson

from common.catalog.models import FILE, is_retired, read_models
from common.catalog.prices import rates
from common.cli.exits import OK, guarded
from common.cli.text import table
from common.errors import InputError
from common.nouns import Model

MILLION, DIFFERS = 1_000_000, 1
ROW = re.compile(r"^\[\[model\.(\S+)\]\]")
KEY = re.compile(r'^(\w+) = (".*?"|[^#\s]+)')


class Difference(NamedTuple):
    """A figure of a row that a source has otherwise."""

    model: Model
    key: str
    ours: object
    theirs: object
    source: str


def main(arguments: Sequence[str], file: Path = FILE) -> int:
    """Print each difference with its source; with --write put it into the file. Returns the exit code."""
    if list(arguments) not in ([], ["--write"]):
        raise InputError(f"unknown arguments {' '.join(arguments)}; expected none, or --write")
    sources = {name: read for name, read in (("genai-prices", genai), ("litellm", litellm)) if _installed(name)}
    for name in {"genai-prices", "litellm"} - sources.keys():
        print(f"{name} is not installed and not compared; to have it: .venv/bin/python -m pip install {name}", file=sys.stderr)
    if not sources:
        raise InputError("nothing to compare with; type: make test, which installs genai-prices")
    alive = [model for model in read_models(file) if not is_retired(model, date.today())]
    found = [d for model in alive for name, read in sources.items() for d in differences(model, read(model), name)]
    if not found:
        print(f"{file}: agrees with {' and '.join(sources)}")
        return OK
    rows = [(d.model.provider, d.model.alias, d.key, str(d.ours), str(d.theirs), _named(d.source)) for d in found]
    print(table(("provider", "model", "key", "ours", "theirs", "source"), rows))
    if arguments:
        agreed = _agreed(found)
        file.write_text(written(file.read_text(encoding="utf-8"), agreed), encoding="utf-8")
        print(f"{file}: {len(agreed)} figures written; read the changes before you commit them")
    else:
        print("nothing was written; look at each, then: make models-update WRITE=1")
    return DIFFERS


def _installed(name: str) -> bool:
    return find_spec(name.replace("-", "_")) is not None


def _named(source: str) -> str:
    try:
        return f"{source} {version(source)}"
    except PackageNotFoundError:  # a folder on the path
        return source


def differences(model: Model, told: Mapping[str, object], source: str) -> Iterator[Difference]:
    """Where a row and what a source tells of it are not the same; a figure that the source does not have is none."""
    for key, theirs in told.items():
        ours = rates(model)[1] if key == "batch_cached_input" else getattr(model, key)
        same = abs(ours - theirs) < 1e-9 if isinstance(theirs, float) and isinstance(ours, int | float) else ours == theirs
        if not same:
            yield Difference(model, key, ours, theirs, source)


# ---- what they say ---------------------------------------------------------------------------------------------------


def genai(model: Model) -> dict[str, object]:
    """What genai-prices has on a model, by the keys of models.toml; nothing for one that it does not know."""
    from genai_prices import Usage, calc_price

    def of(**more: object) -> tuple[str, object]:
        """Its name there, and the price at the hour of the day at which it is dearest."""
        hours = (datetime.now(UTC).replace(hour=hour) for hour in range(24))
        usage = Usage(input_tokens=1, output_tokens=1)
        found = (calc_price(usage, model.id, provider_id=model.provider, genai_request_timestamp=hour, **more) for hour in hours)
        dearest = max(found, key=lambda price: price.total_price)
        return dearest.model.id, dearest.model_price

    try:
        name, listed = of()
        batch = of(price_context={"processing": "batch"})[1]
    except LookupError:
        return {}
    if not model.id.startswith(name) or not re.fullmatch(r"(-2\d{3}-?\d\d-?\d\d)?", model.id.removeprefix(name)):
        return {}  # the nearest that it knows is another one
    into, cached, out, write, write_1h = _mtok(listed)
    told = {"input": into, "cached_input": cached, "output": out}
    if into and write and write >= into:  # less than the input is storage alone, which comes on top (Google's)
        told["cache_write_factor"] = write / into
    if into and write_1h:
        told["cache_write_1h_factor"] = write_1h / into
    batch_into, batch_cached = _mtok(batch)[:2]
    if into and batch_into and batch_into != into:  # without a batch price it answers the list price
        told["batch_discount"] = 1 - batch_into / into
        if batch_cached != cached:  # without one for cached tokens too
            told["batch_cached_input"] = batch_cached
    if tiers := getattr(listed.input_mtok, "tiers", None):
        told["long_context_over"] = tiers[0].start
    return {key: value for key, value in told.items() if value is not None}


def _mtok(price: object) -> list[float | None]:
    """(input, cached input, output, cache write, cache write for an hour) per 1,000,000 tokens, below any limit."""
    names = ("input_mtok", "cache_read_mtok", "output_mtok", "cache_write_mtok", "cache_write_1h_mtok")
    found = (getattr(price, name, None) for name in names)
    return [None if each is None else float(getattr(each, "base", each)) for each in found]


def litellm(model: Model) -> dict[str, object]:
    """What litellm's map has on a model, by the keys of models.toml; nothing for one that it does not know."""
    rows = _map()
    row = rows.get(model.id if model.provider in ("openai", "anthropic") else f"{model.provider}/{model.id}", {})
    per_token = {"input": "input_cost_per_token", "cached_input": "cache_read_input_token_cost", "output": "output_cost_per_token"}
    told = {key: round(row[name] * MILLION, 9) for key, name in per_token.items() if row.get(name)}
    told |= {key: row[name] for key, name in _ALIKE if row.get(name)}
    if "input" in told and row.get("input_cost_per_token_batches"):
        told["batch_discount"] = 1 - row["input_cost_per_token_batches"] / row["input_cost_per_token"]
    return told


_ALIKE = (("retired_on", "deprecation_date"), ("replacement", "successor_model"), ("cache_minimum", "prompt_cache_min_tokens"))


@cache
def _map() -> dict:
    folder = Path(find_spec("litellm").submodule_search_locations[0])
    return orjson.loads((folder / "model_prices_and_context_window_backup.json").read_bytes())


# ---- into the file ---------------------------------------------------------------------------------------------------


def _agreed(found: Sequence[Difference]) -> dict[tuple[str, str], dict[str, object]]:
    """(provider, id) → new figures: what one source says, or all of them alike."""
    said: dict[tuple[str, str, str], set] = {}
    for one in found:
        said.setdefault((one.model.provider, one.model.id, one.key), set()).add(one.theirs)
    agreed: dict[tuple[str, str], dict[str, object]] = {}
    for (provider, model_id, key), values in said.items():
        if len(values) == 1:
            agreed.setdefault((provider, model_id), {"as_of": date.today().isoformat()})[key] = values.pop()
    return agreed


def written(text: str, new: Mapping[tuple[str, str], Mapping[str, object]]) -> str:
    """A models.toml with new figures in their lines, or in a new line below the others of a row; all else stays as it is."""
    lines, out = text.splitlines(keepends=True), []
    provider, left, row = "", {}, 0
    for line in [*lines, "[end]\n"]:
        if line.startswith("["):
            out[row:row] = [f"{key} = {_toml(value)}\n" for key, value in left.items()]
            provider, left = (match[1] if (match := ROW.match(line)) else ""), {}
        elif match := KEY.match(line):
            key, value = match.groups()
            if key == "id":
                left = dict(new.get((provider, value.strip('"')), {}))
            if key in left:
                line = f"{key} = {_toml(left.pop(key))}{line[match.end() :]}"
            row = len(out) + 1
        out.append(line)
    return "".join(out[:-1])


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:_}" if isinstance(value, int) else f"{round(value, 9)}"


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:]), "make models-update", "stopped"))

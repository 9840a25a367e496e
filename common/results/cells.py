"""What the results show of factors, personas and data beside ours: noted in run.json at planning, found again for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from common.experiment.columns import kept
from common.experiment.experiment import Experiment
from common.experiment.kept import KeptValues


def kept_of(experiment: Experiment) -> dict[str, object]:
    """What run.json notes of it: factors with their level ids, columns in order, and the values of persona and level keys."""
    columns = kept(experiment)
    wanted = {column.name for column in columns}

    def values(of: str, keys: Mapping[str, str]) -> dict[str, str]:
        return {name: value for key, value in keys.items() if (name := f"{of}.{key}") in wanted}

    return {
        "factors": {factor.name: [level.id for level in factor.levels] for factor in experiment.factors},
        "kept": [list(column) for column in columns],
        "persona_keys": {persona.id: values("persona", persona.keys) for persona in experiment.personas},
        "level_keys": {f.name: {level.id: values(f.name, level.keys) for level in f.levels} for f in experiment.factors},
        "simulated_texts": experiment.texts.simulated,
    }


class Cells:
    """The further cells of a row: `cells(persona, levels, place, text)`, in the order of `headers`."""

    def __init__(self, manifest: Mapping, folder: Path) -> None:
        columns: Sequence[Sequence[str]] = manifest.get("kept", ())
        self.headers = tuple(header for header, *_ in columns)
        self.names = tuple(name for _, name, *_ in columns)  # as prompts name them
        self.blank = ("",) * len(columns)
        self._of_data = [n for n, (_, _, kind) in enumerate(columns) if kind == "data"]
        self._columns, self._factors = columns, [*manifest.get("factors", {})]
        self._personas, self._levels = manifest.get("persona_keys", {}), manifest.get("level_keys", {})
        self._texts = KeptValues(folder, len(self._of_data))
        self._known = lru_cache(4096)(self._of)

    def __call__(self, persona: str, levels: tuple[str, ...], place: int | None, text: str) -> tuple[str, ...]:
        known = self._known(persona, levels)
        if not self._of_data:
            return known
        first = self._of_data[0]  # data stands last, unless `columns` mixes it
        values = self._texts(place, text)
        if first + len(values) == len(known):
            return known[:first] + values
        cells = [*known]
        for n, value in zip(self._of_data, values):
            cells[n] = value
        return tuple(cells)

    def _of(self, persona: str, levels: tuple[str, ...]) -> tuple[str, ...]:
        found = dict(zip(self._factors, levels)) | self._personas.get(persona, {})
        for factor, level in zip(self._factors, levels):
            found |= self._levels.get(factor, {}).get(level, {})
        return tuple(found.get(name, "") for _, name, _ in self._columns)

"""Prompts with holes: `{column}` of a row, `{persona.key}`, `{factor}` and `{factor.key}`; `{{` and `}}` are literal braces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from common.errors import InputError

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}")
DOUBLED = re.compile(r"(?<!\{)\{\{\s*([^{}\n]+?)\s*\}\}(?!\})")


def names_in(sources: Iterable[str]) -> set[str]:
    """The names that stand in the holes of prompts."""
    return {found[1] for source in sources for found in PLACEHOLDER.finditer(source) if found[1]}


class Prompt:
    """A prompt with the values of `known` names filled in (persona and levels): call it with a row to get the text."""

    def __init__(self, source: str, known: Mapping[str, str], columns: Sequence[str], path: Path, key: str) -> None:
        self._parts: list[str] = []
        self._holes: list[tuple[int, int]] = []  # (index in parts, column)
        end = 0
        for found in PLACEHOLDER.finditer(source):
            self._parts.append(source[end : found.start()])
            end, name = found.end(), found[1]
            if name is None:
                self._parts.append(found[0][0])
            elif name in known:
                self._parts.append(known[name])
            elif name in columns:
                self._holes.append((len(self._parts), columns.index(name)))
                self._parts.append("")
            else:
                names = ", ".join(f"{{{n}}}" for n in (*columns, *known) if n)
                raise InputError(
                    f"{path}: {key}: unknown name {{{name}}}; expected one of {names} ({{{{ is a literal brace)"
                )
        self._parts.append(source[end:])

    @property
    def columns(self) -> bool:
        """Whether the text depends on the row."""
        return bool(self._holes)

    @property
    def identity(self) -> tuple:
        """The same for prompts that give the same text for every row."""
        found, end = [], 0
        for hole, column in self._holes:
            found += ["".join(self._parts[end:hole]), column]
            end = hole + 1
        return (*found, "".join(self._parts[end:]))

    def __call__(self, row: Sequence[str]) -> str:
        parts = self._parts
        for hole, column in self._holes:
            parts[hole] = row[column]
        return "".join(parts).strip("\n")

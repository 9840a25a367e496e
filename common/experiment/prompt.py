"""Prompts with holes: `{column}` of a row and `{persona.key}`; `{{` and `}}` are literal braces."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from common.errors import InputError

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]+)\}")

DOUBLED = re.compile(r"(?<!\{)\{\{\s*([^{}\n]+?)\s*\}\}(?!\})")


def _refuse_doubled(source: str, names: Container[str], path: Path, key: str) -> None:
    """Other tools write `{{column}}` for a hole; here it would ask the same words of every row."""
    for found in DOUBLED.finditer(source):
        if found[1] in names:
            raise InputError(
                f"{path}: {key}: {found[0]} is the literal text {{{found[1]}}}, the same for every row; write {{{found[1]}}} with one brace"
            )


class Prompt:
    """A prompt with its persona filled in: call it with a row to get the text."""

    def __init__(self, source: str, persona: Mapping[str, str], columns: Sequence[str], path: Path, key: str) -> None:
        self._parts: list[str] = []
        self._holes: list[tuple[int, int]] = []  # (index in parts, column)
        known = {f"persona.{name}": value for name, value in persona.items()}
        _refuse_doubled(source, {*known, *columns}, path, key)
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

    def __call__(self, row: Sequence[str]) -> str:
        parts = self._parts
        for hole, column in self._holes:
            parts[hole] = row[column]
        return "".join(parts).strip("\n")

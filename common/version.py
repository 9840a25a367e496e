"""Which version of the project this is: pyproject.toml says it, nobody else."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "pyproject.toml"


@cache
def version() -> str:
    """The project's version, "unknown" where its pyproject.toml was left behind or is garbled."""
    try:
        return str(tomllib.loads(FILE.read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return "unknown"

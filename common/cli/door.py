"""The door of every command: it makes sure that the project's own Python, with the packages in it, runs the command."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("anthropic", "dotenv", "openai", "orjson")


def enter() -> None:
    """Start the running command again under .venv when this Python lacks the packages, so that `python` may be any."""
    if sys.version_info >= (3, 11) and all(map(find_spec, NEEDED)):
        return
    python, command = ROOT / ".venv/bin/python", _command()
    if not command or not python.exists() or Path(sys.prefix).resolve() == (ROOT / ".venv").resolve():
        sys.exit("error: the packages are not installed; type: make setup")
    os.execv(python, [str(python), *command, *sys.argv[1:]])


def _command() -> list[str]:
    """What a Python is given to run what runs now: a file, or -m and a module; nothing in a prompt or a notebook."""
    main = sys.modules["__main__"]
    if spec := getattr(main, "__spec__", None):
        return ["-m", spec.name]
    file = getattr(main, "__file__", None)
    return [os.path.abspath(file)] if file else []

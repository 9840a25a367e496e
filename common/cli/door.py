"""The door of every command: it makes sure that the project's own Python, with the packages in it, runs the command."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def enter() -> None:
    """Start the running script again under .venv when this Python lacks the packages, so that `python` may be any."""
    if find_spec("orjson") and find_spec("openai"):
        return
    python = ROOT / ".venv/bin/python"
    main = getattr(sys.modules["__main__"], "__file__", None)
    if main is None or not python.exists() or Path(sys.prefix).resolve() == (ROOT / ".venv").resolve():
        sys.exit("error: the packages are not installed; type: make setup")
    os.execv(python, [str(python), os.path.abspath(main), *sys.argv[1:]])

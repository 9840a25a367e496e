"""What the entry scripts and tools share. Imported first, it makes sure that the project's own Python runs them."""

import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path


def _use_own_python() -> None:
    """Start the running script again under .venv when this Python lacks the packages, so that `python` may be any."""
    if find_spec("orjson") and find_spec("openai"):
        return
    python = Path(__file__).resolve().parent.parent / ".venv/bin/python"
    main = getattr(sys.modules["__main__"], "__file__", None)
    if main is None or not python.exists() or Path(sys.prefix).resolve() == python.parent.parent.resolve():
        sys.exit("error: the packages are not installed; type: make setup")
    os.execv(python, [str(python), os.path.abspath(main), *sys.argv[1:]])


_use_own_python()
gc.set_threshold(20_000)  # rows are tuples that go when they are done with: looking for circles in them took 8 % of a conversion

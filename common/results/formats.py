"""The forms that answers are written in: a new one is one entry here and one file with its writer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple


class Format(NamedTuple):
    """How a file (or folder) of this form ends, and its writer as `module:function`: (rows, target, origin) → number of rows.

    Named, not imported: a form's libraries are loaded only for that form.
    """

    ending: str
    writer: str

    def load(self) -> Callable:
        """The writer. Raises ImportError when its library is not there."""
        module, _, name = self.writer.partition(":")
        return getattr(import_module(module), name)


FORMATS = {
    "text": Format("_texts", "common.results.texts:write_texts"),
    "csv": Format(".csv", "common.results.tables:write_csv"),
    "parquet": Format(".parquet", "common.results.parquet:write_parquet"),
    "jsonl": Format(".rows.jsonl", "common.results.tables:write_jsonl"),
}

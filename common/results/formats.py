"""The forms that answers are written in: a new one is one entry here and one file with its writer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple


class Format(NamedTuple):
    """How a file (or folder) of this form ends, and its writers as `module:function`.

    `writer`: (rows, target, origin) → number of rows; `table`: the same of any columns, (target, header, blocks), "" where
    it is none. Named, not imported: a form's libraries are loaded only for that form.
    """

    ending: str
    writer: str
    table: str = ""

    def load(self) -> Callable:
        """The writer of rows. Raises ImportError when its library is not there."""
        return _named(self.writer)

    def load_table(self) -> Callable:
        """The writer of columns. Raises ImportError when its library is not there."""
        return _named(self.table)


def _named(writer: str) -> Callable:
    module, _, name = writer.partition(":")
    return getattr(import_module(module), name)


MOST_TEXTS = 10_000  # text files that a run makes, or shares, without being asked
FORMATS = {
    "text": Format("_texts", "common.results.texts:write_texts"),
    "csv": Format(".csv", "common.results.tables:write_csv", "common.results.tables:csv_table"),
    "parquet": Format(".parquet", "common.results.parquet:write_parquet", "common.results.parquet:parquet_table"),
    "jsonl": Format(".rows.jsonl", "common.results.tables:write_jsonl", "common.results.tables:jsonl_table"),
    "xlsx": Format(".xlsx", "common.results.xlsx:write_xlsx", "common.results.xlsx:xlsx_table"),
}
TABLES = tuple(name for name, form in FORMATS.items() if form.table)

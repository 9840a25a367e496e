"""Which reader a data file needs, by its name, and what of [data] that kind of file takes."""

from __future__ import annotations

from pathlib import Path

from common.experiment.data.csv_rows import CSV
from common.experiment.data.jsonl_rows import JSONL
from common.experiment.data.parquet_rows import Parquet
from common.experiment.data.reader import Fail, FileFormat, Reader
from common.experiment.data.sheets import Sheet
from common.experiment.data.text_file import TextFile

_TAKES = {".jsonl": ("encoding",), ".ndjson": ("encoding",), ".xlsx": ("sheet",), ".xlsm": ("sheet",), ".parquet": ()}


def reader_of(file: Path, said: FileFormat, fail: Fail) -> Reader:
    """A reader of a data file. Raises InputError, by `fail` where a key of [data] is wrong."""
    kinds = [kind.lower() for kind in file.suffixes]
    kind = kinds[-2] if kinds[-1:] == [".gz"] and len(kinds) > 1 else (kinds or [""])[-1]
    for key in ("delimiter", "encoding", "sheet"):
        if getattr(said, key) and key not in _TAKES.get(kind, ("delimiter", "encoding")):
            raise fail(key, f"says nothing about a file such as {file.name}; leave it out")
    if kinds[-1:] == [".gz"] and kind in (".xlsx", ".xlsm", ".parquet"):
        raise fail("file", f"{file.name} is packed twice; unpack it with gunzip")
    if kind in (".xls", ".ods", ".zip"):
        raise fail("file", f"{file.name} is of a kind that is not read; save it as .xlsx or .csv")
    if kind in (".xlsx", ".xlsm"):
        return Sheet(file, said.sheet, fail)
    if kind == ".parquet":
        return Parquet(file)
    text = TextFile(file, said.encoding, fail)
    if kind in (".jsonl", ".ndjson"):
        return JSONL(text)
    return CSV(text, said.delimiter or ("\t" if kind in (".tsv", ".tab") else ""), fail)

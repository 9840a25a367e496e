"""Typed values of spreadsheets and Parquet as the text that a person sees."""

from __future__ import annotations

import struct
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isnan

import orjson

_WHOLE = 1e15  # up to here a float is as exact as a whole number needs


def cell_text(value: object) -> str:
    """A value as text: whole numbers without `.0`, ISO dates, nothing for a missing value, JSON for what is nested.

    Raises ValueError for bytes that are no UTF-8 text.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (int, timedelta)):
        return str(value)
    return orjson.dumps(value, default=cell_text).decode()


def _number(value: float) -> str:
    if isnan(value):
        return ""
    return str(int(value)) if abs(value) < _WHOLE and value == int(value) else repr(value)


def in_sheet(value: object) -> str:
    """A cell of a sheet: as a sheet shows it, numbers to fifteen digits and truth in capitals."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return _number(float(f"{value:.15g}")) if isinstance(value, float) else cell_text(value)


def single(value: float | None) -> str:
    """A number of 32 bits, in the fewest digits that mean it: 0.1, not 0.10000000149011612."""
    if value is None or isnan(value) or abs(value) == float("inf"):
        return cell_text(value)
    return next(_number(near) for d in range(6, 10) if struct.pack("f", near := float(f"{value:.{d}g}")) == struct.pack("f", value))

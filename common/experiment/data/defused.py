"""Cells that no spreadsheet takes for a formula, and the way back to what they were."""

from __future__ import annotations

import re

# What a spreadsheet may take for a formula, also behind blanks and characters that tables leave out; and what would read as
# such a cell once defused, so that every cell has a way back.
_BLANK = r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]"
_START = r"[=+\-@\t\r＝＋－＠]"
_FORMULA = re.compile(f"'*{_BLANK}*{_START}")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
perhaps_formula = re.compile(f"'|{_BLANK}|{_START}").match  # of a cell's first character


def defused(cell: str) -> str:
    """A text cell that no spreadsheet will run: an apostrophe before anything like a formula that is no number."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def undefused(cell: str) -> str:
    """The text that a cell was made of."""
    return cell[1:] if cell[:1] == "'" and defused(cell[1:]) == cell else cell
